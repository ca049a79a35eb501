package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/re-connect/rpctl/agent/embedded/jobengine"
	"github.com/re-connect/rpctl/agent/internal/jobs"
	"github.com/re-connect/rpctl/agent/internal/jobs/console"
	"github.com/re-connect/rpctl/agent/internal/receiptkey"
	"github.com/re-connect/rpctl/agent/internal/release"
	"github.com/re-connect/rpctl/internal/signature"
	"github.com/re-connect/rpctl/proto"
)

// runnerRestart is the delay of rp-agent-run@.service.
const runnerRestart = time.Second

// publicKey is the public half of the host's receipt key, in its state folder.
const publicKey = receiptkey.Name + ".pub"

// ReceiptKey is the public half of the key that signs this host's receipts, one line; empty
// where the host runs no migrations.
func (h *Host) ReceiptKey() string { return h.session.ReceiptKey }

// Jobs is the engine under the host's migrations, to kill a runner as a test would; nil where there are none.
func (h *Host) Jobs() *jobengine.Engine { return h.jobs }

// migrations gives the host what plans are run with, when its configuration has a console.
func (h *Host) migrations() error {
	if h.options.Config.Console == nil {
		return nil
	}
	folders := console.FoldersIn(filepath.Join(h.options.State, "console"))
	for _, folder := range []string{folders.Specs, folders.Output, folders.Ends} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return fmt.Errorf("cannot make the console's folders: %w", err)
		}
	}
	var err error
	if h.session.ReceiptKey, err = h.receiptKey(); err != nil {
		return err
	}
	parts := jobs.Parts{
		Name: h.options.Name, Config: h.options.Config, State: h.options.State, Folders: folders,
		Releases:  release.Layout{Path: h.options.Config.Application.Path},
		Approvers: func() (signature.Signers, error) { all, _, err := h.approvers(); return all, err },
		Hosts:     func() (signature.Signers, error) { all, _, err := h.trustedHosts(); return all, err },
		Now:       h.options.Now,
	}
	h.session.Signers = func() *proto.SignerDigests {
		_, people, _ := h.approvers() // a file that cannot be used has no digest
		_, hosts, _ := h.trustedHosts()
		return &proto.SignerDigests{Approvers: people, TrustedHosts: hosts}
	}
	h.jobs = jobengine.New(jobengine.Options{
		Folders: folders, Restart: runnerRestart,
		Command: func(id console.ID) ([]string, string, []string, error) { return command(parts, id) },
		Run:     func(ctx context.Context, id proto.JobID) error { return parts.Runner().Run(ctx, id) },
	})
	parts.Engine = h.jobs
	h.session.Jobs = parts.Service()
	return nil
}

// command is what `rp-agent console` would become on a real host.
func command(parts jobs.Parts, id console.ID) (argv []string, dir string, env []string, err error) {
	run, err := parts.Command(id, uint32(os.Getuid()), id.Dry())
	return run.Argv, run.Dir, console.Environ(func(string) string { return "" }), err
}

// receiptKey makes the host's key at its first boot, and gives its public half.
func (h *Host) receiptKey() (string, error) {
	public := filepath.Join(h.options.State, publicKey)
	if line, err := os.ReadFile(public); err == nil {
		return strings.TrimSpace(string(line)), nil
	}
	private, line, err := receiptkey.Generate("rp-agent@" + h.options.Name)
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(h.options.State, receiptkey.Name), private, 0o600); err != nil {
		return "", fmt.Errorf("cannot keep the receipt key: %w", err)
	}
	if err := os.WriteFile(public, line, 0o644); err != nil {
		return "", fmt.Errorf("cannot keep the receipt key: %w", err)
	}
	return strings.TrimSpace(string(line)), nil
}

// signers reads a file of accepted keys in the state folder, which plays /etc/rp-agent here, and its digest; a file
// that is not there accepts nobody.
func (h *Host) signers(name string, parse func([]byte) (signature.Signers, error)) (signature.Signers, string, error) {
	data, err := os.ReadFile(filepath.Join(h.options.State, name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, "", err
	}
	all, err := parse(data)
	if err != nil {
		return nil, "", err
	}
	return all, signature.Digest(data), nil
}

func (h *Host) approvers() (signature.Signers, string, error) {
	return h.signers("approvers", signature.ParseSigners)
}

func (h *Host) trustedHosts() (signature.Signers, string, error) {
	return h.signers("trusted_hosts", func(data []byte) (signature.Signers, error) {
		hosts, err := signature.ParseHosts("trusted_hosts", data)
		return signature.HostSigners(hosts), err
	})
}
