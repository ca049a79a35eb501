// Package config reads /etc/rp-agent/agent.toml: which environment this host
// is, which application it runs, which units may be restarted and by whom. The
// file is believed only when nobody but root can have written it.
package config

import (
	"errors"
	"io/fs"
	"strings"
	"time"

	"github.com/re-connect/rpctl/internal/stricttoml"
	"github.com/re-connect/rpctl/proto"
)

// Version is the version of the file's format that this agent reads and writes.
const Version = 1

// install writes the host's files anew. It needs no word of the agent, whose greeting ends with the refusal
// of its configuration: `rp-agent doctor` would say the same again.
var install = proto.Advice{Code: proto.AdviceInstall}

// file is agent.toml as it is written.
type file struct {
	Version     int         `toml:"version"`
	Environment string      `toml:"environment"`
	Application application `toml:"application"`
	Workers     workers     `toml:"workers"`
	Access      access      `toml:"access"`
	Console     *console    `toml:"console"`
}

type application struct {
	Path string `toml:"path"`
	User string `toml:"user"`
}

type workers struct {
	Units []string `toml:"units"`
}

type access struct {
	Look []string `toml:"look"`
	Act  []string `toml:"act"`
}

// console is proto.Console. Every rule is spelled out: a gate must not hang on a default that one forgets.
type console struct {
	PHP             string `toml:"php"`
	Script          string `toml:"script"`
	After           string `toml:"after"`
	SelfApproval    bool   `toml:"self_approval"`
	BreakGlass      bool   `toml:"break_glass"`
	RequireSK       bool   `toml:"require_sk"` // files of before it had a name do without
	Tolerance       int64  `toml:"tolerance"`
	SimulationHours int    `toml:"simulation_hours"`
	ApprovalDays    int    `toml:"approval_days"` // files of before it had a name do without
	ReceiptDays     int    `toml:"receipt_days"`  // so do these
}

// Load reads the host's own file. Every error is a *proto.Error of code
// config: the file is missing, may not be believed (it or a folder above it
// belongs to another than root, can be written by others, or is a link), or
// says something that is not understood.
func Load(path string) (proto.HostConfig, error) {
	return load(path, root)
}

func load(path string, by trust) (proto.HostConfig, error) {
	data, err := by.read(path)
	var doubt *doubtError
	switch {
	case errors.As(err, &doubt):
		return proto.HostConfig{}, refuse("may not be believed: "+doubt.why, doubt.fix)
	case errors.Is(err, fs.ErrNotExist):
		return proto.HostConfig{}, refuse(path+" is not there", install)
	case err != nil:
		return proto.HostConfig{}, refuse(err.Error(), install)
	}
	return Parse(path, data)
}

// Parse reads data as the content of the file path, without asking who wrote it.
// The error is a *proto.Error of code config with every problem and its line.
func Parse(path string, data []byte) (proto.HostConfig, error) {
	var f file
	doc, err := stricttoml.Decode(path, data, &f)
	if doc == nil {
		return proto.HostConfig{}, broken(err)
	}
	f.check(doc)
	if err := doc.Err(); err != nil {
		return proto.HostConfig{}, broken(err)
	}
	config := proto.HostConfig{
		Environment: f.Environment,
		Application: proto.Application(f.Application),
		Look:        proto.Groups(f.Access.Look),
		Act:         proto.Groups(f.Access.Act),
	}
	for _, unit := range f.Workers.Units {
		config.Workers = append(config.Workers, proto.UnitPattern(unit))
	}
	if f.Console != nil {
		rules := proto.Console(*f.Console)
		rules.ApprovalDays = int(rules.ApprovalLife() / (24 * time.Hour))
		rules.ReceiptDays = int(rules.ReceiptLife() / (24 * time.Hour))
		config.Console = &rules
	}
	return config, nil
}

// broken has all problems on one line: the message crosses to a controller, which lets no host
// write several.
func broken(err error) error {
	return refuse("it is not understood: "+strings.ReplaceAll(err.Error(), "\n", "; "), proto.Advice{Code: proto.AdviceDiff})
}

func refuse(why string, next proto.Advice) error {
	return &proto.Error{Code: proto.CodeConfig, Message: proto.Textf("cannot use this host's configuration: %s", why), Advice: next}
}
