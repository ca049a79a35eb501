package cli

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/re-connect/rpctl/controller/internal/deploy"
	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/controller/internal/migrate"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

// migrating is what the verbs of migrate have in common.
type migrating struct {
	plan, env, key string
	yes, raw       bool
}

// applying is what --apply takes on top.
type applying struct {
	apply                 bool
	resolve               []string
	reason, breakingGlass string
}

func (a *app) migrateCommand() *cobra.Command {
	var m migrating
	var w applying
	cmd := &cobra.Command{
		Use:   "migrate --plan PLAN --env ENVIRONMENT",
		Short: "Simulate a plan of migration on an environment, or apply it",
		Long: "Simulate a plan on an environment's console host: every command as a dry run, nothing is changed.\n" +
			"With --apply, run it for real, step by step, behind the gates of docs/gates.md, which the host asks.\n\n" +
			"The job runs on the host: a closed laptop stops nothing. Ctrl-C asks whether to detach, to cancel before the\n" +
			"next step or to go on; without a terminal it detaches and says how to attach again (exit 130).\n\n" +
			followHelp,
		Example: "  rpctl migrate --plan plan.toml --env preprod\n  rpctl migrate --plan plan.toml --env preprod --apply",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 && !strings.HasSuffix(args[0], ".toml") {
				return a.unknownCommand(cmd, args[0])
			}
			return a.noArgs(cmd, args)
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return a.migrate(cmd.Context(), m, w) },
	}
	a.migratingFlags(cmd, &m)
	a.keyFlag(cmd, &m)
	flags := cmd.Flags()
	flags.BoolVar(&m.raw, "raw", false, rawHelp)
	flags.BoolVar(&w.apply, "apply", false, "run the plan for real (default: simulate)")
	flags.StringArrayVar(&w.resolve, "resolve", nil, "STEP=rerun or STEP=done: your word on a step that failed or was interrupted; may be repeated")
	flags.StringVar(&w.reason, "reason", "", "why, with --resolve")
	flags.StringVar(&w.breakingGlass, "break-glass", "", "pass the gates approval and before for this reason, where the host allows it")
	cmd.AddCommand(a.migrateStatusCommand(), a.migrateReportCommand(), a.migrateApproveCommand(), a.migrateRequestCommand(), a.migrateRevokeCommand())
	return cmd
}

const (
	rawHelp    = "the console's own bytes on stdout and stderr, unchanged; what rpctl says goes to stderr"
	followHelp = "On a terminal, control characters of the console's output are shown as escapes, colours and progress bars pass.\n" +
		"With --raw, or where stdout is no terminal, the console's bytes go to stdout and stderr unchanged, and what rpctl\n" +
		"itself says goes to stderr.\n\n" +
		"Exit code: 0 the job succeeded, 1 it failed or was cancelled, 4 a gate refused, 5 the host was not reached again,\n130 detached: the job goes on."
)

func (a *app) migratingFlags(cmd *cobra.Command, m *migrating) {
	cmd.Flags().StringVar(&m.plan, "plan", "", "plan.toml of the ticket")
	_ = cmd.MarkFlagFilename("plan", "toml") // completion only
	a.envFlag(cmd, &m.env, "environment of hosts.toml")
}

func (a *app) keyFlag(cmd *cobra.Command, m *migrating) {
	cmd.Flags().StringVar(&m.key, "key", "", "file of the key to sign with, or its .pub (default: the first that a login to the host would offer)")
	cmd.Flags().BoolVarP(&m.yes, "yes", "y", false, "do not ask")
}

func (a *app) migrate(ctx context.Context, m migrating, w applying) error {
	a.changes(w.apply)
	with, err := w.check()
	if err != nil {
		return err
	}
	a.following(m.raw)
	options, err := a.migrateOptions(m)
	if err != nil {
		return err
	}
	if err := resolvable(with.Resolve, options); err != nil {
		return err
	}
	if w.apply {
		return migrate.Apply(ctx, a.migrateWorld(), options, with)
	}
	return migrate.Simulate(ctx, a.migrateWorld(), options)
}

// followGarbage is how much garbage there may be beside what is in use (in percent, Go's own is 100) while a
// job is followed: SSH makes some of every byte, and to collect it cost more than to decrypt it.
const followGarbage = 300

