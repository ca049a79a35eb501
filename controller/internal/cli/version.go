package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/proto"
)

// release is the version of a release build: -ldflags "-X …/controller/internal/cli.release=v1.2.3".
var release string

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Say which rpctl this is", Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			build := event.Build{
				Rpctl: version(), Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, Protocol: proto.Speaks(),
			}
			if a.flags.json {
				a.emit(event.Event{Kind: event.Version, Version: &build})
				return nil
			}
			_, err := fmt.Fprintf(a.Stdout, "rpctl %s (%s, %s), protocol %d to %d\n",
				build.Rpctl, build.Go, build.Platform, build.Protocol.Min, build.Protocol.Max)
			return err
		},
	}
}

// version is the release's, else the module's, else what the work tree was.
func version() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" && len(setting.Value) >= 12 {
			return "devel-" + setting.Value[:12]
		}
	}
	return "devel"
}
