package cli

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/controller/internal/fleet"
	"github.com/re-connect/rpctl/controller/internal/inventory"
	"github.com/re-connect/rpctl/controller/internal/view"
	"github.com/re-connect/rpctl/proto"
)

// mostKept bounds what is held before it is sorted, in bytes of messages: hosts that say more
// than that are shown in parts, each in order.
const mostKept = 6 << 20

// lineCost is what a line costs besides its message, in bytes, roughly.
const lineCost = 512

func (a *app) logsCommand() *cobra.Command {
	var env string
	var units []string
	var args proto.JournalArgs
	cmd := &cobra.Command{
		Use:   "logs --env ENVIRONMENT",
		Short: "Show the journal of the workers of all hosts",
		Long: "Show the journal of the workers of all hosts, oldest line first. More than fits into memory (some 9,500 lines of all\n" +
			"hosts) comes in parts, each of them in order, and standard error says so. --follow ends with Ctrl-C, which is no failure.",
		Args: a.noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if args.Lines < 1 || args.Lines > proto.MaxLogLines {
				return &exit.Error{Code: exit.BadInput, Message: fmt.Sprintf("bad -n %d: want 1 to %d", args.Lines, proto.MaxLogLines)}
			}
			environment, err := a.environment(env)
			if err != nil {
				return err
			}
			if args.Only, err = patterns(environment, units); err != nil {
				return err
			}
			return a.logs(cmd.Context(), environment, args)
		},
	}
	a.envFlag(cmd, &env, "environment of hosts.toml")
	cmd.Flags().StringArrayVarP(&units, "unit", "u", nil, "these workers only: a pattern of hosts.toml or one instance of it; may be repeated")
	cmd.Flags().IntVarP(&args.Lines, "lines", "n", 50, "last lines of each host")
	cmd.Flags().BoolVarP(&args.Follow, "follow", "f", false, "go on with new lines until Ctrl-C")
	return cmd
}

func (a *app) logs(ctx context.Context, environment inventory.Environment, args proto.JournalArgs) error {
	page := &logPage{app: a, follow: args.Follow}
	all := targets([]inventory.Environment{environment})
	limit := fleet.DefaultLimit
	if args.Follow {
		limit = len(all) // each of them stays
	}
	results := fleet.Each(ctx, limit, all, func(ctx context.Context, target fleet.Target) (struct{}, error) {
		return struct{}{}, a.journal(ctx, target, args, page.add)
	}, func(r fleet.Result[struct{}]) {
		if r.Err != nil && ctx.Err() == nil {
			a.hostWarning(r.Target, r.Err)
		}
	})
	page.flush()
	if args.Follow && ctx.Err() != nil {
		return nil
	}
	return unasked(ctx, results)
}

// lineTime is what a line may take on a slow line or host, beside answerTime: 10,000 lines are megabytes.
const lineTime = 20 * time.Millisecond

// journal reads the journal of one host.
func (a *app) journal(ctx context.Context, target fleet.Target, args proto.JournalArgs, add func(fleet.Target, proto.LogLine)) error {
	if !args.Follow {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, a.flags.timeout+answerTime+time.Duration(args.Lines)*lineTime)
		defer cancel()
	}
	agent, err := a.fleet().Dial(ctx, target)
	if err != nil {
		return err
	}
	defer func() { _ = agent.Close() }() // the lines are there
	return agent.Call(ctx, proto.OpJournal, args, nil, func(e proto.Event) {
		if e.Event == proto.EventLog && e.Log != nil {
			add(target, *e.Log)
		}
	})
}

// logPage has the lines of all hosts: in order of time, or, when following, as they come.
type logPage struct {
	app    *app
	follow bool
	mu     sync.Mutex
	kept   []event.Event
	held   int // bytes of messages in kept
	parted bool
}

func (p *logPage) add(target fleet.Target, line proto.LogLine) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := event.Event{Kind: event.Log, Environment: target.Environment, Host: target.Host, Log: &line}
	if p.follow {
		p.show(e)
		return
	}
	p.kept = append(p.kept, e)
	if p.held += len(line.Message) + lineCost; p.held > mostKept {
		if !p.parted {
			p.parted = true
			fmt.Fprintln(p.app.Stderr, "rpctl: warning: there are more lines than are held at once: they come in parts, and only within a part are all hosts in order of time")
		}
		p.showKept()
	}
}

func (p *logPage) flush() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.showKept()
}

func (p *logPage) showKept() {
	slices.SortStableFunc(p.kept, func(a, b event.Event) int { return a.Log.Time.Compare(b.Log.Time) })
	for _, e := range p.kept {
		p.show(e)
	}
	p.kept, p.held = nil, 0
}

func (p *logPage) show(e event.Event) {
	if p.app.flags.json {
		p.app.emit(e)
		return
	}
	p.app.print(view.LogLine(e, p.app.look()))
}
