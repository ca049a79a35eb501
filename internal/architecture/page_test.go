package architecture

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestPage: each package that a newcomer meets has its row in ARCHITECTURE.md, and each row its package.
func TestPage(t *testing.T) {
	page, err := os.ReadFile("../../ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	_, folders, _ := strings.Cut(string(page), "\n## What each folder is for\n")
	folders, agent, _ := strings.Cut(folders, "\n## The agent\n")
	agent, controller, _ := strings.Cut(agent, "\n## The controller\n")
	for _, part := range []struct{ folder, text, row string }{
		{"internal", folders, "`internal/%/`"},
		{"agent/internal", agent, "`%`"},
		{"controller/internal", controller, "`%`"},
	} {
		here, err := os.ReadDir(filepath.Join("../..", part.folder))
		if err != nil {
			t.Fatal(err)
		}
		there := map[string]bool{}
		for _, entry := range here {
			there[entry.Name()] = true
			if row := "\n| " + strings.ReplaceAll(part.row, "%", entry.Name()) + " |"; !strings.Contains(part.text, row) {
				t.Errorf("%s/%s has no row", part.folder, entry.Name())
			}
		}
		row := regexp.MustCompile(`(?m)^\| ` + strings.ReplaceAll(part.row, "%", `([a-z]+)`) + ` \|`)
		for _, found := range row.FindAllStringSubmatch(part.text, -1) {
			if !there[found[1]] {
				t.Errorf("there is no %s/%s, and it has a row", part.folder, found[1])
			}
		}
	}
}
