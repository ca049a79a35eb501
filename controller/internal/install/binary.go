package install

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/controller/internal/upload"
)

// Binaries finds the rp-agent for a host's architecture: the one named, or one
// beside rpctl itself (`rp-agent-linux-amd64`, or plain `rp-agent`).
type Binaries struct {
	Named string // --binary; empty to look beside Rpctl
	Rpctl string // path of this program
	// Releasers is the file of the keys whose signature an rp-agent needs (OpenSSH's allowed_signers, namespace
	// release@rpctl). Empty, or a file that is not there, asks for none.
	Releasers string
}

// Binary is an rp-agent to be installed.
type Binary struct {
	Path   string // on this machine
	Data   []byte
	SHA256 string // hex
	// Releaser signed it; empty where no signature was asked for.
	Releaser string
}

// machines are the architectures that rp-agent is built for, by what `uname -m` says.
var machines = map[string]struct {
	arch    string
	machine elf.Machine
}{
	"x86_64":  {"amd64", elf.EM_X86_64},
	"aarch64": {"arm64", elf.EM_AARCH64},
}

// For reads the binary for a host and checks that it is one: a static Linux
// program of the host's architecture.
func (b Binaries) For(uname string) (Binary, error) {
	wanted, ok := machines[uname]
	if !ok {
		return Binary{}, &exit.Error{Code: exit.HostFailed, Message: fmt.Sprintf("there is no rp-agent for a host of architecture %q", uname)}
	}
	paths := []string{b.Named}
	if b.Named == "" {
		beside := filepath.Dir(b.Rpctl)
		paths = []string{filepath.Join(beside, "rp-agent-linux-"+wanted.arch), filepath.Join(beside, "rp-agent")}
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) && b.Named == "" {
			continue
		}
		if err == nil {
			err = checkELF(data, wanted.machine)
		}
		if err != nil {
			return Binary{}, &exit.Error{Code: exit.BadInput, Err: err, Message: fmt.Sprintf("cannot use %s: %v; --binary bin/rp-agent-linux-%s names another", path, err, wanted.arch),
				Next: "make cross"}
		}
		who, err := b.releaser(path, data)
		if err != nil {
			return Binary{}, err
		}
		return Binary{Path: path, Data: data, SHA256: upload.Sum(data), Releaser: who}, nil
	}
	return Binary{}, &exit.Error{Code: exit.BadInput, Message: "there is no rp-agent for " + wanted.arch + " beside rpctl: looked for " + paths[0] + " and " + paths[1] + "; --binary names one",
		Next: "make build"}
}

// checkELF refuses what could not run on the host, before anything is sent there.
func checkELF(data []byte, machine elf.Machine) error {
	file, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		return errors.New("it is no Linux program, or a truncated one")
	}
	defer func() { _ = file.Close() }()
	if file.Machine != machine {
		return fmt.Errorf("it is for %v, the host is %v", file.Machine, machine)
	}
	for _, part := range file.Progs {
		if part.Type == elf.PT_INTERP {
			return errors.New("it is not static: build it with CGO_ENABLED=0")
		}
		if part.Off+part.Filesz > uint64(len(data)) {
			return errors.New("it is truncated")
		}
	}
	return nil
}
