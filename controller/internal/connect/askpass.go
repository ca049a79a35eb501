package connect

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/re-connect/rpctl/internal/printable"
)

// askpassSocket names the variable that tells this program that ssh started it to ask a question.
const askpassSocket = "RPCTL_ASKPASS_SOCKET"

// Askpass is this program's part as ssh's SSH_ASKPASS (ssh(1)): it passes the question to the rpctl that started ssh,
// and prints the answer. asked is false where ssh did not start this program; code is the exit status otherwise.
func Askpass(args []string, getenv func(string) string, stdout io.Writer) (code int, asked bool) {
	socket := getenv(askpassSocket)
	if socket == "" {
		return 0, false
	}
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return 1, true
	}
	defer conn.Close()
	kind := getenv("SSH_ASKPASS_PROMPT") // "confirm", "none" for a notice, or empty for a secret
	_, err = io.WriteString(conn, kind+"\n"+strings.Join(args, " "))
	if err == nil {
		err = conn.(*net.UnixConn).CloseWrite()
	}
	answer, readErr := io.ReadAll(io.LimitReader(conn, maxAnswer))
	if err != nil || readErr != nil || len(answer) == 0 { // an answer ends with a newline; none was refused
		return 1, true
	}
	_, err = stdout.Write(answer)
	clear(answer)
	if err != nil {
		return 1, true
	}
	return 0, true
}

// maxAnswer and maxQuestion bound what is read, in bytes.
const maxAnswer, maxQuestion = 4 << 10, 4 << 10

// answer lets ssh ask its questions (passphrases, passwords, second factors) through Options.Prompt, one at a time.
// Without Prompt ssh asks nothing. stop ends it.
func (d *Dialer) answer(ctx context.Context, command *exec.Cmd, folder string, patience *patience) (stop func(), err error) {
	command.Env = append(os.Environ(), "SSH_ASKPASS=", "SSH_ASKPASS_REQUIRE=never")
	if d.options.Prompt == nil {
		return func() {}, nil
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	socket := filepath.Join(folder, "ask")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return nil, err
	}
	command.Env = append(command.Env, "SSH_ASKPASS="+self, "SSH_ASKPASS_REQUIRE=force", askpassSocket+"="+socket)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			d.answerOne(ctx, conn, patience)
		}
	}()
	return func() { listener.Close(); <-done }, nil
}

// answerOne answers one question. The text may come from the host (keyboard-interactive), so it is cleaned.
func (d *Dialer) answerOne(ctx context.Context, conn net.Conn, patience *patience) {
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	question, err := io.ReadAll(io.LimitReader(conn, maxQuestion))
	if err != nil {
		return
	}
	kind, text, _ := strings.Cut(string(question), "\n")
	defer patience.human()()
	if kind == "none" { // a key that wants a touch; ssh takes the notice away itself
		if d.options.Notice != nil {
			d.options.Notice(printable.Excerpt(text, 200))
		}
		return
	}
	answer, err := d.keys.question(ctx, d.options.Prompt, printable.Excerpt(text, 200))
	defer clear(answer)
	if err == nil && !errors.Is(ctx.Err(), context.Canceled) {
		_, _ = conn.Write(answer)
		_, _ = conn.Write([]byte{'\n'}) // not appended: a copy of the answer would not be cleared
	}
}
