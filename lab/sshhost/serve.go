package sshhost

import (
	"context"
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

// serve is one connection from accept to end.
func (s *Server) serve(conn net.Conn) {
	defer conn.Close()
	if s.options.Faults.DropHandshake || !s.track(conn) {
		return
	}
	defer s.untrack(conn)
	if s.options.Faults.StallHandshake {
		_, _ = io.Copy(io.Discard, conn)
		return
	}
	client, channels, requests, err := ssh.NewServerConn(conn, s.config)
	if err != nil {
		return
	}
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	var serving sync.WaitGroup
	defer serving.Wait()
	serving.Go(func() { s.globalRequests(requests) })
	for opened := range channels {
		switch {
		case opened.ChannelType() == "session":
			serving.Go(func() { s.session(ctx, client, opened) })
		case opened.ChannelType() == "direct-tcpip" && s.options.Forward:
			serving.Go(func() { forward(ctx, opened) })
		case opened.ChannelType() == "direct-tcpip":
			_ = opened.Reject(ssh.Prohibited, "forwarding is not allowed here")
		default:
			_ = opened.Reject(ssh.UnknownChannelType, "unknown channel type")
		}
	}
	cancel()
}

// globalRequests answers keepalives as sshd does: with a refusal, which proves life.
func (s *Server) globalRequests(requests <-chan *ssh.Request) {
	for request := range requests {
		if request.WantReply && !s.options.Faults.MuteKeepalive {
			_ = request.Reply(false, nil)
		}
	}
}

// session serves one channel: the first exec or subsystem request decides what it is.
func (s *Server) session(ctx context.Context, client *ssh.ServerConn, opened ssh.NewChannel) {
	channel, requests, err := opened.Accept()
	if err != nil {
		return
	}
	defer channel.Close()
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel() // when requests ends, the client has closed the channel
	taken := false
	for request := range requests {
		start := s.starter(ctx, client, channel, request)
		accepted := start != nil && !taken
		if request.WantReply {
			_ = request.Reply(accepted, nil)
		}
		if accepted {
			taken = true
			running.Go(func() {
				defer channel.Close()
				start()
			})
		}
	}
}

// starter is what a request on a session channel asks for, or nil when that is refused.
func (s *Server) starter(ctx context.Context, client *ssh.ServerConn, channel ssh.Channel, request *ssh.Request) func() {
	var body struct{ Text string }
	if ssh.Unmarshal(request.Payload, &body) != nil {
		return nil
	}
	switch {
	case request.Type == "exec" && s.options.Handler != nil:
		return func() {
			s.exec(ctx, client, channel, Request{body.Text, client.User(), client.RemoteAddr(), client.LocalAddr()})
		}
	case request.Type == "subsystem" && body.Text == "sftp" && s.options.SFTPRoot != "":
		return func() { s.sftp(channel) }
	default:
		return nil
	}
}

func (s *Server) exec(ctx context.Context, client *ssh.ServerConn, channel ssh.Channel, request Request) {
	faults := s.options.Faults
	var stdout io.Writer = channel
	if faults.CutAfter > 0 {
		cut := &cutter{out: channel, cut: func() { client.Close() }}
		cut.left.Store(faults.CutAfter)
		stdout = cut
	}
	if faults.Delay > 0 {
		select {
		case <-time.After(faults.Delay):
		case <-ctx.Done():
			return
		}
	}
	if _, err := io.WriteString(stdout, faults.Noise); err != nil {
		return
	}
	status := s.options.Handler(ctx, request, channel, stdout, channel.Stderr())
	_ = channel.CloseWrite()
	if status >= 0 {
		_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{uint32(status)}))
	}
}

func (s *Server) sftp(channel ssh.Channel) {
	server, err := sftp.NewServer(channel, sftp.WithServerWorkingDirectory(s.options.SFTPRoot))
	if err != nil {
		return
	}
	_ = server.Serve()
	_ = server.Close()
}

// forward joins a direct-tcpip channel (RFC 4254, 7.2) to the address that it asks for.
func forward(ctx context.Context, opened ssh.NewChannel) {
	var target struct {
		Host       string
		Port       uint32
		OriginHost string
		OriginPort uint32
	}
	if err := ssh.Unmarshal(opened.ExtraData(), &target); err != nil {
		_ = opened.Reject(ssh.ConnectionFailed, "bad forwarding request")
		return
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(target.Host, strconv.Itoa(int(target.Port))))
	if err != nil {
		_ = opened.Reject(ssh.ConnectionFailed, "connect failed: "+err.Error())
		return
	}
	defer conn.Close()
	channel, requests, err := opened.Accept()
	if err != nil {
		return
	}
	defer channel.Close()
	go ssh.DiscardRequests(requests)
	stop := context.AfterFunc(ctx, func() { conn.Close(); channel.Close() })
	defer stop()
	var upstream sync.WaitGroup
	upstream.Go(func() {
		_, _ = io.Copy(conn, channel)
		_ = conn.(*net.TCPConn).CloseWrite()
	})
	_, _ = io.Copy(channel, conn)
	_ = channel.CloseWrite()
	upstream.Wait()
}

// cutter passes so many bytes and then cuts the connection.
type cutter struct {
	out  io.Writer
	left atomic.Int64
	cut  func()
}

func (c *cutter) Write(data []byte) (int, error) {
	allowed := c.left.Add(-int64(len(data))) + int64(len(data))
	if allowed > int64(len(data)) {
		return c.out.Write(data)
	}
	n, _ := c.out.Write(data[:max(allowed, 0)])
	c.cut()
	return n, io.ErrClosedPipe
}
