package e2e_test

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/re-connect/rpctl/controller/internal/inventory"
	"github.com/re-connect/rpctl/lab/inprocess"
)

// TestTable: README.md names every script, and none that is not there.
func TestTable(t *testing.T) {
	page, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(line, "|")
		if len(cells) != 4 {
			continue
		}
		for _, name := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(cells[2], -1) {
			named[name[1]] = true
		}
	}
	scripts, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range scripts {
		name := strings.TrimSuffix(filepath.Base(file), ".txtar")
		if !named[name] {
			t.Errorf("README.md does not say what %s shows", name)
		}
		delete(named, name)
	}
	for name := range named {
		t.Errorf("README.md names %s, and there is no such script", name)
	}
}

// TestRunbookIsTheExample: the hosts of the demo and of the scripts are those of the project's
// own hosts.toml, as far as that describes hosts.
func TestRunbookIsTheExample(t *testing.T) {
	example, err := inventory.Load("../../hosts.toml")
	if err != nil {
		t.Fatal(err)
	}
	runbook := inprocess.Runbook()
	if len(runbook) != len(example.Environments) {
		t.Fatalf("%d environments, hosts.toml has %d", len(runbook), len(example.Environments))
	}
	for i, want := range example.Environments {
		got := runbook[i]
		if got.Name != want.Name || !reflect.DeepEqual(got.Hosts, want.Hosts) || got.Branch != want.Branch ||
			!reflect.DeepEqual(got.Workers, want.Workers) || got.After != want.After || got.Confirm != want.Confirm {
			t.Errorf("the lab has %+v, hosts.toml %+v", got, want)
		}
	}
}
