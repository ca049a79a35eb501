package cli

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/proto"
)

// team is a desk whose work tree has hosts.toml in it, as a team reviews it on branch dev of origin.
type team struct {
	*desk
	t   *testing.T
	dir string
}

func newTeam(t *testing.T, args ...string) *team {
	d := readyDesk(t, args...)
	home := t.TempDir()
	d.system.Getenv = func(name string) string { return map[string]string{"USER": "alice", "HOME": home}[name] }
	team := &team{desk: d, t: t, dir: d.system.Dir}
	text := strings.Replace(hostsFile, `["true"]`, `["./deploy.sh"]`, 1)
	text = strings.Replace(text, `prepare = []`, "prepare = [[\"touch\", \"prepared\"]]\nrollback = [\"./deploy.sh\", \"back\"]", 1)
	team.commit("dev", map[string]string{"hosts.toml": text, ".gitignore": "moved\nprepared\npwned\n"})
	team.git("push", "-q", "origin", "dev")
	team.git("remote", "set-head", "origin", "dev")
	return team
}

func (d *team) git(args ...string) string {
	d.t.Helper()
	cmd := exec.Command("git", append([]string{"-C", d.dir, "-c", "user.name=t", "-c", "user.email=t@t.example"}, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		d.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// commit commits files on the branch that is checked out, or on a new one.
func (d *team) commit(branch string, files map[string]string) {
	d.t.Helper()
	if d.git("branch", "--show-current") != branch {
		d.git("checkout", "-q", "-b", branch)
	}
	for name, text := range files {
		write(d.t, d.dir, name, text)
	}
	d.git("add", "-A")
	d.git("commit", "-qm", "change")
}

func (d *team) has(name string) bool {
	_, err := os.Lstat(filepath.Join(d.dir, name))
	return !errors.Is(err, fs.ErrNotExist)
}

func (d *team) hosts() string {
	data, err := os.ReadFile(filepath.Join(d.dir, "hosts.toml"))
	if err != nil {
		d.t.Fatal(err)
	}
	return string(data)
}

// again runs another command at the same desk.
func (d *team) again(want exit.Code, args ...string) string {
	d.t.Helper()
	d.out.Reset()
	d.errs.Reset()
	d.system.Args = args
	d.run(d.t, want)
	return d.out.String() + d.errs.String()
}

// inPreprod replaces text of preprod's table; in the file it comes first.
func inPreprod(old, now string) func(string) string {
	return func(file string) string { return strings.Replace(file, old, now, 1) }
}

const evil = `["touch", "pwned"]`

// pullRequests are changes of hosts.toml that make a branch decide what runs, or where.
var pullRequests = map[string]struct {
	key    string
	change func(string) string
}{
	"prepare":     {"prepare", inPreprod(`["touch", "prepared"]`, evil)},
	"deploy":      {"deploy", inPreprod(`deploy = ["./deploy.sh"]`, "deploy = "+evil)},
	"rollback":    {"rollback", inPreprod(`["./deploy.sh", "back"]`, evil)},
	"hosts":       {"hosts", inPreprod(`["pp1", "pp2"]`, `["pp1"]`)},
	"application": {"application", inPreprod(`"/home/app/www"`, `"/home/app/other"`)},
	"workers":     {"workers", inPreprod(`["messenger_worker_async@*.service"]`, `["other_worker@*.service"]`)},
	"operators":   {"operators", inPreprod(`["alice"]`, `["mallory"]`)},
	"health":      {"health", inPreprod("[environments.prod]", "[environments.preprod.health]\nurl = \"http://169.254.169.254/\"\n[environments.prod]")},
	"after":       {"after", inPreprod("branch", "after = \"prod\"\nbranch")},
	"branch":      {"branch", inPreprod(`branch = "dev"`, `branch = "pr"`)},
}

// TestPullRequestRunsNothing: whatever the branch that is checked out says, deploy and rollback run what the
// environment's branch of the remote says, or refuse.
func TestPullRequestRunsNothing(t *testing.T) {
	for name, pr := range pullRequests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newTeam(t)
			for _, host := range []string{"pp1", "pp2"} { // they take any configuration, or it would be refused there
				hello := d.answers[host]["hello"].(proto.Hello)
				hello.Config = nil
				d.answers[host]["hello"] = hello
			}
			d.commit("pr", map[string]string{"hosts.toml": pr.change(d.hosts()), "Makefile": "all:\n\ttouch pwned\n"})
			d.git("push", "-q", "-u", "origin", "pr")
			said := d.again(exit.Refused, "rollback", "--env", "preprod")
			if !strings.Contains(said, "git -C "+d.dir+" diff origin/dev -- hosts.toml") && !strings.Contains(said, "next: git switch") {
				t.Errorf("rollback: %s", said)
			}
			if d.has("pwned") || d.has("prepared") || d.has("moved") {
				t.Fatal("a command was run")
			}
		})
	}
}

