package cli

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/re-connect/rpctl/controller/internal/exit"
)

// TestConfirmedKeepsEveryWord gives each verb that asks all of its flags: what is to be typed instead of the
// answer has them all, as a shell reads it back.
func TestConfirmedKeepsEveryWord(t *testing.T) {
	verbs := asking((&app{}).root())
	if len(verbs) != 10 { // deploy, rollback, restart, migrate, migrate approve and revoke, agent install, upgrade, pin and uninstall
		t.Errorf("%d verbs ask: does the new one say a.confirmed()?", len(verbs))
	}
	for _, verb := range verbs {
		args := append(strings.Fields(verb.CommandPath())[1:], everyFlag(verb)...)
		a := &app{System: System{Args: args}}
		told, _ := strings.CutPrefix(a.confirmed(), "rpctl ")
		read, err := exec.CommandContext(t.Context(), "sh", "-c", `printf '%s\n' `+told).Output()
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Split(strings.TrimSuffix(string(read), "\n"), "\n"); !slices.Equal(got, append(args, "--yes")) {
			t.Errorf("%s: typed %q, next has %q", verb.CommandPath(), args, got)
		}
	}
}

func asking(cmd *cobra.Command) (verbs []*cobra.Command) {
	if cmd.Flags().Lookup("yes") != nil {
		verbs = append(verbs, cmd)
	}
	for _, sub := range cmd.Commands() {
		verbs = append(verbs, asking(sub)...)
	}
	return verbs
}

// everyFlag is all that may be typed with a verb, with values that a shell would take apart.
func everyFlag(cmd *cobra.Command) (words []string) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		switch {
		case f.Name == "yes" || f.Name == "help":
		case f.Value.Type() == "bool":
			words = append(words, "--"+f.Name)
		default:
			words = append(words, "--"+f.Name, "a 'b' $HOME *;"+f.Name)
		}
	})
	return words
}

// TestConfirmedIsMadeInOnePlace: a --yes that is put together elsewhere forgets what else was typed.
func TestConfirmedIsMadeInOnePlace(t *testing.T) {
	err := filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || filepath.Base(path) == "failure.go" {
			return err
		}
		source, err := os.ReadFile(path)
		for line := range strings.Lines(string(source)) {
			if code, _, _ := strings.Cut(line, "//"); strings.Contains(code, `--yes"`) {
				t.Errorf("%s: %s", path, line)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestConfirmedOfTheVerbs runs those that ask before anything is connected to.
func TestConfirmedOfTheVerbs(t *testing.T) {
	for _, args := range [][]string{
		{"restart", "--env", "prod", "--only", "messenger_worker@1.service", "--max-fail", "2"},
		{"deploy", "--env", "prod", "--skip", "announce", "--wave=3"},
	} {
		d := newDesk(t, args...)
		d.run(t, exit.Refused)
		if want := "next: rpctl " + strings.Join(args, " ") + " --yes\n"; !strings.HasSuffix(d.errs.String(), want) {
			t.Errorf("got %s\nwant %s", &d.errs, want)
		}
	}
	if got := (&app{System: System{Args: []string{"restart", "--"}}}).confirmed(); got != "rpctl restart --yes --" {
		t.Errorf("got %q", got)
	}
}

// TestElsewhere names the first file that is free.
func TestElsewhere(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"s.xlsx", "s_2.xlsx"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a := &app{System: System{Dir: dir, Args: []string{"migrate", "report", "--format", "xlsx"}}}
	if got := a.elsewhere("s.xlsx"); got != "rpctl migrate report --format xlsx -o s_3.xlsx" {
		t.Errorf("got %q", got)
	}
}
