// Package tool holds tests of what stands beside the code: the Makefile and .ci.
package tool

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// hostileTags are names that git takes for a tag and that a shell, make or `go build` could run or take apart.
var hostileTags = []string{
	"v1$(touch${IFS}pwned)", "v1`touch${IFS}pwned`", "v1'$(touch${IFS}pwned)'", "v1'\"$(touch${IFS}pwned)\"'", "v1';touch${IFS}pwned;'", "v1\";touch${IFS}pwned;\"",
	"v1;touch${IFS}pwned", "v1|touch${IFS}pwned", "v1&touch${IFS}pwned", "v1$$(touch${IFS}pwned)", "v1$(shell{touch,pwned})", "v1${shell}", "v1#x", "v1!x", "v1-X=x",
}

// fakeGo notes its arguments, one a line, and makes what -o names: a program that does nothing.
const fakeGo = `#!/bin/sh
printf '%s\n' "$@" >>"$NOTES"
while [ $# -gt 1 ]; do
	if [ "$1" = -o ]; then mkdir -p "$(dirname "$2")"; printf '#!/bin/sh\n' >"$2"; chmod +x "$2"; fi
	shift
done
`

// TestMakeRunsNoTag: the name of a tag is the version of what is built, and nothing else, in every target that builds.
func TestMakeRunsNoTag(t *testing.T) {
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	write(t, filepath.Join(bin, "go"), fakeGo, 0o755)
	for _, tag := range hostileTags {
		t.Run(tag, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, filepath.Join(dir, "Makefile"), string(makefile), 0o644)
			notes := filepath.Join(t.TempDir(), "notes")
			// VERSION= : `make test` exports the version of this build to its tests.
			env := append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "NOTES="+notes, "MAKEFLAGS=", "VERSION=", "GIT_CONFIG_GLOBAL="+os.DevNull,
				"GIT_AUTHOR_NAME=t", "GIT_AUTHOR_EMAIL=t@t.invalid", "GIT_COMMITTER_NAME=t", "GIT_COMMITTER_EMAIL=t@t.invalid")
			for _, args := range [][]string{
				{"git", "init", "-q"}, {"git", "add", "Makefile"}, {"git", "commit", "-q", "-m", "first"}, {"git", "tag", tag},
				{"make", "lab-prepare=", "build", "cross", "demo", "chaos", "chaos-real", "build-next"},
			} {
				command := exec.CommandContext(t.Context(), args[0], args[1:]...)
				command.Dir, command.Env = dir, env
				if out, err := command.CombinedOutput(); err != nil {
					t.Fatalf("%v: %v\n%s", args, err, out)
				}
			}
			if _, err := os.Stat(filepath.Join(dir, "pwned")); !errors.Is(err, os.ErrNotExist) {
				t.Error("the tag's name was executed")
			}
			told, err := os.ReadFile(notes)
			if err != nil {
				t.Fatal(err)
			}
			flags := "\n-ldflags\n-s -w -X github.com/re-connect/rpctl/internal/version.Version=" + tag
			if plain, next := strings.Count(string(told), flags+"\n"), strings.Count(string(told), flags+"-next\n"); plain < 9 || next < 1 {
				t.Errorf("%d builds of the tag and %d of the next one:\n%s", plain, next, told)
			}
		})
	}
}

// TestMakeNeverExpandsVersion: what make expands itself, make and the shell read.
func TestMakeNeverExpandsVersion(t *testing.T) {
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	if found := regexp.MustCompile(`\$[({]VERSION[)}]`).FindAllString(string(makefile), -1); found != nil {
		t.Errorf("the Makefile has %q: write $$VERSION", found)
	}
}

// TestUncheckedVulnerabilities: a database that cannot be reached is a line for the end of the run, or an error.
func TestUncheckedVulnerabilities(t *testing.T) {
	if _, err := exec.LookPath("timeout"); err != nil {
		t.Skip("there is no timeout(1) here")
	}
	bin := t.TempDir()
	write(t, filepath.Join(bin, "make"), "#!/bin/sh\necho \"make $*\"\n", 0o755)
	for name, c := range map[string]struct {
		env            []string
		fails          bool
		stdout, stderr string
	}{
		"elsewhere":       {nil, false, "NOT CHECKED: known vulnerabilities (127.0.0.1:1 cannot be reached); next: make vuln", ""},
		"expected":        {[]string{"CI_NETWORK=none"}, false, "NOT CHECKED: known vulnerabilities (CI_NETWORK=none); next: make vuln", ""},
		"network":         {[]string{"CI_NETWORK=full"}, true, "", "127.0.0.1:1 cannot be reached"},
		"GitHub":          {[]string{"GITHUB_ACTIONS=true"}, true, "", "127.0.0.1:1 cannot be reached"},
		"GitLab, no way":  {[]string{"GITLAB_CI=true", "CI_NETWORK=none"}, false, "NOT CHECKED", ""},
		"through a proxy": {[]string{"HTTPS_PROXY=http://127.0.0.1:1"}, false, "", "make vuln"},
	} {
		t.Run(name, func(t *testing.T) {
			command := exec.CommandContext(t.Context(), "../../.ci/vulnerabilities")
			command.Env = append([]string{"PATH=" + bin + ":" + os.Getenv("PATH"), "VULN_DATABASE=127.0.0.1:1"}, c.env...)
			var stdout, stderr strings.Builder
			command.Stdout, command.Stderr = &stdout, &stderr
			err := command.Run()
			if (err != nil) != c.fails || !strings.Contains(stdout.String(), c.stdout) || !strings.Contains(stderr.String(), c.stderr) || c.stdout == "" && stdout.Len() > 0 {
				t.Errorf("%v\nstdout: %s\nstderr: %s", err, &stdout, &stderr)
			}
		})
	}
}

func write(t *testing.T, name, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}
