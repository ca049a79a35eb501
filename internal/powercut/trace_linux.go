package powercut

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// watcher is told of a process what it is about to write. The process stands still meanwhile.
type watcher interface {
	// before is called at each writing call, and says what becomes of it.
	before(c *call) (verdict, error)
	// after is called when the call has worked.
	after(c *call) error
	// told is called at each promise.
	told(what string) error
	// failed is called when the scene returns an error.
	failed(why string) error
}

// verdict is what becomes of a call. The zero value lets it be made.
type verdict struct {
	kill  bool       // the process ends here
	errno unix.Errno // the call is not made, and returns this
	size  uint64     // of a write not more than so many bytes are made; 0 is all
}

// trace runs the scene in a process of its own. killed says that a watcher ended it; a scene that
// fails is an error with what it printed.
func trace(test, scene, root string, w watcher, env ...string) (killed bool, err error) {
	done := make(chan struct{})
	go func() { // a goroutine of its own, whose thread is the tracer and nothing else afterwards
		defer close(done)
		runtime.LockOSThread()
		killed, err = traceHere(test, scene, root, w, env)
	}()
	<-done
	return killed, err
}

func traceHere(test, scene, root string, w watcher, env []string) (bool, error) {
	output, err := os.CreateTemp("", "powercut-")
	if err != nil {
		return false, err
	}
	defer output.Close()
	if err := os.Remove(output.Name()); err != nil {
		return false, err
	}
	pid, err := start(test, scene, root, output, env)
	if err != nil {
		return false, fmt.Errorf("cannot start the scene: %w", err)
	}
	t := &tracer{process: tracee{pid, root}, watcher: w, calls: map[int]*call{}, threads: map[int]bool{pid: true}}
	status, err := t.follow()
	switch {
	case err != nil:
		return false, errors.Join(err, t.kill())
	case status.Signaled() && t.killing:
		return true, nil
	case status.ExitStatus() != 0:
		text := make([]byte, 8<<10)
		n, _ := output.ReadAt(text, 0)
		return false, fmt.Errorf("scene %s ended with %v: %s", scene, status, text[:n])
	}
	return false, nil
}

func start(test, scene, root string, output *os.File, more []string) (int, error) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return 0, err
	}
	defer null.Close()
	promises, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return 0, err
	}
	defer promises.Close()
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	// One thread of Go code at a time: calls come in one order. The race detector sleeps a second before it ends.
	env := append(os.Environ(), sceneVariable+"="+scene, rootVariable+"="+root, "GOMAXPROCS=1", "GORACE=atexit_sleep_ms=0")
	env = append(env, more...)
	return syscall.ForkExec(self, []string{self, "-test.run=^" + test + "$", "-test.timeout=1m"}, &syscall.ProcAttr{
		Env:   env,
		Files: []uintptr{null.Fd(), output.Fd(), output.Fd(), promises.Fd()},
		// A group of its own: all its threads, and nothing else, are waited for by that.
		Sys: &syscall.SysProcAttr{Ptrace: true, Setpgid: true, Pdeathsig: syscall.SIGKILL},
	})
}

// tracer follows all threads of one process.
type tracer struct {
	process tracee
	watcher watcher
	threads map[int]bool
	calls   map[int]*call // that a thread is in
	begun   bool
	killing bool
}

const traceOptions = unix.PTRACE_O_TRACESYSGOOD | unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_EXITKILL

// syscallStop is what a stop at a system call says with PTRACE_O_TRACESYSGOOD.
const syscallStop = syscall.SIGTRAP | 0x80

// follow lets the process run to its end.
func (t *tracer) follow() (syscall.WaitStatus, error) {
	for {
		var status syscall.WaitStatus
		tid, err := syscall.Wait4(-t.process.pid, &status, syscall.WALL, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			return status, fmt.Errorf("cannot wait for the scene: %w", err)
		}
		if !status.Stopped() {
			if tid == t.process.pid {
				return status, nil
			}
			continue
		}
		signal, err := t.stopped(tid, status)
		if err != nil {
			return status, err
		}
		if err := unix.PtraceSyscall(tid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return status, fmt.Errorf("cannot go on: %w", err)
		}
	}
}

// stopped handles a stop of a thread and returns the signal that it is to get.
func (t *tracer) stopped(tid int, status syscall.WaitStatus) (int, error) {
	switch signal := status.StopSignal(); {
	case !t.begun: // the stop after exec
		t.begun = true
		return 0, unix.PtraceSetOptions(tid, traceOptions)
	case signal == syscallStop:
		return 0, t.atCall(tid)
	case signal == syscall.SIGTRAP: // a thread was made
		return 0, nil
	case signal == syscall.SIGSTOP && !t.threads[tid]: // and stands at its beginning
		t.threads[tid] = true
		return 0, nil
	default:
		return int(signal), nil
	}
}

// callInfo is struct ptrace_syscall_info (ptrace(2), since Linux 5.3), the same on every architecture.
type callInfo struct {
	op        uint8
	_         [3]uint8
	_         uint32
	_, _      uint64
	numberOrR uint64 // at entry the call, at exit what it returned
	args      [6]uint64
	_         [2]uint64
}

const (
	ptraceGetSyscallInfo = 0x420e
	infoEntry            = 1
	infoExit             = 2
)

func (t *tracer) atCall(tid int) error {
	var info callInfo
	_, _, errno := syscall.Syscall6(syscall.SYS_PTRACE, ptraceGetSyscallInfo, uintptr(tid), unsafe.Sizeof(info), uintptr(unsafe.Pointer(&info)), 0, 0)
	if errno == syscall.ESRCH { // it was killed
		return nil
	}
	if errno != 0 {
		return fmt.Errorf("cannot see a system call: %w", errno)
	}
	switch info.op {
	case infoEntry:
		return t.enter(tid, info)
	case infoExit:
		c := t.calls[tid]
		delete(t.calls, tid)
		switch {
		case c != nil && c.errno != 0:
			return setErrno(tid, c.errno)
		case c != nil && int64(info.numberOrR) >= 0:
			return t.watcher.after(c)
		}
	}
	return nil
}

func (t *tracer) enter(tid int, info callInfo) error {
	if t.killing {
		return nil
	}
	if info.numberOrR == unix.SYS_WRITE && info.args[0] == tellFD {
		what, err := t.process.memory(info.args[1], int(info.args[2]))
		if err != nil {
			return fmt.Errorf("cannot read a promise: %w", err)
		}
		if why, failed := strings.CutPrefix(string(what), failedMark); failed {
			return t.watcher.failed(why)
		}
		return t.watcher.told(string(what))
	}
	c, err := t.process.entering(tid, info.numberOrR, info.args)
	if err != nil || c == nil {
		return err
	}
	v, err := t.watcher.before(c)
	if err != nil {
		return err
	}
	t.calls[tid] = c
	switch {
	case v.kill:
		t.killing = true
		return syscall.Kill(t.process.pid, syscall.SIGKILL) // a call that was entered is not made (ptrace(2))
	case v.errno != 0:
		c.errno = v.errno
		return skipCall(tid)
	case v.size != 0:
		return setSize(tid, v.size)
	}
	return nil
}

// kill ends what is left after an error.
func (t *tracer) kill() error {
	err := syscall.Kill(t.process.pid, syscall.SIGKILL)
	for {
		var status syscall.WaitStatus
		tid, waited := syscall.Wait4(-t.process.pid, &status, syscall.WALL, nil)
		if errors.Is(waited, syscall.EINTR) {
			continue
		}
		if waited != nil || tid == t.process.pid && !status.Stopped() {
			return err
		}
	}
}
