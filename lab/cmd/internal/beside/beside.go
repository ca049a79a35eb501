// Package beside finds the programs that the Makefile builds into one folder.
package beside

import (
	"os"
	"path/filepath"
)

// Program is the path of a program in the folder of the one that runs; its name alone where that is not known.
func Program(name string) string {
	self, err := os.Executable()
	if err != nil {
		return name
	}
	return filepath.Join(filepath.Dir(self), name)
}
