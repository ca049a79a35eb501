package inprocess

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/re-connect/rpctl/lab/app"
)

// appName is what this program is called when it plays the application.
const appName = "app"

// RunApp does not return in a process that was started as the application of a lab; elsewhere
// it does nothing. A program or a TestMain that starts labs begins with it.
func RunApp() {
	if filepath.Base(os.Args[0]) == appName {
		// Not os.Exit: under the race detector it waits a second, and this process is one of hundreds.
		syscall.Exit(app.Main(os.Args[1:], os.Stdout))
	}
}

// linkApp makes this program the application, where Options names no other.
func (l *Lab) linkApp(context.Context) error {
	if l.options.App != "" {
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("cannot find this program: %w", err)
	}
	l.options.App = l.path("bin", appName)
	if err := os.MkdirAll(l.path("bin"), 0o755); err != nil {
		return err
	}
	return os.Symlink(self, l.options.App)
}
