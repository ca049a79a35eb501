package lab

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// tools are the commands that the lab runs, and Debian's package for each.
var tools = []struct{ command, pkg string }{
	{"mmdebstrap", "mmdebstrap"},
	{"systemd-nspawn", "systemd-container"},
	{"nsenter", "util-linux"},
	{"ssh", "openssh-client"},
	{"ssh-keygen", "openssh-client"},
	{"git", "git"},
	{"tar", "tar"},
	{"make", "make"},
}

// console is what the application's console needs on this machine, where tests run it beside
// the lab: a file of each Debian package, as a pattern. A lab is possible without them.
var console = []struct{ file, pkg string }{
	{"/usr/bin/php", "php-cli"},
	{"/usr/share/php/Symfony/Component/Console/autoload.php", "php-symfony-console"},
	{"/usr/share/php/Symfony/Component/EventDispatcher/autoload.php", "php-symfony-event-dispatcher"},
	{"/usr/share/php/Symfony/Component/Messenger/autoload.php", "php-symfony-messenger"},
	{"/usr/lib/php/*/pdo_sqlite.so", "php-sqlite3"},
}

// Possible says why there can be no lab here, nil when there can be one.
// Packages that are missing do not count where Prepare can install them.
func Possible() error {
	if err := capable(); err != nil {
		return err
	}
	if missing := Missing(); len(missing) > 0 {
		return fmt.Errorf("the lab needs the Debian packages %s: type `make lab-prepare` as root", strings.Join(missing, " "))
	}
	return nil
}

func capable() error {
	if runtime.GOOS != "linux" {
		return fmt.Errorf("the lab needs Linux (this is %s)", runtime.GOOS)
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("the lab needs root")
	}
	if _, err := os.Stat("/etc/debian_version"); err != nil {
		return fmt.Errorf("the lab needs a Debian machine")
	}
	return nil
}

// Missing are the machine's packages that the lab needs and does not find.
func Missing() []string {
	var missing []string
	for _, t := range tools {
		if _, err := exec.LookPath(t.command); err != nil && !slices.Contains(missing, t.pkg) {
			missing = append(missing, t.pkg)
		}
	}
	return missing
}

// missingConsole are the packages without which tests of the console are skipped.
func missingConsole() []string {
	var missing []string
	for _, c := range console {
		if found, err := filepath.Glob(c.file); err != nil || len(found) == 0 {
			missing = append(missing, c.pkg)
		}
	}
	return missing
}

// Prepare installs what Missing names and what the console needs, with apt-get, and says so on log.
func Prepare(log io.Writer) error {
	if err := capable(); err != nil {
		return err
	}
	missing := append(Missing(), missingConsole()...)
	if len(missing) == 0 {
		return nil
	}
	fmt.Fprintf(log, "lab: installing Debian packages on this machine: %s\n", strings.Join(missing, " "))
	if err := aptGet("update", "-q"); err != nil {
		return err
	}
	return aptGet(append([]string{"install", "-q", "-y", "--no-install-recommends"}, missing...)...)
}

// aptGet runs apt-get without questions; its output is shown only when it fails.
func aptGet(args ...string) error {
	cmd := exec.Command("apt-get", args...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("cannot run apt-get %s: %w\n%s", args[0], err, bytes.TrimSpace(out))
	}
	return nil
}