// following decides where a job's output goes; it comes before anything is shown.
func (a *app) following(raw bool) {
	a.raw = (raw || !a.Live) && !a.flags.json
	if a.Getenv("GOGC") == "" { // whoever sets it knows better
		debug.SetGCPercent(followGarbage)
	}
}

// check reads what goes with --apply.
func (w applying) check() (with migrate.Applying, err error) {
	bad := func(format string, args ...any) (migrate.Applying, error) {
		return with, &exit.Error{Code: exit.BadInput, Message: fmt.Sprintf(format, args...), Next: "rpctl migrate --help"}
	}
	switch {
	case !w.apply && (len(w.resolve) > 0 || w.breakingGlass != ""):
		return bad("--resolve and --break-glass go with --apply")
	case (len(w.resolve) > 0) != (strings.TrimSpace(w.reason) != ""):
		return bad("--resolve and --reason go together")
	}
	with.BreakGlass = w.breakingGlass
	for _, word := range w.resolve {
		step, as, _ := strings.Cut(word, "=")
		if step == "" || as != proto.ResolveRerun && as != proto.ResolveDone {
			return bad("bad --resolve %q: want STEP=rerun or STEP=done, like 1.2=rerun", word)
		}
		with.Resolve = append(with.Resolve, proto.Resolution{Step: plan.StepID(step), As: as, Reason: w.reason})
	}
	return with, nil
}

// resolvable refuses a word on a step that the plan has not, or a second one.
func resolvable(words []proto.Resolution, options migrate.Options) error {
	var steps []string
	for _, step := range options.Plan.Steps() {
		steps = append(steps, string(step.ID))
	}
	seen := map[plan.StepID]bool{}
	for _, word := range words {
		failure := &exit.Error{Code: exit.BadInput, Next: "rpctl migrate status --plan " + exit.Word(options.PlanPath) + " --env " + options.Environment.Name}
		switch {
		case !slices.Contains(steps, string(word.Step)):
			failure.Message = fmt.Sprintf("bad --resolve %s=%s: the plan has no step %q; it has: %s", word.Step, word.As, word.Step, strings.Join(steps, ", "))
			return failure
		case seen[word.Step]:
			failure.Message = fmt.Sprintf("bad --resolve %s=%s: step %s is resolved twice", word.Step, word.As, word.Step)
			return failure
		}
		seen[word.Step] = true
	}
	return nil
}

// migrateOptions checks what was typed against the plan and hosts.toml, before any connection.
func (a *app) migrateOptions(m migrating) (migrate.Options, error) {
	p, err := a.readPlan(m.plan)
	if err != nil {
		return migrate.Options{}, err
	}
	read, err := a.inventory()
	if err != nil {
		return migrate.Options{}, err
	}
	environment, err := a.named(read, m.env)
	return migrate.Options{
		Environment: environment, All: read.Environments, Operator: a.operator(), Plan: p, PlanPath: a.here(m.plan), Yes: m.yes, Key: m.key,
	}, err
}

// migrateWorld is what the flows work with, on this machine.
func (a *app) migrateWorld() migrate.World {
	world := migrate.World{
		Fleet: a.fleet(), Sink: a.view(), Console: a.console(), Fits: deploy.Fits, Receipts: receiptKeyFits, Accepts: a.acceptedKeys, Random: rand.Reader, Now: a.Now,
		Interrupts: a.interrupted, Sign: a.sign, Confirmed: a.confirmed(), Intact: a.intact,
	}
	if a.Asks {
		world.Confirm = a.confirm
	}
	return world
}

// sign signs with the key that a login to the alias would offer, or with the file's.
func (a *app) sign(ctx context.Context, alias, keyFile, namespace, body string) (proto.Signed, error) {
	if a.Sign != nil {
		return a.Sign(ctx, alias, keyFile, namespace, body)
	}
	key, err := a.sshOf().dialer.SigningKey(ctx, alias, keyFile)
	if err != nil {
		return proto.Signed{}, err
	}
	defer key.Close()
	return key.Sign(namespace, body)
}

// here is a path that was typed in the working directory.
func (a *app) here(path string) string {
	if wd, err := os.Getwd(); filepath.IsAbs(path) || a.Dir == "" || err == nil && wd == a.Dir {
		return path
	}
	return filepath.Join(a.Dir, path)
}
