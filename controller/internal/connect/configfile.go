package connect

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/kevinburke/ssh_config"

	"github.com/re-connect/rpctl/internal/printable"
)

// readConfigFiles reads the configuration without ssh: the user's file, then the
// machine's, or override alone. It knows no `Match exec`.
func readConfigFiles(target hop, override string) (settings, error) {
	files := []string{override}
	if override == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil, &failure{message: fmt.Sprintf("cannot find ~/.ssh/config: %v", err), err: err}
		}
		files = []string{filepath.Join(home, ".ssh", "config"), "/etc/ssh/ssh_config"}
	}
	found := settings{}
	for _, file := range files {
		err := found.readFile(file, target.host)
		if errors.Is(err, fs.ErrNotExist) && override == "" {
			continue
		}
		if err != nil {
			return nil, &failure{message: fmt.Sprintf("cannot read the ssh configuration %s: %s", file, printable.Line(err.Error())), err: err}
		}
	}
	return found, nil
}

// readFile adds what a file says of a host. What an earlier file said stays, except for
// IdentityFile, which adds up (ssh_config(5)).
func (s settings) readFile(file, host string) error {
	open, err := os.Open(file)
	if err != nil {
		return err
	}
	defer open.Close()
	config, err := ssh_config.Decode(open)
	if err != nil {
		return err
	}
	for keyword := range wantedKeywords {
		values, err := config.GetAll(host, keyword)
		if err != nil {
			return err
		}
		if len(s[keyword]) > 0 && keyword != "identityfile" {
			continue
		}
		for _, value := range values {
			if value = strings.TrimSpace(value); value != "" {
				s[keyword] = append(s[keyword], value)
			}
		}
	}
	return nil
}
