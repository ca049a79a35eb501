package cli

import (
	"errors"
	"io"
	"io/fs"
	"sync"
	"syscall"

	"github.com/re-connect/rpctl/controller/internal/exit"
)

// paper is standard output. It remembers the first write that failed: a full disk must not pass
// for success where what is printed is all that was asked for.
type paper struct {
	out io.Writer
	mu  sync.Mutex
	err error
}

func (p *paper) Write(text []byte) (int, error) {
	n, err := p.out.Write(text)
	if err != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.err == nil {
			p.err = err
		}
	}
	return n, err
}

// lost is why what was printed is not whole; nil too where who read it has left (`| head`), and misses nothing.
func (p *paper) lost() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if errors.Is(p.err, syscall.EPIPE) || errors.Is(p.err, io.ErrClosedPipe) {
		return nil
	}
	var at *fs.PathError
	if errors.As(p.err, &at) {
		return at.Err
	}
	return p.err
}

// changes says that what is done counts more than what is printed of it: it goes on when who reads
// has left, and really changing something, it ends well when the output could not be written.
func (a *app) changes(really bool) {
	if a.KeepPipes != nil {
		a.KeepPipes()
	}
	a.acts = really
}

// unwritten is the failure of a command whose output could not be written.
func (a *app) unwritten(failure *exit.Error) *exit.Error {
	lost := a.paper.lost()
	if lost == nil || a.acts || failure != nil && !errors.Is(failure.Err, a.paper.err) {
		return failure
	}
	told := exit.Error{Message: "cannot write the output: " + lost.Error(), Err: lost}
	if failure != nil && failure.Next != "" { // of a job, which goes on
		told = *failure
	}
	told.Code = exit.LocalFailed
	return &told
}
