package wire_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/re-connect/rpctl/lab/wire"
)

// pair is a client and the host's side of its connection, through a proxy.
func pair(t *testing.T, prepare func(*wire.Proxy)) (p *wire.Proxy, client, host net.Conn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if p, err = wire.Listen(listener.Addr().String()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	prepare(p)
	if client, err = net.Dial("tcp", p.Addr().String()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	if host, err = listener.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { host.Close() })
	return p, client, host
}

func nothing(*wire.Proxy) {}

func TestBytesAndEndsPass(t *testing.T) {
	for name, w := range map[string]wire.Weather{
		"fair": {}, "late": {Latency: 5 * time.Millisecond}, "in slices": {Slice: 1}, "narrow": {Rate: 1 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			p, client, host := pair(t, func(p *wire.Proxy) { p.Turn(w) })
			want := bytes.Repeat([]byte("byte "), 3000)
			go func() {
				_, _ = client.Write(want)
				_ = client.(*net.TCPConn).CloseWrite()
			}()
			got, err := io.ReadAll(host)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d of %d bytes arrive, %v", len(got), len(want), err)
			}
			if _, err := host.Write([]byte("and back")); err != nil { // half closed is not closed
				t.Fatal(err)
			}
			host.Close()
			if got, err := io.ReadAll(client); string(got) != "and back" {
				t.Errorf("%q comes back, %v", got, err)
			}
			if up, down := p.Passed(); up != int64(len(want)) || down != 8 {
				t.Errorf("%d bytes up, %d down", up, down)
			}
		})
	}
}

func TestLatencyAndRate(t *testing.T) {
	for name, c := range map[string]struct {
		weather wire.Weather
		bytes   int
		least   time.Duration
	}{
		"latency": {wire.Weather{Latency: 60 * time.Millisecond}, 1, 60 * time.Millisecond},
		"rate":    {wire.Weather{Rate: 1000}, 150, 140 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			_, client, host := pair(t, func(p *wire.Proxy) { p.Turn(c.weather) })
			began := time.Now()
			if _, err := client.Write(make([]byte, c.bytes)); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(host, make([]byte, c.bytes)); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took < c.least {
				t.Errorf("%d bytes took %s", c.bytes, took)
			}
		})
	}
}

// TestCutIsExact: as many bytes as were said arrive, and then the end that was said.
func TestCutIsExact(t *testing.T) {
	for _, after := range []int64{0, 1, 2, 4095, 4096, 4097, 9999} {
		for how, want := range map[wire.Ending]error{wire.Close: io.EOF, wire.Reset: syscall.ECONNRESET} {
			if after == 0 && how == wire.Reset {
				continue // the connect itself may hear of it
			}
			_, client, host := pair(t, func(p *wire.Proxy) { p.CutEach(&wire.Cut{After: after, How: how}) })
			go func() { _, _ = host.Write(make([]byte, 10000)) }()
			n, err := io.Copy(io.Discard, client)
			if err == nil {
				err = io.EOF
			}
			// RST may overtake bytes that the client has not read.
			if !errors.Is(err, want) || n > after || how == wire.Close && n != after {
				t.Errorf("cut after %d (%d): %d bytes, then %v", after, how, n, err)
			}
		}
	}
}

// TestMuteTellsNobody: nothing arrives any more, not even the end of the other side.
func TestMuteTellsNobody(t *testing.T) {
	p, client, host := pair(t, nothing)
	if _, err := client.Write([]byte("a")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(host, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if n := p.End(wire.Mute); n != 1 {
		t.Fatalf("%d lines", n)
	}
	if _, err := client.Write([]byte("b")); err != nil {
		t.Fatal(err)
	}
	client.Close()
	_ = host.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if n, err := host.Read(make([]byte, 1)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%d bytes, %v", n, err)
	}
}

// TestNextIsOne: the cut of the next connection is not that of the one after it.
func TestNextIsOne(t *testing.T) {
	_, client, host := pair(t, func(p *wire.Proxy) {
		p.CutEach(&wire.Cut{After: 3})
		p.CutNext(wire.Cut{After: 1, Up: true})
	})
	_, _ = client.Write([]byte("abc"))
	if got, _ := io.ReadAll(host); string(got) != "a" {
		t.Errorf("%q arrives", got)
	}
}

// TestCloseIsNoReset: who is still talking when the line is closed hears the end, and no RST.
func TestCloseIsNoReset(t *testing.T) {
	p, client, host := pair(t, func(p *wire.Proxy) { p.CutEach(&wire.Cut{After: 1}) })
	talk := make([]byte, 1<<20)
	talked := make(chan struct{})
	go func() {
		defer close(talked)
		_, _ = client.Write(talk) // all of it is taken, and dropped
	}()
	if _, err := host.Write([]byte("ab")); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(client); string(got) != "a" || err != nil {
		t.Errorf("%q arrives, then %v", got, err)
	}
	if _, err := io.Copy(io.Discard, host); err != nil {
		t.Errorf("the host hears %v", err)
	}
	<-talked
	if p.Cuts() != 1 {
		t.Errorf("%d connections were cut", p.Cuts())
	}
}

// TestIdle: a connection is over when both sides have closed it.
func TestIdle(t *testing.T) {
	p, client, host := pair(t, nothing)
	now, cancel := context.WithCancel(t.Context())
	cancel()
	for _, side := range []net.Conn{client, host} {
		if err := p.Idle(now); err == nil {
			t.Error("a connection that is open counts as over")
		}
		side.Close()
	}
	if err := p.Idle(t.Context()); err != nil {
		t.Error(err)
	}
	if err := p.Idle(now); err != nil {
		t.Errorf("nothing is open, and still %v", err)
	}
}
