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
	out   io.Writer
	leave func() // is told when who reads has left
	mu    sync.Mutex
	err   error
}

func (p *paper) Write(text []byte) (int, error) {
	n, err := p.out.Write(text)
	if err != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.err == nil {
			p.err = err
		}
		if left(err) {
			p.leave()
		}
	}
	return n, err
}

// left says that who read has left, as with `| head`.
func left(err error) bool { return errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe) }

// unread says that who read has left.
func (p *paper) unread() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return left(p.err)
}

// lost is why what was printed is not whole; nil too where who read it has left (`| head`), and misses nothing.
func (p *paper) lost() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if left(p.err) {
		return nil
	}
	var at *fs.PathError
	if errors.As(p.err, &at) {
		return at.Err
	}
	return p.err
}

// changes says that what is done counts more than what is printed of it: it goes on when who reads
// has left, and really changing something, it ends well when the output could not be written. Other
// commands end, and end well, when nobody reads on.
func (a *app) changes(really bool) {
	a.stays.Store(true)
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

// goesOn says that a job is followed on although its output was lost by err.
func (a *app) goesOn(err error) bool { return a.acts || a.stays.Load() && left(err) }
