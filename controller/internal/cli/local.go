package cli

import (
	"context"
	"errors"

	"github.com/re-connect/rpctl/controller/internal/deploy"
	"github.com/re-connect/rpctl/controller/internal/inventory"
)

// errNoLocal stands until package local is there.
var errNoLocal = errors.New("cannot run local commands: package local is not built yet")

type noTree struct{}

func (noTree) Check(context.Context) error              { return errNoLocal }
func (noTree) Update(context.Context, string) error     { return errNoLocal }
func (noTree) Revision(context.Context) (string, error) { return "", errNoLocal }

// local gives a deploy this machine's work tree and commands.
func (a *app) local(world *deploy.World, _ string) {
	world.Tree = noTree{}
	world.Run = func(context.Context, []string, func(string, []byte)) error { return errNoLocal }
	world.Healthy = func(context.Context, inventory.Health, string) (string, error) { return "", errNoLocal }
}