// TestPullRequestIsNotDeployed is the same for deploy, which goes to the environment's branch first.
func TestPullRequestIsNotDeployed(t *testing.T) {
	for name, pr := range pullRequests {
		if slices.Contains([]string{"application", "workers"}, name) {
			continue // the hosts refuse those before
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newTeam(t)
			d.commit("pr", map[string]string{"hosts.toml": pr.change(d.hosts())})
			d.git("push", "-q", "-u", "origin", "pr")
			said := d.again(exit.Refused, "deploy", "--env", "preprod")
			if !strings.Contains(said, pr.key+" ") {
				t.Errorf("deploy does not name %s: %s", pr.key, said)
			}
			if d.has("pwned") || d.has("prepared") || d.has("moved") {
				t.Fatal("a command was run")
			}
			if name == "branch" {
				if got := d.git("branch", "--show-current"); got != "pr" {
					t.Errorf("went to branch %s", got)
				}
				if _, dialled := d.dials.Load("pp1"); dialled {
					t.Error("a host was dialled")
				}
				return
			}
			if !strings.Contains(said, "next: rpctl deploy --env preprod\n") {
				t.Errorf("next: %s", said)
			}
			d.again(exit.OK, "deploy", "--env", "preprod") // now hosts.toml is the branch's own
			if d.has("pwned") || !d.has("moved") || !d.has("prepared") {
				t.Error("the branch's own commands were not run")
			}
		})
	}
}

// TestBranchOfAFork: the environment's branch is the team's, whatever git was made to follow.
func TestBranchOfAFork(t *testing.T) {
	d := newTeam(t)
	fork := t.TempDir()
	d.git("clone", "-q", "--bare", filepath.Join(d.dir, ".git"), filepath.Join(fork, "fork.git"))
	d.git("checkout", "-q", "-b", "theirs")
	d.commit("theirs", map[string]string{"deploy.sh": "#!/bin/sh\ntouch pwned moved\n"})
	d.git("push", "-q", filepath.Join(fork, "fork.git"), "theirs:dev", "-f")
	d.git("remote", "add", "fork", filepath.Join(fork, "fork.git"))
	d.git("fetch", "-q", "fork")
	d.git("branch", "-q", "-D", "dev")
	d.git("checkout", "-q", "-b", "dev", "--track", "fork/dev") // as some tools check a pull request out
	for _, verb := range []string{"deploy", "rollback"} {
		said := d.again(exit.Refused, verb, "--env", "preprod")
		if !strings.Contains(said, "not part of origin/dev") || !strings.Contains(said, "next: git switch --detach origin/dev") {
			t.Errorf("%s: %s", verb, said)
		}
	}
	if d.has("pwned") || d.has("prepared") {
		t.Error("a command was run")
	}
}

