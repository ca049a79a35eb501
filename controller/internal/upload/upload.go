// Package upload carries a file to a host over an SSH connection: by SFTP where
// the host has it, through the exec channel where it does not (some bastions
// forbid the subsystem). What arrived is checked by its sha256 before it gets its name.
package upload

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

// Host is what an upload needs of a connection.
type Host interface {
	// Run runs a command with data as its standard input and returns its standard output, at most
	// 64 KiB of it. A command that ends with another status than 0 is an error with what it said.
	Run(ctx context.Context, command string, stdin io.Reader) (stdout []byte, err error)
	// Client is the connection itself, for SFTP.
	Client() *ssh.Client
}

// safePath is what goes into a command line unquoted; the caller makes the names.
var safePath = regexp.MustCompile(`^[A-Za-z0-9._/-]+$`)

// To writes data to path on the host, executable by its owner, and says how it
// went there: "sftp" or "exec". The file has its name only once its sum is right.
func To(ctx context.Context, host Host, path string, data []byte) (via string, err error) {
	if !safePath.MatchString(path) || strings.HasPrefix(path, "-") {
		return "", fmt.Errorf("cannot upload to %q: the name is not a plain one", path)
	}
	part := path + ".part"
	via = "sftp"
	if err := within(ctx, func() error { return bySFTP(host.Client(), part, data) }); err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		via = "exec"
		if _, second := host.Run(ctx, "dd bs=65536 of="+part, bytes.NewReader(data)); second != nil {
			return "", fmt.Errorf("cannot upload: by sftp: %w; by exec: %w", err, second)
		}
	}
	if err := check(ctx, host, part, data); err != nil {
		return "", err
	}
	for _, command := range []string{"chmod 700 " + part, "mv -f " + part + " " + path} {
		if _, err := host.Run(ctx, command, nil); err != nil {
			return "", fmt.Errorf("cannot upload: %w", err)
		}
	}
	return via, nil
}

// within does what knows no context, until ctx ends; what still runs then ends with the connection.
func within(ctx context.Context, do func() error) error {
	done := make(chan error, 1)
	go func() { done <- do() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// bySFTP writes through the subsystem. Its errors only say that another way is to be tried.
func bySFTP(client *ssh.Client, path string, data []byte) (err error) {
	if client == nil {
		return errors.New("there is no connection of our own")
	}
	session, err := sftp.NewClient(client, sftp.UseConcurrentWrites(true))
	if err != nil {
		return err
	}
	defer func() { _ = session.Close() }()
	file, err := session.Create(path)
	if err != nil {
		return err
	}
	_, err = file.ReadFrom(bytes.NewReader(data))
	return errors.Join(err, file.Close())
}

// check compares what arrived with what was sent.
func check(ctx context.Context, host Host, path string, data []byte) error {
	answer, err := host.Run(ctx, "sha256sum "+path, nil)
	if err != nil {
		return fmt.Errorf("cannot check the upload: %w", err)
	}
	if got, _, _ := strings.Cut(string(answer), " "); got != Sum(data) {
		return fmt.Errorf("cannot upload: what arrived is not what was sent (sha256 %.12s… instead of %.12s…); try again", got, Sum(data))
	}
	return nil
}

// Sum is the sha256 of data, hex, as sha256sum prints it.
func Sum(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
