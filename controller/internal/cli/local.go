package cli

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/re-connect/rpctl/controller/internal/deploy"
	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/controller/internal/health"
	"github.com/re-connect/rpctl/controller/internal/inventory"
	"github.com/re-connect/rpctl/controller/internal/local"
)

// local gives the steps this machine's work tree and commands.
func (a *app) local(world *deploy.World) {
	root := treeRoot(a.Dir)
	world.Tree = workTree{&local.Tree{Dir: root, Stdin: a.Stdin, Output: output{a, "stderr"}, Hurry: a.hurry}}
	world.Look = func(argv []string) error { return look(root, argv) }
	world.Run = func(ctx context.Context, argv []string, print func(string, []byte)) error {
		return local.Run(ctx, argv, local.Options{
			Dir: root, Stdin: a.Stdin, Hurry: a.hurry,
			Stdout: stream{print, "stdout"}, Stderr: stream{print, "stderr"},
		})
	}
	world.Healthy = healthOf
}

// healthOf asks the application's URL; what it says may come from anywhere, so it is only quoted.
func healthOf(ctx context.Context, wanted inventory.Health, revision string) (string, error) {
	result := health.Check(ctx, wanted, revision, health.Options{})
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if !result.OK {
		return "", &exit.Error{
			Code: exit.Failed, Message: "the application is not healthy: " + result.Detail, Next: "curl -i " + wanted.URL,
		}
	}
	return result.Detail, nil
}

// workTree is a local.Tree as the steps want it.
type workTree struct{ *local.Tree }

func (w workTree) Check(ctx context.Context, branch string) error {
	_, err := w.Tree.Check(ctx, branch)
	return err
}

func (w workTree) Update(ctx context.Context, branch string) error {
	_, err := w.Tree.Update(ctx, branch)
	return err
}

// treeRoot is the folder with .git at or above dir, where the deploy command
// finds its Makefile; dir itself where there is none.
func treeRoot(dir string) string {
	for folder := filepath.Clean(dir); ; folder = filepath.Dir(folder) {
		if inTree(folder) {
			return folder
		}
		if folder == filepath.Dir(folder) {
			return dir
		}
	}
}

// inTree says whether a folder is the root of a work tree.
func inTree(root string) bool {
	_, err := os.Lstat(filepath.Join(root, ".git"))
	return err == nil
}

// look refuses a command that is not there, before anything is touched.
func look(dir string, argv []string) error {
	path := argv[0]
	if strings.Contains(path, "/") && !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	if _, err := exec.LookPath(path); err != nil {
		if path != argv[0] && !inTree(dir) {
			return &exit.Error{
				Code: exit.Refused, Err: err, Next: "git status",
				Message: "cannot run `" + strings.Join(argv, " ") + "`: " + dir + " is in no git work tree: go to the project's work tree; nothing was touched",
			}
		}
		return &exit.Error{
			Code: exit.LocalFailed, Err: err,
			Message: "cannot run `" + strings.Join(argv, " ") + "`: " + argv[0] + " is not there or may not be executed: install it, or correct the command in hosts.toml; nothing was touched",
		}
	}
	return nil
}

// stream passes on what a command writes to one of its two outputs.
type stream struct {
	print func(stream string, chunk []byte)
	name  string
}

func (s stream) Write(p []byte) (int, error) {
	s.print(s.name, p)
	return len(p), nil
}

// output shows what git prints.
type output struct {
	app  *app
	name string
}

func (o output) Write(p []byte) (int, error) {
	o.app.emit(event.Event{Kind: event.Output, Stream: o.name, Text: string(p)})
	return len(p), nil
}
