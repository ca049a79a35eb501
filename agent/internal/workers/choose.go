package workers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/re-connect/rpctl/agent/internal/units"
	"github.com/re-connect/rpctl/proto"
)

// choice is something that was asked for, the host's own pattern that allows it, and
// the units that it comes to.
type choice struct {
	host, wanted proto.UnitPattern
	units        []string
}

// unit is one expected instance and the host's pattern that it belongs to.
type unit struct{ name, pattern string }

// List is the instances that ought to run, for all of the host's patterns or only some.
// A pattern without any is in the list, with none: it is Restart and Verify that refuse it.
func (s *Service) List(ctx context.Context, only []proto.UnitPattern) (proto.UnitList, error) {
	choices, err := s.expected(ctx, only)
	if err != nil {
		return proto.UnitList{}, err
	}
	list := proto.UnitList{Patterns: []proto.PatternUnits{}}
	for _, c := range choices {
		i := slices.IndexFunc(list.Patterns, func(p proto.PatternUnits) bool { return p.Pattern == c.host })
		if i < 0 {
			list.Patterns = append(list.Patterns, proto.PatternUnits{Pattern: c.host, Units: []string{}})
			i = len(list.Patterns) - 1
		}
		for _, name := range c.units {
			if !slices.Contains(list.Patterns[i].Units, name) {
				list.Patterns[i].Units = append(list.Patterns[i].Units, name)
			}
		}
	}
	return list, nil
}

// some is the units to work on, each once; nothing of what was asked for may come to no unit.
func (s *Service) some(ctx context.Context, only []proto.UnitPattern) ([]unit, error) {
	choices, err := s.expected(ctx, only)
	if err != nil {
		return nil, err
	}
	var found []unit
	for _, c := range choices {
		if len(c.units) == 0 {
			return nil, noUnits(c.wanted)
		}
		for _, name := range c.units {
			if !slices.ContainsFunc(found, func(u unit) bool { return u.name == name }) {
				found = append(found, unit{name, string(c.host)})
			}
		}
	}
	if len(found) == 0 {
		return nil, &proto.Error{Code: proto.CodeNoUnits, Message: "this host has no worker patterns: name them in hosts.toml",
			Advice: proto.Advice{Code: proto.AdviceInstall}}
	}
	return found, nil
}

// expected asks the service manager which instances the choices come to.
func (s *Service) expected(ctx context.Context, only []proto.UnitPattern) ([]choice, error) {
	choices, err := s.choose(only)
	if err != nil {
		return nil, err
	}
	for i, c := range choices {
		all, err := s.Units.Expected(ctx, c.host)
		if err != nil {
			return nil, explain(ctx, fmt.Sprintf("cannot list the instances of %s", c.host), err)
		}
		for _, name := range all {
			// The manager's answer is checked too: what is restarted is what the pattern says.
			if c.host.Match(name) && c.wanted.Match(name) {
				choices[i].units = append(choices[i].units, name)
			}
		}
	}
	return choices, nil
}

// choose finds the host's pattern for everything that is asked for; without anything, all of them.
func (s *Service) choose(only []proto.UnitPattern) ([]choice, error) {
	if len(only) > MaxUnits {
		return nil, &proto.Error{Code: proto.CodeBadRequest,
			Message: proto.Textf("more than %d patterns in one request", MaxUnits)}
	}
	if len(only) == 0 {
		only = s.Patterns
	}
	var choices []choice
	for _, wanted := range only {
		if err := wanted.Check(); err != nil {
			return nil, &proto.Error{Code: proto.CodeBadRequest, Message: proto.HostText(err.Error())}
		}
		host, err := s.allow(string(wanted))
		if err != nil {
			return nil, err
		}
		choices = append(choices, choice{host: host, wanted: wanted})
	}
	slices.SortStableFunc(choices, func(a, b choice) int {
		return slices.Index(s.Patterns, a.host) - slices.Index(s.Patterns, b.host)
	})
	return choices, nil
}

// allow is the host's pattern that name is equal to, or an instance of.
func (s *Service) allow(name string) (proto.UnitPattern, error) {
	for _, host := range s.Patterns {
		if string(host) == name || proto.UnitPattern(name).IsInstance() && host.Match(name) {
			return host, nil
		}
	}
	allowed := "none"
	if len(s.Patterns) > 0 {
		allowed = fmt.Sprintf("%q", s.Patterns)
		allowed = strings.ReplaceAll(strings.Trim(allowed, "[]"), `"`, "")
		allowed = strings.ReplaceAll(allowed, " ", ", ")
	}
	return "", &proto.Error{
		Code:    proto.CodeForbidden,
		Message: proto.Textf("%.100q is no worker of this host; its workers are: %s", name, allowed),
		Advice:  proto.Advice{Code: proto.AdviceDiff},
	}
}

func noUnits(pattern proto.UnitPattern) error {
	return &proto.Error{
		Code: proto.CodeNoUnits,
		Message: proto.Textf("%s has no instance on this host: none is enabled and none runs; an administrator enables one (systemctl enable --now %s)",
			pattern, strings.Replace(string(pattern), "*", "1", 1)),
		Advice: proto.Advice{Code: proto.AdviceHostStatus},
	}
}

// explain makes a failure of the service manager one for the caller.
func explain(ctx context.Context, what string, err error) error {
	if ctx.Err() != nil {
		return cancelled("the request")
	}
	if errors.Is(err, units.ErrNoRule) {
		return &proto.Error{Code: proto.CodePolkit, Message: proto.Textf("%s: %v", what, err), Advice: proto.Advice{Code: proto.AdviceInstall}}
	}
	if errors.Is(err, units.ErrRefused) {
		return &proto.Error{Code: proto.CodePolkit, Message: proto.Textf("%s: %v", what, err),
			Advice: proto.Advice{Code: proto.AdviceHostDoctor}}
	}
	return &proto.Error{Code: proto.CodeHost, Message: proto.Textf("%s: %v", what, err), Advice: proto.Advice{Code: proto.AdviceHostDoctor}}
}

// instance refuses a name that stands for more than one unit.
func instance(name string) error {
	if !proto.UnitPattern(name).IsInstance() {
		return &proto.Error{Code: proto.CodeBadRequest, Message: proto.Textf("%.100q is not the name of one unit", name)}
	}
	return nil
}
