package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/proto"
)

// The flags that stand for the environment's typed name where nobody can type it.
const (
	allowLoosening = "allow-loosening"
	allowDowngrade = "allow-downgrade"
)

// effects is what an install does to a host's rules and to its agent, beyond what a yes confirms.
type effects struct{ loosens, downgrades bool }

// effectsOf reads a host's own report. An rp-agent that does not classify its changes is older than this rpctl, and
// what it would loosen is not known: both are then assumed.
func effectsOf(report proto.SetupReport) effects {
	has := func(effect proto.SetupEffect) bool {
		return slices.ContainsFunc(report.Changes, func(change proto.SetupChange) bool {
			return slices.ContainsFunc(change.Differences, func(d proto.SetupDifference) bool { return d.Effect == effect })
		})
	}
	unknown := len(report.Changes) > 0 && !report.Classified
	return effects{loosens: unknown || has(proto.EffectLoosens), downgrades: unknown || has(proto.EffectDowngrades)}
}

// beyond is the effects that the flags of the command line do not allow.
func (i *installation) beyond(all effects) effects {
	return effects{loosens: all.loosens && !i.allowLoosening, downgrades: all.downgrades && !i.allowDowngrade}
}

func (e effects) any() bool { return e.loosens || e.downgrades }

// flags are those that allow the effects.
func (e effects) flags() []string {
	var all []string
	if e.loosens {
		all = append(all, "--"+allowLoosening)
	}
	if e.downgrades {
		all = append(all, "--"+allowDowngrade)
	}
	return all
}

// String says what the effects are, after the name of a host.
func (e effects) String() string {
	var all []string
	if e.loosens {
		all = append(all, "loosens what is enforced there")
	}
	if e.downgrades {
		all = append(all, "puts an older rp-agent in the place of a newer one")
	}
	return strings.Join(all, " and ")
}

// agreed shows what would change and asks; false when there is nothing to do. --yes alone confirms neither a looser rule
// nor an older agent.
func (i *installation) agreed(ctx context.Context, host string, report proto.SetupReport) (bool, error) {
	i.show(host, report)
	var all effects
	if !i.removing {
		all = effectsOf(report)
	}
	beyond := i.beyond(all)
	switch {
	case len(report.Changes) == 0 || i.dryRun:
		return false, nil
	case i.yes && !beyond.any():
		return true, nil
	case !i.app.Asks:
		return false, i.unasked(host, beyond)
	case all.any():
		return i.typed(ctx, host, fmt.Sprintf("this %s: type %s to change %s: ", all, i.env, safe(host)), i.env)
	}
	return i.typed(ctx, host, fmt.Sprintf("change %s? type yes: ", safe(host)), "yes")
}

// unasked is the refusal where nobody can be asked. What goes beyond a yes is to be looked at first, so the command to
// type next does not allow it.
func (i *installation) unasked(host string, beyond effects) error {
	if !beyond.any() {
		return &exit.Error{Code: exit.Refused, Host: host, Message: "cannot ask whether to change the host: there is no terminal",
			Next: i.app.confirmed()}
	}
	return &exit.Error{Code: exit.Refused, Host: host, Next: i.verb("diff"),
		Message: fmt.Sprintf("cannot ask for the environment's name, and the change needs more than a yes, because it %s: there is no terminal; %s beside the yes confirms it",
			beyond, strings.Join(beyond.flags(), " "))}
}

func (i *installation) typed(ctx context.Context, host, question, wanted string) (bool, error) {
	answer, err := i.app.confirm(ctx, question)
	if err == nil && strings.TrimSpace(answer) != wanted {
		err = &exit.Error{Code: exit.Refused, Host: host, Message: "not confirmed; nothing was changed"}
	}
	return err == nil, err
}