// TestLinkedInventory: a link of the work tree, which a branch can make, leads to no other file.
func TestLinkedInventory(t *testing.T) {
	d := newTeam(t)
	text := d.hosts()
	d.commit("dev", map[string]string{"examples.toml": strings.Replace(text, `["./deploy.sh"]`, evil, 1)})
	d.git("push", "-q", "origin", "dev")
	d.git("checkout", "-q", "-b", "pr")
	if err := errors.Join(os.Remove(filepath.Join(d.dir, "hosts.toml")), os.Symlink("examples.toml", filepath.Join(d.dir, "hosts.toml"))); err != nil {
		t.Fatal(err)
	}
	d.commit("pr", nil)
	for _, args := range [][]string{{"deploy"}, {"rollback"}, {"agent", "install", "--yes"}, {"agent", "uninstall", "--yes"}} {
		if said := d.again(exit.Refused, append(args, "--env", "preprod")...); !strings.Contains(said, "is a link of the work tree") {
			t.Errorf("%v: %s", args, said)
		}
	}
	if d.has("pwned") || d.has("prepared") {
		t.Error("a command was run")
	}
}

// TestRollbackRunsWhatWasReviewed: it works on the environment's branch, detached too; not on another commit, which
// may bring a Makefile of its own; and an emergency has a way out.
func TestRollbackRunsWhatWasReviewed(t *testing.T) {
	d := newTeam(t)
	d.again(exit.OK, "rollback", "--env", "preprod")
	d.git("checkout", "-q", "--detach", "origin/dev")
	if err := os.Remove(filepath.Join(d.dir, "moved")); err != nil {
		t.Fatal(err)
	}
	d.again(exit.OK, "rollback", "--env", "preprod")
	if err := os.Remove(filepath.Join(d.dir, "moved")); err != nil {
		t.Fatal(err)
	}
	d.git("checkout", "-q", "dev")
	d.commit("pr", map[string]string{"deploy.sh": "#!/bin/sh\ntouch pwned moved\n"})
	if said := d.again(exit.Refused, "rollback", "--env", "preprod"); !strings.Contains(said, "next: git switch --detach origin/dev\n") || !strings.Contains(said, "--unreviewed") {
		t.Error(said)
	}
	if said := d.again(exit.NoAgent, "rollback", "--env", "preprod", "--dry-run"); !strings.Contains(said, "warning: the commit that is checked out is not part of origin/dev") {
		t.Error(said)
	}
	if d.has("pwned") {
		t.Fatal("a command was run")
	}
	if said := d.again(exit.OK, "rollback", "--env", "preprod", "--unreviewed", "origin is down"); !strings.Contains(said, "--unreviewed: origin is down") {
		t.Error(said)
	}
}

// TestRollbackOnAnotherBranchOfTheTeam: after a deploy to prod its branch is checked out, and preprod can be rolled
// back at once. Which branches are the team's is said by the remote's default branch, not by the one that is checked out.
func TestRollbackOnAnotherBranchOfTheTeam(t *testing.T) {
	d := newTeam(t)
	d.commit("main", map[string]string{"release": "1"}) // prod's
	d.git("push", "-q", "origin", "main")
	d.again(exit.OK, "rollback", "--env", "preprod")
	if err := os.Remove(filepath.Join(d.dir, "moved")); err != nil {
		t.Fatal(err)
	}
	d.git("checkout", "-q", "--detach", "origin/main")
	d.again(exit.OK, "rollback", "--env", "preprod")
	if err := os.Remove(filepath.Join(d.dir, "moved")); err != nil {
		t.Fatal(err)
	}
	evil := map[string]string{"deploy.sh": "#!/bin/sh\ntouch pwned moved\n"}
	d.commit("pr", evil)
	d.git("push", "-q", "origin", "pr") // it is on the remote, but no environment's
	d.again(exit.Refused, "rollback", "--env", "preprod")
	d.commit("pr2", map[string]string{"hosts.toml": strings.Replace(d.hosts(), `branch = "main"`, `branch = "pr2"`, 1)}) // names itself prod's
	d.git("push", "-q", "origin", "pr2")
	d.again(exit.Refused, "rollback", "--env", "preprod")
	if d.has("pwned") {
		t.Fatal("a command was run")
	}
}

