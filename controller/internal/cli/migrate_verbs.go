package cli

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/controller/internal/migrate"
	"github.com/re-connect/rpctl/controller/internal/report"
)

func (a *app) migrateStatusCommand() *cobra.Command {
	var m migrating
	cmd := &cobra.Command{
		Use: "status --plan PLAN", Short: "Show where a plan stands on every environment, gate by gate, and the next command",
		Args: a.noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := a.readPlan(m.plan)
			if err != nil {
				return err
			}
			environments, err := a.environments(m.env)
			if err != nil {
				return err
			}
			all, err := a.environments("")
			if err != nil {
				return err
			}
			options := migrate.Options{All: all, Operator: a.operator(), Plan: p, PlanPath: a.here(m.plan)}
			return migrate.Status(cmd.Context(), a.migrateWorld(), options, environments)
		},
	}
	a.migratingFlags(cmd, &m)
	return cmd
}

// xlsx is the format that goes to a file of its own.
const xlsx = "xlsx"

func (a *app) migrateReportCommand() *cobra.Command {
	var m migrating
	var format, out string
	formats := append(slices.Clone(report.Formats), xlsx)
	cmd := &cobra.Command{
		Use: "report --plan PLAN --env ENVIRONMENT --format FORMAT", Short: "Write what the last simulation found: " + strings.Join(formats, ", "),
		Long: "Write what the last simulation found, from the receipt beside the plan, verified; no host is asked.\n" +
			"slack is the message to the product owner, trello the commands for the ticket, xlsx the workbook\n" +
			"simulation_migration_CENTRE.xlsx (in the working directory unless -o names a file).",
		Args: a.noArgs,
		RunE: func(*cobra.Command, []string) error {
			if !slices.Contains(formats, format) {
				return &exit.Error{Code: exit.BadInput, Message: "bad --format \"" + safe(format) + "\": want " + strings.Join(formats, ", "), Next: a.instead(format, formats[0])}
			}
			a.raw = !a.flags.json // the report alone goes to standard output
			options, err := a.migrateOptions(m)
			if err != nil {
				return err
			}
			return a.report(options, format, out)
		},
	}
	a.migratingFlags(cmd, &m)
	cmd.Flags().StringVar(&format, "format", "slack", strings.Join(formats, ", "))
	cmd.Flags().StringVarP(&out, "output", "o", "", "file to write (a file that is there is not overwritten)")
	return cmd
}

// report writes to standard output, or to a file; what a reader must know goes to standard error.
func (a *app) report(options migrate.Options, format, out string) error {
	source, err := migrate.Report(a.migrateWorld(), options)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if format == xlsx {
		err = report.Workbook(&text, source)
		if out == "" {
			out = report.WorkbookName(source.Plan.Centre)
		}
	} else {
		err = report.Write(&text, format, source)
	}
	if err != nil {
		return err
	}
	next := "rpctl migrate approve --plan " + exit.Word(options.PlanPath) + " --env " + options.Environment.Name
	if source.AllDone() {
		next = "rpctl migrate status --plan " + exit.Word(options.PlanPath) + " --env " + options.Environment.Name
	}
	if out == "" && !a.flags.json {
		a.print(text.String())
		if format == report.Formats[0] { // the question to who decides
			fmt.Fprintf(a.Stderr, "  next: %s\n", safe(a.sameHosts(next)))
		}
		return nil
	}
	e := event.Event{Kind: event.Reported, Environment: options.Environment.Name, Digest: options.Plan.Digest(), Text: text.String()}
	if out != "" {
		if err := migrate.WriteNew(a.here(out), text.Bytes()); errors.Is(err, fs.ErrExist) {
			return &exit.Error{Code: exit.BadInput, Err: err, Message: out + " is there already: name another file with -o", Next: a.elsewhere(out)}
		} else if err != nil {
			return err
		}
		e.Text, e.Path, e.Next = "", out, next
	}
	a.emit(e)
	return nil
}

