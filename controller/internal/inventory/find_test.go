package inventory

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFind(t *testing.T) {
	top := t.TempDir()
	project := filepath.Join(top, "project")
	below := filepath.Join(project, "src", "Controller")
	home := filepath.Join(top, "home")
	for _, folder := range []string{below, filepath.Join(home, ".config", "rpctl"), filepath.Join(top, "else")} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	inProject, inHome := filepath.Join(project, FileName), filepath.Join(home, ".config", "rpctl", FileName)
	other, third := filepath.Join(top, "other.toml"), filepath.Join(top, "third.toml")
	for _, file := range []string{inProject, inHome, other, third} {
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// a folder of that name is passed over
	if err := os.Mkdir(filepath.Join(project, "src", FileName), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ flag, env, cwd, want string }{
		"flag first":           {other, third, below, other},
		"then the environment": {"", third, below, third},
		"then upwards":         {"", "", below, inProject},
		"in the folder itself": {"", "", project, inProject},
		"then home":            {"", "", filepath.Join(top, "else"), inHome},
	} {
		if got, err := Find(test.flag, test.env, test.cwd, home); err != nil || got != test.want {
			t.Errorf("%s: got %s, %v; want %s", name, got, err, test.want)
		}
	}
}

func TestFindNothing(t *testing.T) {
	top := t.TempDir()
	_, err := Find("", "", filepath.Join(top, "a"), filepath.Join(top, "home"))
	failure := badInput(t, err)
	for _, place := range []string{"a/hosts.toml", "hosts.toml", "home/.config/rpctl/hosts.toml"} {
		if !strings.Contains(failure.Message, "\n  "+filepath.Join(top, place)) {
			t.Errorf("%s is not among the places: %s", place, failure.Message)
		}
	}
	if !strings.Contains(failure.Message, "--hosts") {
		t.Errorf("next is %q", failure.Next)
	}
	_, err = Find("", "", top, "")
	if got := badInput(t, err).Message; strings.Contains(got, ".config") {
		t.Errorf("looked below no home: %s", got)
	}
}

func TestFindWhatWasNamed(t *testing.T) {
	top := t.TempDir()
	_, err := Find(filepath.Join(top, "none.toml"), "", top, "")
	if got := badInput(t, err).Message; !strings.Contains(got, "none.toml, which --hosts names: no such file") {
		t.Errorf("got %q", got)
	}
	_, err = Find("", top, top, "")
	if got := badInput(t, err).Message; !strings.Contains(got, "which $RPCTL_HOSTS names: is a folder") {
		t.Errorf("got %q", got)
	}
}

// Who may write into a folder above may not choose what runs here.
func TestFindRefusesWhatOthersOwn(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file away")
	}
	top := t.TempDir()
	planted := filepath.Join(top, FileName)
	if err := os.WriteFile(planted, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(planted, 12345, 12345); err != nil {
		t.Fatal(err)
	}
	_, err := Find("", "", filepath.Join(top, "project"), "")
	failure := badInput(t, err)
	if !strings.Contains(failure.Message, "belongs to uid 12345, not to you") || failure.Next == "" {
		t.Errorf("got %q, next %q", failure.Message, failure.Next)
	}
	if got, err := Find(planted, "", top, ""); err != nil || got != planted {
		t.Errorf("named, it is refused: %s, %v", got, err)
	}
}
