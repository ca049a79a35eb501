package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/re-connect/rpctl/lab"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/systemd"
)

// insideFlag is the word by which this program knows that it runs on the host that it measures.
const insideFlag = "inside"

// agent is what the agent itself costs, measured on the host by a copy of this program.
func (b *bench) agent() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	host := b.lab.Host(lab.Preprod)
	if err := host.CopyIn(b.ctx, self, "/root/bench", 0o755); err != nil {
		return err
	}
	out, err := host.Run(b.ctx, "/root/bench", "-"+insideFlag, "-runs", strconv.Itoa(2*b.runs))
	fmt.Fprint(b.out, out)
	return err
}

// agentRun is one start of the agent: how long it took, and what it had in memory then and after a status.
type agentRun struct {
	greeting         time.Duration
	greeted, replied resident
}

// resident is a process's memory in KiB, as proc(5) tells it: the peak of all that was resident (VmHWM),
// and what now is its own (RssAnon). The rest is pages of its file, which all instances share.
type resident struct{ peak, own int64 }

// inside measures the agent on this very host, as its own user.
func inside(runs int) error {
	var all []agentRun
	var activated []time.Duration
	for range runs {
		one, err := startAgent()
		if err != nil {
			return err
		}
		all = append(all, one)
		took, err := activate()
		if err != nil {
			return err
		}
		activated = append(activated, took)
	}
	greeting := of(all, func(r agentRun) time.Duration { return r.greeting })
	fmt.Printf("%-52s %8.1f ms  (aim 3 ms)\n", "rp-agent: start to its first reply", ms(greeting))
	printMemory("at its first reply", all, func(r agentRun) resident { return r.greeted })
	printMemory("after a status of four workers", all, func(r agentRun) resident { return r.replied })
	fmt.Printf("%-52s %8.1f ms\n", "rp-agent: connect to first reply, started by systemd", ms(median(activated)))
	return nil
}

func printMemory(when string, all []agentRun, at func(agentRun) resident) {
	peak, own := of(all, func(r agentRun) int64 { return at(r).peak }), of(all, func(r agentRun) int64 { return at(r).own })
	fmt.Printf("%-52s %8.1f MB, of which its own %.1f MB  (aim 8 MB)\n", "rp-agent: peak memory "+when, kib(peak), kib(own))
}

func of[T cmp.Ordered](all []agentRun, field func(agentRun) T) T {
	var values []T
	for _, one := range all {
		values = append(values, field(one))
	}
	slices.Sort(values)
	return values[len(values)/2]
}

func kib(n int64) float64 { return float64(n) * 1024 / 1e6 }

// startAgent starts the agent on one end of a socket, as systemd does, and asks it for a status.
func startAgent() (agentRun, error) {
	var one agentRun
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return one, err
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "ours"), os.NewFile(uintptr(pair[1]), "theirs")
	defer ours.Close()
	command := exec.Command(systemd.Binary, "instance")
	command.Stdin, command.Stdout, command.Stderr = theirs, theirs, os.Stderr
	if command.SysProcAttr, err = as(systemd.User); err != nil {
		return one, err
	}
	began := time.Now()
	if err := errors.Join(command.Start(), theirs.Close()); err != nil {
		return one, err
	}
	answers := bufio.NewReader(ours)
	if _, err := answers.ReadString('\n'); err != nil {
		return one, err
	}
	one.greeting = time.Since(began)
	one.greeted = residentOf(command.Process.Pid)
	if _, err := fmt.Fprintln(ours, `{"id":1,"protocol":1,"op":"status"}`); err != nil {
		return one, err
	}
	if line, err := answers.ReadString('\n'); err != nil || !strings.Contains(line, `"done"`) {
		return one, fmt.Errorf("no status: %w: %s", err, line)
	}
	one.replied = residentOf(command.Process.Pid)
	return one, errors.Join(ours.Close(), command.Wait())
}

// as is another user, with that user's own groups.
func as(name string) (*syscall.SysProcAttr, error) {
	account, err := user.Lookup(name)
	if err != nil {
		return nil, err
	}
	groups, err := account.GroupIds()
	if err != nil {
		return nil, err
	}
	credential := &syscall.Credential{Uid: number(account.Uid), Gid: number(account.Gid)}
	for _, group := range groups {
		credential.Groups = append(credential.Groups, number(group))
	}
	return &syscall.SysProcAttr{Credential: credential}, nil
}

func number(id string) uint32 {
	n, err := strconv.ParseUint(id, 10, 32)
	if err != nil {
		panic(err) // the system's own number of a user or a group
	}
	return uint32(n)
}

// residentOf reads it while the process still runs: what wait4 tells of a child may be its parent's.
func residentOf(pid int) resident {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return resident{}
	}
	return resident{peak: kibOf(string(status), "VmHWM:"), own: kibOf(string(status), "RssAnon:")}
}

func kibOf(status, field string) int64 {
	_, after, _ := strings.Cut(status, field)
	value, _, _ := strings.Cut(strings.TrimSpace(after), " ")
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// activate connects to the agent's socket and waits for the greeting.
func activate() (time.Duration, error) {
	began := time.Now()
	conn, err := net.Dial("unix", proto.SocketPath)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	_, err = bufio.NewReader(conn).ReadString('\n')
	return time.Since(began), err
}