// elsewhere is the command that was typed, with the first name behind out's that is free.
func (a *app) elsewhere(out string) string {
	ending := filepath.Ext(out)
	for n := 2; ; n++ {
		free := fmt.Sprintf("%s_%d%s", strings.TrimSuffix(out, ending), n, ending)
		if _, err := os.Lstat(a.here(free)); errors.Is(err, fs.ErrNotExist) || n == 100 {
			return a.again("-o", free) // the last one counts
		}
	}
}

func (a *app) migrateApproveCommand() *cobra.Command {
	var m migrating
	var with migrate.Approving
	var signed string
	cmd := &cobra.Command{
		Use: "approve --plan PLAN --env ENVIRONMENT", Short: "Approve exactly the figures of the last simulation",
		Long: "Show the figures of the last simulation on the host, sign them and the plan with your SSH key, and bring that to\n" +
			"the host. A product owner has no key: --for NAME --evidence LINK says who decided, and where that stands.\n" +
			"--signed FILE brings an approval that was signed elsewhere (see approval-request).",
		Args: a.noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a.changes(true)
			options, err := a.migrateOptions(m)
			if err != nil {
				return err
			}
			if signed != "" {
				return migrate.Signed(cmd.Context(), a.migrateWorld(), options, a.here(signed))
			}
			if err := daysTyped(cmd, with.Days); err != nil {
				return err
			}
			with.By = cmp.Or(with.By, a.operator())
			return migrate.Approve(cmd.Context(), a.migrateWorld(), options, with)
		},
	}
	a.migratingFlags(cmd, &m)
	a.keyFlag(cmd, &m)
	a.approvingFlags(cmd, &with)
	cmd.Flags().StringVar(&signed, "signed", "", "bring the approval in FILE, whose signature is in FILE.sig")
	return cmd
}

func (a *app) approvingFlags(cmd *cobra.Command, with *migrate.Approving) {
	flags := cmd.Flags()
	flags.StringVar(&with.By, "by", "", "the approver's name (default: you)")
	flags.StringVar(&with.For, "for", "", "who decided, where that is another person than the approver")
	flags.StringVar(&with.BreakGlass, "break-glass", "", "approve passing the gates approval and before for this reason, within a day; the start says the same reason")
	flags.StringVar(&with.Evidence, "evidence", "", "link to where that person's answer stands")
	flags.IntVar(&with.Days, "days", 0, "for how many days the approval is good (default: approval_days of the environment)")
}

// daysTyped refuses a 0 that was typed, which is not the default that a 0 stands for.
func daysTyped(cmd *cobra.Command, days int) error {
	if !cmd.Flags().Changed("days") || days > 0 {
		return nil
	}
	return &exit.Error{Code: exit.BadInput, Message: fmt.Sprintf("bad --days %d: want 1 or more", days)}
}

func (a *app) migrateRequestCommand() *cobra.Command {
	var m migrating
	var with migrate.Approving
	var out string
	cmd := &cobra.Command{
		Use: "approval-request --plan PLAN --env ENVIRONMENT -o FILE", Short: "Write the text of an approval, for ssh-keygen to sign elsewhere",
		Args: a.noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if out == "" {
				return &exit.Error{Code: exit.BadInput, Message: "no file was named", Next: a.again("-o", "approval.json")}
			}
			if _, err := os.Lstat(a.here(out)); err == nil {
				return &exit.Error{Code: exit.BadInput, Message: safe(out) + " is there already, name another file with -o", Next: "ls -l " + exit.Word(out)}
			}
			options, err := a.migrateOptions(m)
			if err != nil {
				return err
			}
			if err := daysTyped(cmd, with.Days); err != nil {
				return err
			}
			with.By = cmp.Or(with.By, a.operator())
			return migrate.Request(cmd.Context(), a.migrateWorld(), options, with, a.here(out))
		},
	}
	a.migratingFlags(cmd, &m)
	a.approvingFlags(cmd, &with)
	cmd.Flags().StringVarP(&out, "output", "o", "", "file to write")
	return cmd
}
