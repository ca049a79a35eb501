package lab

import (
	"context"
	"fmt"
	"os"
	"slices"
)

// Database is what the application keeps its data in.
type Database string

// The databases. MariaDB is Debian's server on the host itself, which the application reaches by
// its socket, and by TCP on the host's address.
const (
	SQLite  Database = ""
	MariaDB Database = "mariadb"
)

// EnvLocal is the file of the application's settings, as Symfony reads them and Deployer shares them.
const EnvLocal = AppPath + "/shared/.env.local"

// databaseURL is how Doctrine names the application's database. There is no password: the server asks
// the kernel who is at the other end of its socket.
const databaseURL = "mysql://" + appUser + "@localhost/app?unix_socket=/run/mysqld/mysqld.sock&charset=utf8mb4"

// mariaDBConfig makes the server small; what was committed is on the disk all the same.
const mariaDBConfig = `[mariadbd]
skip-name-resolve
skip-log-bin
innodb_flush_log_at_trx_commit = 1
innodb_buffer_pool_size = 16M
innodb_log_file_size = 4M
`

// mariaDBUsers is run once, when the image is built; the first line lets a server without users have some.
const mariaDBUsers = `FLUSH PRIVILEGES;
CREATE DATABASE app CHARACTER SET utf8mb4;
CREATE USER ` + appUser + `@localhost IDENTIFIED VIA unix_socket;
GRANT ALL ON app.* TO ` + appUser + `@localhost;
`

// withMariaDB is the image of a host with a database server. Only these hosts have it: it doubles an
// image, and every host of a lab is a copy of one.
var withMariaDB = recipe{
	packages: slices.Concat(packages, []string{"mariadb-server", "php-mysql"}),
	commands: slices.Concat(customise, [][]string{
		inFile("/etc/mysql/mariadb.conf.d/90-lab.cnf", mariaDBConfig),
		inFile("/root/users.sql", mariaDBUsers),
		// Anew, for the sake of a log that is small.
		{"find", "/var/lib/mysql", "-mindepth", "1", "-delete"},
		{"mariadb-install-db", "--user=mysql", "--skip-test-db", "--force", // it cannot look up the name of a host that is none yet
			"--auth-root-authentication-method=socket", "--auth-root-socket-user=root", "--extra-file=/root/users.sql"},
	}),
}

// inFile is the command that writes a file; the shell's text is fixed.
func inFile(name, text string) []string {
	return []string{"sh", "-c", `printf %s "$1" >"$0"`, name, text}
}

// database is what a role's host has: a bastion has no application.
func (o Options) database(r Role) Database {
	if r == Bastion {
		return SQLite
	}
	return o.Database
}

// images are those of the roles.
func (o Options) images(ctx context.Context) (map[Role]string, error) {
	images := map[Role]string{}
	for _, role := range o.Roles {
		made := plain
		if o.database(role) == MariaDB {
			made = withMariaDB
		}
		image, err := made.image(ctx, o)
		if err != nil {
			return nil, err
		}
		images[role] = image
	}
	return images, nil
}

// writeDatabase lets the server listen on the host's own address, and tells the application of it.
func (h *Host) writeDatabase(root *os.Root, database Database) error {
	if database != MariaDB {
		return nil
	}
	for name, text := range map[string]string{
		"etc/mysql/mariadb.conf.d/91-host.cnf": "[mariadbd]\nbind-address = " + h.Address + "\n",
		EnvLocal[1:]:                           `DATABASE_URL="` + databaseURL + `"` + "\n",
	} {
		if err := root.WriteFile(name, []byte(text), 0o644); err != nil {
			return fmt.Errorf("cannot set up the database: %w", err)
		}
	}
	return root.Lchown(EnvLocal[1:], appUID, appUID)
}
