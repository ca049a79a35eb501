package doctor

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/re-connect/rpctl/agent/internal/units"
	"github.com/re-connect/rpctl/proto"
)

// The oldest versions that the units and the rule were tried with: Debian 12.
const (
	oldestSystemd = 252
	// oldestPolkit is the first with rules in JavaScript (0.106); since 121 it counts without a dot.
	oldestPolkit = 106
)

func (e *examination) systemdVersion(ctx context.Context) (string, error) {
	manager, err := e.connected(ctx)
	if err != nil {
		return "", err
	}
	version, err := manager.Version(ctx)
	if err != nil {
		return "", err
	}
	if number := leading(version); number < oldestSystemd {
		return "", wrong(proto.Advice{}, "version %s: the units were made for %d and newer: upgrade the host to Debian 12 or newer", version, oldestSystemd)
	}
	return "version " + version, nil
}

func (e *examination) polkitVersion(ctx context.Context) (string, error) {
	manager, err := e.connected(ctx)
	if err != nil {
		return "", err
	}
	version, err := manager.PolkitVersion(ctx)
	if err != nil {
		return "", wrong(proto.Advice{Code: proto.AdvicePolkit}, "polkit does not answer: nothing can be restarted (%v)", err)
	}
	if polkitNumber(version) < oldestPolkit {
		return "", wrong(proto.Advice{}, "version %s knows no rules in JavaScript, so that rp-agent cannot restart here: upgrade the host, or restart by a sudoers file that names each command exactly", version)
	}
	return "version " + version, nil
}

// polkitNumber is 105 of 0.105 and 122 of 122.
func polkitNumber(version string) int { return leading(strings.TrimPrefix(version, "0.")) }

func leading(version string) int {
	end := strings.IndexFunc(version, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(version)
	}
	number, err := strconv.Atoi(version[:end])
	if err != nil {
		return 0
	}
	return number
}

// The probes' units: the first is no unit at all, the others are instances that nobody starts.
const (
	notOurs       = "rp-agent-doctor.service"
	probeInstance = "rp-agent-doctor"
	probeJob      = "rp-agent-run@rpagentdoctor.service"
)

// polkitRule asks for what must be allowed and for what must not. ResetFailedUnit of a real worker
// would do too, but would set its count of restarts to 0: stopping what does not run changes nothing.
func (e *examination) polkitRule(ctx context.Context) (string, error) {
	manager, err := e.connected(ctx)
	if err != nil {
		return "", err
	}
	switch err := manager.ProbeStart(ctx, notOurs); {
	case err == nil:
		return "", wrong(proto.Advice{Code: proto.AdvicePolkitRules}, "rp-agent may start a unit that is not ours: a rule lets it start any, and must go")
	case errors.Is(err, units.ErrNoRule):
		return "", wrong(reinstall, "no rule speaks of rp-agent: 60-rp-agent.rules is missing or broken (sudo journalctl -u polkit)")
	case !errors.Is(err, units.ErrRefused):
		return "", err
	}
	probed, err := e.allowedProbes(ctx, manager)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("allows what it must (%s), refuses a unit that is not ours", strings.Join(probed, ", ")), nil
}

func (e *examination) allowedProbes(ctx context.Context, manager Manager) ([]string, error) {
	if err := allowed(ctx, manager, probeJob); err != nil {
		return nil, err
	}
	probed := []string{"rp-agent-run@"}
	for _, pattern := range e.cfg.Workers {
		name, starred := strings.CutSuffix(string(pattern), "@*.service")
		if !starred {
			continue // a plain service cannot be asked about without touching it
		}
		if err := allowed(ctx, manager, name+"@"+probeInstance+".service"); err != nil {
			return nil, err
		}
		probed = append(probed, name+"@")
	}
	return probed, nil
}

func allowed(ctx context.Context, manager Manager, unit string) error {
	err := manager.ProbeStop(ctx, unit)
	if errors.Is(err, units.ErrRefused) {
		return wrong(reinstall, "the rule does not allow what agent.toml lists: stopping %s is refused; its unit must be on this host before the install", unit)
	}
	return err
}

// workers checks that every pattern stands for something here.
func (e *examination) workers(ctx context.Context) (string, error) {
	manager, err := e.connected(ctx)
	if err != nil {
		return "", err
	}
	cfg, err := e.configured()
	if err != nil {
		return "", err
	}
	var counts []string
	var empty []proto.UnitPattern
	for _, pattern := range cfg.Workers {
		expected, err := manager.Expected(ctx, pattern)
		if err != nil {
			return "", err
		}
		if len(expected) == 0 {
			empty = append(empty, pattern)
		}
		for _, unit := range expected {
			if err := e.applicationsOwn(ctx, manager, cfg, unit); err != nil {
				return "", err
			}
		}
		counts = append(counts, fmt.Sprintf("%d of %s", len(expected), pattern))
	}
	if len(empty) > 0 {
		first := strings.Replace(string(empty[0]), "@*", "@1", 1)
		return "", wrong(proto.Advice{Code: proto.AdviceEnable, Unit: proto.UnitPattern(first)}, "no instance is enabled or running for %v: a restart would be refused", empty)
	}
	return strings.Join(counts, ", "), nil
}