// TestInstallWantsWhatWasReviewed: what an install brings to hosts as root is what the environment's branch has.
func TestInstallWantsWhatWasReviewed(t *testing.T) {
	const people = `claire namespaces="approval@rpctl,apply@rpctl" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ` + "\n"
	console := "\n[environments.preprod.console]\nphp = \"/usr/bin/php\"\nscript = \"bin/console\"\napprovers = \"approvers\"\n"
	for name, c := range map[string]struct {
		change func(d *team)
		want   exit.Code
		says   string
	}{
		"as reviewed":                    {func(*team) {}, exit.Unreachable, ""},
		"another branch, the same files": {func(d *team) { d.commit("pr", map[string]string{"x": "x"}) }, exit.Unreachable, ""},
		"an older file": {func(d *team) {
			d.merged("hosts.toml", strings.Replace(d.hosts(), `operators = ["alice"]`, `operators = ["bob"]`, 1))
		}, exit.Refused, "operators is [\"alice\"] here and [\"bob\"] there"},
		"hosts.toml of a branch": {func(d *team) {
			d.commit("pr", map[string]string{"hosts.toml": inPreprod(`["alice"]`, `["mallory"]`)(d.hosts())})
		}, exit.Refused, `operators is ["mallory"] here and ["alice"] there`},
		"not committed": {func(d *team) { write(d.t, d.dir, "hosts.toml", inPreprod(`["alice"]`, `["mallory"]`)(d.hosts())) }, exit.Refused, "operators is"},
		"approvers of a branch": {func(d *team) {
			d.commit("pr", map[string]string{"approvers": people + strings.Replace(people, "claire", "mallory", 1)})
		}, exit.Refused, "approvers is not what origin/dev has"},
		"another approvers file": {func(d *team) {
			d.commit("pr", map[string]string{"hosts.toml": strings.Replace(d.hosts(), `"approvers"`, `"approvers2"`, 1), "approvers2": people})
		}, exit.Refused, "approvers is"},
		"approvers are a link": {func(d *team) {
			write(d.t, d.dir, "other", people)
			if err := errors.Join(os.Remove(filepath.Join(d.dir, "approvers")), os.Symlink("other", filepath.Join(d.dir, "approvers"))); err != nil {
				d.t.Fatal(err)
			}
		}, exit.Refused, "is a link of the work tree"},
		"the branch itself": {func(d *team) {
			d.commit("pr", map[string]string{"hosts.toml": inPreprod(`branch = "dev"`, `branch = "pr"`)(d.hosts())})
			d.git("push", "-q", "origin", "pr")
		}, exit.Refused, `branch is pr here and dev there`},
		"a new environment": {func(d *team) {
			d.commit("pr", map[string]string{"hosts.toml": strings.ReplaceAll(d.hosts(), "preprod", "pp")})
		}, exit.BadInput, ""},
		"the remote is gone":           {func(d *team) { d.git("remote", "set-url", "origin", filepath.Join(d.dir, "none")) }, exit.LocalFailed, "cannot fetch from origin"},
		"others may change it":         {func(d *team) { d.chmod("approvers", 0o666) }, exit.BadInput, "can be changed by every user"},
		"others may change hosts.toml": {func(d *team) { d.chmod("hosts.toml", 0o666) }, exit.BadInput, "next: chmod go-w "},
		"a folder of all":              {func(d *team) { d.chmod(".", 0o777) }, exit.BadInput, "next: chmod go-w "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newTeam(t)
			nowhere := nowhereConfig(t)
			d.commit("dev", map[string]string{"hosts.toml": d.hosts() + console, "approvers": people})
			d.git("push", "-q", "origin", "dev")
			c.change(d)
			said := d.again(c.want, "agent", "install", "--env", "preprod", "--yes", "--ssh-config", nowhere)
			if !strings.Contains(said, c.says) {
				t.Errorf("no %q in: %s", c.says, said)
			}
			if c.want != exit.Refused && c.want != exit.LocalFailed {
				return
			}
			if !strings.Contains(said, `--unreviewed "reason"`) {
				t.Errorf("no way out: %s", said)
			}
			if said := d.again(exit.Unreachable, "agent", "diff", "--env", "preprod", "--ssh-config", nowhere); !strings.Contains(said, "warning: ") {
				t.Errorf("diff does not warn: %s", said)
			}
		})
	}
}

