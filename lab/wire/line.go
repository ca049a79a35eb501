package wire

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	chunkSize = 4 << 10
	// onTheWay bounds the chunks of one direction that are delayed: a megabyte.
	onTheWay = 256
	// beat is how often a narrow line lets bytes through.
	beat = 50 * time.Millisecond
)

// line is one connection: the client's and the host's, and what passes between them.
type line struct {
	client, host *net.TCPConn
	weather      func() Weather
	struck       func() // called when the line is cut
	up, down     direction
	muted        atomic.Bool
	over         chan struct{} // closed when nothing passes any more
	once         sync.Once
}

// direction is the bytes of one side.
type direction struct {
	from, to *net.TCPConn
	passed   atomic.Int64
	cut      *Cut // of this direction
}

// chunk is bytes that arrive at a certain time; no bytes are the end of them.
type chunk struct {
	bytes []byte
	due   time.Time
}

func newLine(client, host *net.TCPConn, cut *Cut, weather func() Weather, struck func()) *line {
	l := &line{client: client, host: host, weather: weather, struck: struck, over: make(chan struct{})}
	l.up.from, l.up.to, l.down.from, l.down.to = client, host, host, client
	switch {
	case cut == nil:
	case cut.Up:
		l.up.cut = cut
	default:
		l.down.cut = cut
	}
	return l
}

// run carries bytes until both sides have ended, or the line is broken.
func (l *line) run() {
	var wait sync.WaitGroup
	for _, d := range []*direction{&l.up, &l.down} {
		if d.cut != nil && d.cut.After <= 0 {
			l.cut(d)
		}
		arriving := make(chan chunk, onTheWay)
		wait.Go(func() { l.take(d, arriving) })
		wait.Go(func() { l.give(d, arriving) })
	}
	wait.Wait()
	l.shut()
}

func (l *line) cut(d *direction) {
	l.struck()
	l.end(d.cut.How)
}

// end ends the line. One that is mute stays so until both sides have given up. Where both are told with
// FIN, what they still say is read and dropped: to close(2) with bytes unread would send RST.
func (l *line) end(how Ending) {
	if how == Mute {
		l.muted.Store(true)
		return
	}
	l.once.Do(func() {
		close(l.over)
		for _, conn := range []*net.TCPConn{l.client, l.host} {
			if how == Reset {
				_ = conn.SetLinger(0) // close(2) then sends RST
				_ = conn.Close()
			} else {
				_ = conn.CloseWrite() // it may be closed
			}
		}
	})
}

// shut leaves nothing of the line, whatever its sides do.
func (l *line) shut() {
	l.once.Do(func() { close(l.over) })
	_, _ = l.client.Close(), l.host.Close()
}

// dead says whether nothing passes any more.
func (l *line) dead() bool {
	select {
	case <-l.over:
		return true
	default:
		return l.muted.Load()
	}
}

// take reads what one side says.
func (l *line) take(d *direction, arriving chan<- chunk) {
	defer close(arriving)
	for {
		buffer := make([]byte, chunkSize)
		n, err := d.from.Read(buffer)
		if n > 0 && !l.dead() {
			select {
			case arriving <- chunk{buffer[:n], time.Now().Add(l.weather().Latency)}:
			case <-l.over: // read on: see end
			}
		}
		if err != nil {
			return
		}
	}
}

// give writes it to the other side when its time has come.
func (l *line) give(d *direction, arriving <-chan chunk) {
	for c := range arriving {
		l.pause(time.Until(c.due))
		for rest := c.bytes; len(rest) > 0; {
			n, ok := l.write(d, rest)
			if !ok {
				break // what still comes is dropped, so that its sender is not held up
			}
			rest = rest[n:]
		}
	}
	if !l.muted.Load() {
		_ = d.to.CloseWrite() // it may be closed
	}
}

// write lets the first bytes through, as many as the weather allows at once.
func (l *line) write(d *direction, bytes []byte) (n int, ok bool) {
	if l.dead() {
		return 0, false
	}
	w := l.weather()
	if w.Slice > 0 {
		bytes = bytes[:min(len(bytes), w.Slice)]
	}
	if w.Rate > 0 {
		bytes = bytes[:min(len(bytes), max(1, int(int64(w.Rate)*int64(beat)/int64(time.Second))))]
		l.pause(beat)
	}
	ends := false
	if d.cut != nil {
		left := d.cut.After - d.passed.Load()
		if ends = int64(len(bytes)) >= left; ends {
			bytes = bytes[:max(left, 0)]
		}
	}
	d.passed.Add(int64(len(bytes))) // first: who reads them may ask at once
	n, err := d.to.Write(bytes)
	switch {
	case ends:
		l.cut(d)
	case err != nil: // its reader has gone: the writer hears of it as without a proxy
		l.end(Reset)
	}
	return n, err == nil && !ends
}

// pause waits, but not beyond the end of the line.
func (l *line) pause(d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.over:
	}
}
