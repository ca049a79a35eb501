// Package console is the application's console where there is no PHP: the demo and the tests
// of embedded hosts run it as `PHP bin/console COMMAND ...`, with the program that calls Main
// as PHP. It reads the same arguments as Symfony does, prints the same bytes as the PHP console
// of lab/symfony and turns by the same knobs; a test holds the two to that. Its data is a JSON
// file in the shared folder instead of SQLite, replaced as a whole by each flush.
package console

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Commands that the console has; both consoles have the same.
const (
	CommandMigrate  = "app:migrate-individuals-to-other-organization"
	CommandSeed     = "app:seed-migration"    // [FILE]: replaces all data, by Runbook's without a file
	CommandSetField = "app:set-field"         // INDIVIDUAL SLUG VALUE: what a user of the application does
	CommandEffects  = "app:migration-effects" // prints Effects as JSON
	CommandAbout    = "about"                 // says which release this is
)

// Is says whether the arguments of a program are those of PHP with a console: SCRIPT COMMAND ...
func Is(args []string) bool {
	return len(args) > 0 && filepath.Base(args[0]) == "console" && filepath.Base(filepath.Dir(args[0])) == "bin"
}

// Main runs a command of the console, args[0] being the script, and returns its exit status.
func Main(args []string, stdout, stderr io.Writer) int {
	app, err := open(args[0])
	if err != nil {
		fmt.Fprintf(stdout, "Could not open input file: %s\n", args[0])
		return 1
	}
	var command string
	if len(args) > 1 {
		command = args[1]
	}
	run := map[string]func([]string, io.Writer, io.Writer) error{
		CommandMigrate: app.migrate, CommandSeed: app.seed, CommandSetField: app.setField, CommandEffects: app.tell,
		CommandAbout: app.about,
	}[command]
	if run == nil {
		fmt.Fprintf(stderr, "\n  Command %q is not defined.\n\n", command)
		return 1
	}
	return status(run(args[2:], stdout, stderr), stdout, stderr)
}

// status tells of an error where PHP does: a refusal is the command's own output, anything else is Symfony's.
func status(err error, stdout, stderr io.Writer) int {
	switch err := err.(type) {
	case nil:
		return 0
	case refusal:
		fmt.Fprintln(stdout, err.text())
		return 1
	default:
		fmt.Fprintf(stderr, "\n  %v  \n\n", err)
		return 1
	}
}

// application is a release and what its releases share, in Deployer's layout.
type application struct{ release string }

func open(script string) (application, error) {
	// First the whole path, then its links: `current` is often one of them.
	real, err := filepath.Abs(script)
	if err == nil {
		real, err = filepath.EvalSymlinks(real)
	}
	if err != nil {
		return application{}, err
	}
	return application{filepath.Dir(filepath.Dir(real))}, nil
}

func (a application) shared(name string) string {
	return filepath.Join(a.release, "../../shared", name)
}

func (a application) about(_ []string, stdout, _ io.Writer) error {
	revision, err := os.ReadFile(filepath.Join(a.release, "REVISION"))
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "release %s\nrevision %s\n", filepath.Base(a.release), revision)
	return nil
}