// TestUnreviewedInstall: each verb that changes hosts refuses, takes the flag, and only warns in a dry run.
func TestUnreviewedInstall(t *testing.T) {
	d := newTeam(t)
	d.commit("pr", map[string]string{"hosts.toml": inPreprod(`["alice"]`, `["mallory"]`)(d.hosts())})
	for _, verb := range []string{"install", "upgrade", "uninstall"} {
		args := []string{"agent", verb, "--env", "preprod", "--yes", "--ssh-config", nowhereConfig(t)}
		d.again(exit.Refused, args...)
		for _, more := range [][]string{{"--unreviewed", "the remote is down"}, {"--dry-run"}} {
			if said := d.again(exit.Unreachable, append(args, more...)...); !strings.Contains(said, "warning: ") {
				t.Errorf("%s %v: %s", verb, more, said)
			}
		}
	}
}

// nowhereConfig leads every alias to a port where nothing listens.
func nowhereConfig(t *testing.T) string {
	dir := t.TempDir()
	write(t, dir, "ssh_config", "Host *\n  HostName 127.0.0.1\n  Port 1\n")
	return filepath.Join(dir, "ssh_config")
}

func (d *team) chmod(name string, mode os.FileMode) {
	d.t.Helper()
	if err := os.Chmod(filepath.Join(d.dir, name), mode); err != nil {
		d.t.Fatal(err)
	}
}

// merged has origin's dev change without this work tree.
func (d *team) merged(name, text string) {
	d.t.Helper()
	before := d.git("rev-parse", "HEAD")
	d.commit("dev", map[string]string{name: text})
	d.git("push", "-q", "origin", "dev")
	d.git("update-ref", "refs/remotes/origin/dev", before)
	d.git("reset", "-q", "--hard", before)
}

// TestInventoryOutsideOfGit cannot be compared: it is used after a yes, or with a flag where nobody can be asked.
func TestInventoryOutsideOfGit(t *testing.T) {
	args := []string{"agent", "install", "--env", "preprod", "--yes", "--ssh-config", nowhereConfig(t)}
	d := newDesk(t, args...)
	d.run(t, exit.Refused)
	if said := d.errs.String(); !strings.Contains(said, "is in no git work tree") || !strings.Contains(said, "--unreviewed <reason>\n") {
		t.Error(said)
	}
	_, next, _ := strings.Cut(d.errs.String(), "next: ")
	next, _, _ = strings.Cut(next, "\n")
	shell := exec.Command("sh", "-c", "rpctl() { echo ran; }\n"+next) // pasted as it is
	shell.Dir = t.TempDir()
	if output, err := shell.CombinedOutput(); err == nil || strings.Contains(string(output), "ran") {
		t.Errorf("%s runs without a reason: %s", next, output)
	}
	for typed, want := range map[string]exit.Code{"yes\n": exit.Unreachable, "y\n": exit.Refused, "": exit.Refused} {
		d := newDesk(t, args...)
		d.system.Asks, d.system.Stdin = true, strings.NewReader(typed)
		d.run(t, want)
	}
	newDesk(t, append(args, "--unreviewed", "a lab")...).run(t, exit.Unreachable)
}
