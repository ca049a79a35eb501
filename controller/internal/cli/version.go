package cli

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/internal/version"
	"github.com/re-connect/rpctl/proto"
)

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Say which rpctl this is", Args: a.noArgs,
		RunE: func(*cobra.Command, []string) error {
			build := event.Build{
				Rpctl: version.String(), Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, Protocol: proto.Speaks(),
			}
			if a.flags.json {
				a.emit(event.Event{Kind: event.Version, Version: &build})
				return nil
			}
			a.print(fmt.Sprintf("rpctl %s (%s, %s), protocol %d to %d\n",
				build.Rpctl, build.Go, build.Platform, build.Protocol.Min, build.Protocol.Max))
			return nil
		},
	}
}
