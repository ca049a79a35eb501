//go:build !linux

package chaos

import "errors"

// volume is a file system of its own for the host's state, on Linux only.
type volume struct{ path string }

func mount(string) (volume, error) { return volume{}, nil }

func (volume) unmount() error { return nil }

var errNoVolume = errors.New("no volume can be made on this system")

func (volume) restore() error { return errNoVolume }

func (volume) full(int) error { return errNoVolume }

func (volume) outOfInodes(int) error { return errNoVolume }

func (volume) readOnly() error { return errNoVolume }
