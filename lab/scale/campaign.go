package scale

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// timeout is what rpctl is told with --timeout; a host that takes TCP and stays silent costs
// three of them (a sshd may look names up before it speaks).
const timeout = 3 * time.Second

// together is how many hosts the other programs ask at the same time: as many as rpctl does.
const together = "32"

// status is the trial that the others are compared with.
const status = "rpctl status --json"

// trial is one program to measure.
type trial struct {
	name string
	argv []string
	// of is the trial that the ratio is taken of; empty for none.
	of string
}

// Campaign measures everything once, in turn, and prints a table in Markdown.
func Campaign(ctx context.Context, f *Fleet, rpctl string, sizes Sizes, compare bool, out io.Writer) error {
	aliases := filepath.Join(f.Dir, "aliases")
	if err := os.WriteFile(aliases, []byte(strings.Join(names("alive", sizes.Alive), "\n")+"\n"), 0o644); err != nil {
		return err
	}
	fmt.Fprintf(out, "%d hosts in good health, %d silent, %d that refuse connections\n\n", sizes.Alive, sizes.Silent, sizes.Refusing)
	table := tabwriter.NewWriter(out, 0, 0, 1, ' ', 0)
	fmt.Fprintln(table, "| run\t| wall s\t| first ms\t| cpu s\t| peak MB\t| exit\t| answers\t| wall x rpctl\t|")
	fmt.Fprintln(table, "|---\t|---:\t|---:\t|---:\t|---:\t|---:\t|---:\t|---:\t|")
	known := map[string]Figure{}
	all := trials(f, rpctl)
	if compare {
		all = append(all, others(f, aliases)...)
	}
	for _, t := range all {
		if slices.Contains(t.argv, "") {
			fmt.Fprintf(table, "| %s\t| not installed\t|\t|\t|\t|\t|\t|\n", t.name)
			continue
		}
		figure, err := Measure(ctx, f.Dir, t.argv)
		if err != nil {
			return err
		}
		known[t.name] = figure
		ratio := ""
		if base, ok := known[t.of]; ok {
			ratio = fmt.Sprintf("%.1f", figure.Wall.Seconds()/base.Wall.Seconds())
		}
		fmt.Fprintf(table, "| %s\t| %.2f\t| %d\t| %.2f\t| %.0f\t| %d\t| %s\t| %s\t|\n", t.name, figure.Wall.Seconds(),
			figure.First.Milliseconds(), figure.CPU.Seconds(), float64(figure.PeakKiB)/1024, figure.Exit, answers(figure.Output), ratio)
	}
	return table.Flush()
}

// answers is how many hosts told their status, so that nobody is fast by failing.
func answers(output string) string {
	if count := strings.Count(output, `"workers":[`); count > 0 {
		return strconv.Itoa(count)
	}
	return ""
}

// trials are in the order in which they run; each changes nothing that the next one sees.
func trials(f *Fleet, rpctl string) []trial {
	patience := "--timeout=" + timeout.String()
	ask := func(args ...string) []string { return f.Rpctl(rpctl, append(args, patience)...) }
	return []trial{
		{status, ask("status", "--json", "--env", EnvAlive), ""},
		{"rpctl status", ask("status", "--env", EnvAlive), status},
		{"rpctl status --json, with dead hosts", ask("status", "--json"), status},
		{"rpctl doctor --json", ask("doctor", "--json", "--env", EnvAlive), ""},
		{"rpctl doctor --json, with dead hosts", ask("doctor", "--json"), "rpctl doctor --json"},
		{"rpctl restart --yes --json", ask("restart", "--json", "--yes", "--env", EnvAlive), ""},
	}
}

// others are what one would use without rpctl, asking the same of the same hosts.
func others(f *Fleet, aliases string) []trial {
	return []trial{
		{"xargs -P " + together + " ssh", []string{
			found("xargs"), "-a", aliases, "-P", together, "-I{}", "ssh", "-n", "-F", f.SSHConfig(), "-o", "BatchMode=yes", "{}", "rp-agent status --json",
		}, status},
		{"parallel-ssh", []string{
			found("parallel-ssh"), "-h", aliases, "-p", together, "-t", "60", "-i", "-x", "-F " + f.SSHConfig(), "rp-agent status --json",
		}, status},
		{"ansible -m raw", []string{
			found("env"), "ANSIBLE_SSH_USETTY=False", "ANSIBLE_SSH_ARGS=-C", // no terminal; no masters left behind
			found("ansible"), "all", "-i", aliases, "-f", together, "-m", "raw", "--ssh-common-args", "-F " + f.SSHConfig(), "-a", "rp-agent status --json",
		}, status},
	}
}

// found is the path of a program, or "" where it is not installed.
func found(program string) string {
	path, err := exec.LookPath(program)
	if err != nil {
		return ""
	}
	return path
}
