package systemd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/godbus/dbus/v5"

	"github.com/re-connect/rpctl/proto"
)

// Expected is the enabled instances and the loaded ones that are not inactive.
func (m *Manager) Expected(ctx context.Context, pattern proto.UnitPattern) ([]string, error) {
	if err := pattern.Check(); err != nil {
		return nil, err
	}
	found := map[string]bool{}
	if err := m.loaded(ctx, pattern, found); err != nil {
		return nil, fmt.Errorf("cannot list the units of %s: %w", pattern, Explain(err))
	}
	folders, err := m.searchPath(ctx)
	if err != nil {
		return nil, fmt.Errorf("cannot learn where systemd looks for units: %w", Explain(err))
	}
	if err := enabled(folders, pattern, found); err != nil {
		return nil, fmt.Errorf("cannot list the enabled units of %s: %w", pattern, err)
	}
	return slices.Sorted(maps.Keys(found)), nil
}

// listed is one row of ListUnitsByPatterns, a(ssssssouso).
type listed struct {
	Name, Description, Load, Active, Sub, Follows string
	Path                                          dbus.ObjectPath
	JobID                                         uint32
	JobType                                       string
	JobPath                                       dbus.ObjectPath
}

func (m *Manager) loaded(ctx context.Context, pattern proto.UnitPattern, into map[string]bool) error {
	var rows []listed
	call := m.call(ctx, "ListUnitsByPatterns", []string{}, []string{string(pattern)})
	if err := call.Store(&rows); err != nil {
		return err
	}
	for _, row := range rows {
		if row.Active != "inactive" && pattern.Match(row.Name) {
			into[row.Name] = true
		}
	}
	return nil
}

// searchPath asks systemd itself: the folders differ between releases.
func (m *Manager) searchPath(ctx context.Context) ([]string, error) {
	var answer dbus.Variant
	call := m.bus.conn.Object(destination, managerPath).
		CallWithContext(ctx, propertyFace+".Get", 0, managerFace, "UnitPath")
	if err := call.Store(&answer); err != nil {
		return nil, err
	}
	folders, ok := answer.Value().([]string)
	if !ok || len(folders) == 0 {
		return nil, errors.New("systemd names no folder")
	}
	return folders, nil
}

// enabled collects the links in *.wants and *.requires that match. As systemd reads them,
// the first folder wins, and a link to /dev/null there takes away those behind it.
func enabled(folders []string, pattern proto.UnitPattern, into map[string]bool) error {
	decided := map[string]bool{}
	for _, folder := range folders {
		holders, err := readDir(folder)
		if err != nil {
			return err
		}
		for _, holder := range holders {
			if !strings.HasSuffix(holder, ".wants") && !strings.HasSuffix(holder, ".requires") {
				continue
			}
			if err := enabledBy(folder, holder, pattern, decided, into); err != nil {
				return err
			}
		}
	}
	return nil
}

func enabledBy(folder, holder string, pattern proto.UnitPattern, decided, into map[string]bool) error {
	names, err := readDir(filepath.Join(folder, holder))
	if err != nil {
		return err
	}
	for _, name := range names {
		key := holder + "/" + name
		if !pattern.Match(name) || decided[key] {
			continue
		}
		target, err := os.Readlink(filepath.Join(folder, key))
		if err != nil {
			continue // systemd passes over what is no link
		}
		decided[key] = true
		if target != os.DevNull {
			into[name] = true
		}
	}
	return nil
}

// readDir is the names in a folder; none when there is no such folder (much of the search
// path). A folder that may not be read is an error: an instance could be overlooked.
func readDir(folder string) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, nil
}
