package jobengine

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/re-connect/rpctl/agent/internal/jobs/console"
	"github.com/re-connect/rpctl/agent/internal/jobs/enginetest"
	"github.com/re-connect/rpctl/lab/filewatch"
	"github.com/re-connect/rpctl/proto"
)

func TestConformance(t *testing.T) {
	enginetest.Run(t, func(t *testing.T) enginetest.Host {
		dir := t.TempDir()
		folders := console.FoldersIn(dir)
		for _, folder := range []string{folders.Specs, folders.Output, folders.Ends} {
			if err := os.Mkdir(folder, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		command := func(id console.ID) ([]string, string, []string, error) {
			return []string{"/bin/sh", filepath.Join(dir, string(id)+".sh")}, dir, []string{"PATH=/usr/bin:/bin"}, nil
		}
		e := New(Options{Folders: folders, Command: command, Run: func(ctx context.Context, id proto.JobID) error {
			file, err := os.OpenFile(filepath.Join(dir, string(id)+".runs"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
			if err != nil {
				return err
			}
			defer file.Close()
			if _, err := file.WriteString("run\n"); err != nil {
				return err
			}
			return filewatch.Wait(ctx, dir, func() bool {
				_, err := os.Stat(filepath.Join(dir, string(id)+".done"))
				return err == nil
			})
		}})
		t.Cleanup(func() { _ = e.Close() })
		return enginetest.Host{Engine: e, Folders: folders, Scripts: dir}
	})
}

// TestCommandsThatCannotRun have an end, as systemd records one.
func TestCommandsThatCannotRun(t *testing.T) {
	dir := t.TempDir()
	folders := console.FoldersIn(dir)
	for _, folder := range []string{folders.Specs, folders.Output, folders.Ends} {
		if err := os.Mkdir(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	argv, failure := []string{filepath.Join(dir, "none")}, error(nil)
	e := New(Options{Folders: folders, Command: func(console.ID) ([]string, string, []string, error) { return argv, dir, nil, failure }})
	t.Cleanup(func() { _ = e.Close() })
	for i, want := range []string{"203", "78"} {
		id := console.NewID("testjob00", i)
		if err := e.StartConsole(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		if end, ok, err := folders.ReadEnd(id); !ok || err != nil || end.Status != want {
			t.Errorf("%+v, %v, %v", end, ok, err)
		}
		failure = os.ErrPermission
	}
}
