package lease

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/re-connect/rpctl/proto"
)

// holdVariable makes this test binary the child that takes the lease and waits to be killed.
const holdVariable = "RP_AGENT_TEST_HOLD_LEASE"

func TestMain(m *testing.M) {
	if dir := os.Getenv(holdVariable); dir != "" {
		if _, err := Acquire(dir, alice()); err != nil {
			os.Stdout.WriteString("error: " + err.Error() + "\n")
			os.Exit(1)
		}
		os.Stdout.WriteString("held\n")
		select {}
	}
	os.Exit(m.Run())
}

func alice() proto.Holder {
	return proto.Holder{Operator: "alice@laptop", User: "home", UID: 1000, Purpose: "deploy",
		Since: time.Date(2026, 11, 20, 14, 3, 12, 0, time.UTC)}
}

func TestSecondTakerIsToldWhoHoldsTheHost(t *testing.T) {
	dir := t.TempDir()
	first, err := Acquire(dir, alice())
	if err != nil {
		t.Fatal(err)
	}
	_, err = Acquire(dir, proto.Holder{Operator: "bob@desk", User: "home", Purpose: "restart"})
	var refusal *proto.Error
	if !errors.As(err, &refusal) || refusal.Code != proto.CodeLeaseHeld {
		t.Fatalf("second Acquire: %v, want lease_held", err)
	}
	if refusal.Holder == nil || *refusal.Holder != alice() || refusal.Advice.Text() == "" {
		t.Errorf("refusal = %+v, holder = %+v", refusal, refusal.Holder)
	}
	for _, want := range []string{"alice@laptop", "deploy", "2026-11-20 14:03:12"} {
		if !strings.Contains(string(refusal.Message), want) {
			t.Errorf("message %q does not say %q", refusal.Message, want)
		}
	}
	if holder, err := HolderOf(dir); err != nil || holder == nil || *holder != alice() {
		t.Errorf("HolderOf = %+v, %v", holder, err)
	}
	if err := first.Release(); err != nil {
		t.Fatal(err)
	}
	if err := first.Release(); err != nil {
		t.Errorf("second Release: %v", err)
	}
	if holder, err := HolderOf(dir); err != nil || holder != nil {
		t.Errorf("after Release HolderOf = %+v, %v", holder, err)
	}
	second, err := Acquire(dir, alice())
	if err != nil {
		t.Fatalf("after Release: %v", err)
	}
	_ = second.Release()
}

func TestLeaseDiesWithItsHolder(t *testing.T) {
	dir := t.TempDir()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), holdVariable+"="+dir)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	if line != "held\n" {
		_ = child.Process.Kill()
		t.Fatalf("child says %q", line)
	}
	if _, err := Acquire(dir, alice()); err == nil {
		t.Error("the host could be taken while the child held it")
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()

	if _, err := os.Stat(filepath.Join(dir, holderName)); err != nil {
		t.Errorf("the killed child was to leave its holder file: %v", err)
	}
	if holder, err := HolderOf(dir); err != nil || holder != nil {
		t.Errorf("HolderOf after the kill = %+v, %v; want nobody", holder, err)
	}
	lease, err := Acquire(dir, alice())
	if err != nil {
		t.Fatalf("Acquire after the kill: %v", err)
	}
	_ = lease.Release()
}

func TestReadersDoNotGetInTheWayOfATaker(t *testing.T) {
	dir := t.TempDir()
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					if holder, err := HolderOf(dir); err != nil || (holder != nil && *holder != alice()) {
						t.Errorf("HolderOf = %+v, %v", holder, err)
						return
					}
				}
			}
		})
	}
	for range 50 {
		lease, err := Acquire(dir, alice())
		if err != nil {
			t.Errorf("Acquire among readers: %v", err)
			break
		}
		_ = lease.Release()
	}
	close(stop)
	readers.Wait()
}

func TestUnreadableHolderIsStillAHolder(t *testing.T) {
	dir := t.TempDir()
	lease, err := Acquire(dir, alice())
	if err != nil {
		t.Fatal(err)
	}
	defer lease.Release()
	if err := os.WriteFile(filepath.Join(dir, holderName), []byte("{torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	if holder, err := HolderOf(dir); err != nil || holder == nil {
		t.Errorf("HolderOf = %+v, %v; want a holder without a name", holder, err)
	}
	_, err = Acquire(dir, alice())
	if err == nil || !strings.Contains(err.Error(), "left no name") {
		t.Errorf("Acquire: %v", err)
	}
}

func TestMissingFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "missing")
	if holder, err := HolderOf(dir); err != nil || holder != nil {
		t.Errorf("HolderOf = %+v, %v", holder, err)
	}
	_, err := Acquire(dir, alice())
	var refusal *proto.Error
	if !errors.As(err, &refusal) || refusal.Code != proto.CodeStorage || refusal.Advice.Text() == "" {
		t.Errorf("Acquire: %#v, want storage", err)
	}
}
