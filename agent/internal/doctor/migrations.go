package doctor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/re-connect/rpctl/agent/internal/config"
	"github.com/re-connect/rpctl/internal/signature"
	"github.com/re-connect/rpctl/proto"
)

// migrations looks at what a plan needs beside the console: PHP, and the files of accepted keys.
func (e *examination) migrations(context.Context) (string, error) {
	cfg, err := e.configured()
	if err != nil {
		return "", err
	}
	if cfg.Console == nil {
		return "", &skip{"this host runs no console commands: agent.toml has no [console]"}
	}
	installed, err := e.installed()
	if err != nil {
		return "", err
	}
	info, err := os.Stat(filepath.Join(installed.Root, cfg.Console.PHP))
	if err != nil || !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
		return "", wrong(proto.Advice{Code: proto.AdviceFindPHP}, "%s is no program on this host: write the path of PHP into hosts.toml ([environments.%s.console] php), then rpctl agent upgrade --env %s",
			cfg.Console.PHP, cfg.Environment, cfg.Environment)
	}
	people, err := count(installed.Signers, config.ApproversPath)
	if err != nil {
		return "", err
	}
	hosts, err := count(installed.Hosts, config.TrustedHostsPath)
	if err != nil {
		return "", err
	}
	switch {
	case cfg.Console.After != "" && hosts == 0:
		return "", wrong(reinstall, "no host is trusted, so no receipt of %s counts here", cfg.Console.After)
	case people == 0: // nothing is broken, but no plan will pass
		return "", &skip{"nobody's key is accepted yet, so no plan can be approved here: name a file of keys in hosts.toml ([environments." +
			cfg.Environment + ".console] approvers), then rpctl agent upgrade --env " + cfg.Environment}
	}
	return fmt.Sprintf("%s is there; keys of %d people and %d hosts are accepted", cfg.Console.PHP, people, hosts), nil
}

// count counts the keys of a file, as a gate reads it.
func count(read func(path string) (signature.Signers, error), path string) (int, error) {
	all, err := read(path)
	if err != nil {
		return 0, wrong(reinstall, "%s", err)
	}
	return len(all), nil
}
