package witness

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/re-connect/rpctl/proto"
)

// chain is an audit of n entries, as a host writes it.
func chain(n int, text string) []json.RawMessage {
	var lines []json.RawMessage
	prev := ""
	for i := range n {
		open := fmt.Sprintf(`{"seq":%d,"detail":%q`, i+1, text)
		sum := sha256.Sum256([]byte(prev + "\n" + open + `,"prev":"","hash":""}`))
		hash := hex.EncodeToString(sum[:])
		lines = append(lines, json.RawMessage(open+`,"prev":"`+prev+`","hash":"`+hash+`"}`))
		prev = hash
	}
	return lines
}

func end(lines []json.RawMessage) proto.AuditHead {
	var head proto.AuditHead
	for _, line := range lines {
		head, _ = head.Next(line)
	}
	return head
}

// host tells an end, and gives out lines, so many at a time.
func host(told proto.AuditHead, lines []json.RawMessage, page int) (proto.Hello, Lines) {
	return proto.Hello{Audit: &told, ReceiptKey: "key"}, func(_ context.Context, after int64) ([]json.RawMessage, error) {
		rest := lines[min(int(after), len(lines)):]
		return rest[:min(page, len(rest))], nil
	}
}

func TestTheAuditIsTheOneThatWasSeen(t *testing.T) {
	real, forged := chain(9, "real"), chain(9, "forged")
	mixed := append(append([]json.RawMessage{}, real[:5]...), forged[5:]...)
	lost := errors.New("the line was lost")
	for name, c := range map[string]struct {
		seen  proto.AuditHead
		told  proto.AuditHead
		lines []json.RawMessage
		page  int
		err   error
		want  string // of the problem; empty: none
		ends  int64
	}{
		"nothing has happened":           {seen: end(real[:5]), told: end(real[:5]), ends: 5},
		"it has grown":                   {seen: end(real[:5]), told: end(real), lines: real, page: 9, ends: 9},
		"it has grown by pages":          {seen: end(real[:1]), told: end(real), lines: real, page: 2, ends: 9},
		"it grows meanwhile":             {seen: end(real[:5]), told: end(real[:7]), lines: real, page: 9, ends: 9},
		"it was empty":                   {told: end(real), lines: real, page: 9, ends: 9},
		"it is shorter":                  {seen: end(real), told: end(real[:8]), want: "it has 8 entries, and had 9"},
		"it is empty":                    {seen: end(real), want: "it has 0 entries, and had 9"},
		"as long and another":            {seen: end(real), told: end(forged), want: "number 9, is not the one of the last contact"},
		"longer and another":             {seen: end(real[:5]), told: end(forged), lines: forged, page: 9, want: "entry 6 does not continue entry 5"},
		"only the new lines are another": {seen: end(real[:5]), told: end(forged), lines: mixed, page: 9, want: "entry 6 does not continue entry 5"},
		"its greeting tells otherwise":   {seen: end(real[:5]), told: end(forged), lines: real, page: 9, want: "entry 9 is not the one that its greeting tells of"},
		"it shows less than it tells":    {seen: end(real[:5]), told: end(real), lines: real[:8], page: 9, want: "it has no entry after number 8"},
		"it shows nothing":               {seen: end(real[:5]), told: end(real), want: "it has no entry after number 5"},
		"it tells of more than can be":   {seen: end(real[:1]), told: proto.AuditHead{Length: 1 << 60, Head: strings.Repeat("0", 64)}, lines: real, page: 1, want: "it has no entry after number 9"},
		"it shows no entries":            {seen: end(real[:5]), told: end(real), lines: make([]json.RawMessage, 9), page: 9, want: "it is no entry"},
		"the line is lost meanwhile":     {seen: end(real[:5]), told: end(real), err: lost},
	} {
		t.Run(name, func(t *testing.T) {
			hello, lines := host(c.told, c.lines, c.page)
			if c.err != nil {
				lines = func(context.Context, int64) ([]json.RawMessage, error) { return nil, c.err }
			}
			seen := Seen{Audit: c.seen, ReceiptKey: "key"}
			longer, problem := Compare(seen, hello)
			head := c.seen
			var err error
			if longer {
				head, err = Follow(t.Context(), seen, hello, lines)
				if !errors.As(err, &problem) && !errors.Is(err, c.err) {
					t.Fatal(err)
				}
			}
			switch {
			case c.want != "" && (problem == nil || !strings.Contains(problem.Why, c.want)):
				t.Errorf("%+v, want …%s…", problem, c.want)
			case c.want == "" && problem != nil:
				t.Errorf("a problem: %s", problem.Why)
			case c.want == "" && c.err == nil && head.Length != c.ends:
				t.Errorf("it ends at %d, want %d", head.Length, c.ends)
			}
		})
	}
}

func TestWhatElseIsAnother(t *testing.T) {
	seen := Seen{Audit: end(chain(3, "x")), ReceiptKey: "key"}
	if _, problem := Compare(seen, proto.Hello{ReceiptKey: "key"}); problem == nil || !strings.Contains(problem.Why, "no longer tells") {
		t.Errorf("an agent that tells nothing any more: %+v", problem)
	}
	if _, problem := Compare(seen, proto.Hello{Audit: &proto.AuditHead{}, ReceiptKey: "other"}); problem == nil || !strings.Contains(problem.Why, "as after a new installation") {
		t.Errorf("a host that was installed anew: %+v", problem)
	}
}

func TestMemory(t *testing.T) {
	m := Memory{Folder: filepath.Join(t.TempDir(), "state", "audits")}
	lines := chain(50, "x")
	if _, known, err := m.Recall("prod", "p1"); known || err != nil {
		t.Fatalf("%t, %v", known, err)
	}
	var all sync.WaitGroup // of several rpctl at once, the furthest end is kept
	for i := range lines {
		all.Go(func() {
			if err := m.Remember(Seen{Environment: "prod", Host: "p1", Audit: end(lines[:i+1])}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if seen, known, err := m.Recall("prod", "p1"); err != nil || !known || seen.Audit != end(lines) {
		t.Errorf("%+v, %t, %v", seen, known, err)
	}
	for _, other := range []Memory{m, {Folder: m.Folder, Config: "other"}} { // neither another environment's nor another configuration's alias
		if _, known, _ := other.Recall("preprod", "p1"); known {
			t.Error("another host is known")
		}
	}
	if err := m.Accept(Seen{Environment: "prod", Host: "p1", Audit: end(lines[:2])}); err != nil {
		t.Fatal(err)
	}
	if seen, _, err := m.Recall("prod", "p1"); err != nil || seen.Audit != end(lines[:2]) {
		t.Errorf("%+v, %v", seen, err)
	}
	path := m.Path("prod", "p1")
	for p, mode := range map[string]os.FileMode{path: 0o600, m.Folder: 0o700} {
		if info, err := os.Stat(p); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", p, info.Mode(), err)
		}
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := m.Recall("prod", "p1"); err == nil {
		t.Error("a broken file is taken")
	}
	if err := m.Remember(Seen{Environment: "prod", Host: "p1", Audit: end(lines)}); err == nil {
		t.Error("a broken file is replaced without being told of")
	}
	if err := m.Accept(Seen{Environment: "prod", Host: "p1", Audit: end(lines)}); err != nil {
		t.Error(err)
	}
	for name, head := range map[string]proto.AuditHead{"negative": {Length: -1}, "no hash": {Length: 1, Head: "x"}, "a hash of nothing": {Head: end(lines).Head}} {
		if err := m.Accept(Seen{Environment: "prod", Host: "p2", Audit: head}); err == nil {
			t.Errorf("%s is remembered", name)
		}
	}
	nowhere := Memory{}
	if err := nowhere.Remember(Seen{Environment: "prod", Host: "p1", Audit: end(lines)}); err != nil {
		t.Error(err)
	}
}

// TestDamagedMemoryIsRefusedUntilAccepted: a file that another user could have changed, or that is no plain file, is
// refused at once, and Accept replaces it.
func TestDamagedMemoryIsRefusedUntilAccepted(t *testing.T) {
	good, err := json.Marshal(Seen{Version: 1, Environment: "prod", Host: "p1", Audit: end(chain(1, "x"))})
	if err != nil {
		t.Fatal(err)
	}
	for name, damage := range map[string]func(path string) error{
		"cut off":        func(path string) error { return os.WriteFile(path, good[:9], 0o600) },
		"empty":          func(path string) error { return os.WriteFile(path, nil, 0o600) },
		"open to others": func(path string) error { return errors.Join(os.WriteFile(path, good, 0o600), os.Chmod(path, 0o666)) },
		"a FIFO":         func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"a link to a file": func(path string) error {
			return errors.Join(os.WriteFile(path+".x", good, 0o600), os.Symlink(path+".x", path))
		},
		"a link to none": func(path string) error { return os.Symlink(path+".none", path) },
		"another host's": func(path string) error {
			return os.WriteFile(path, bytes.ReplaceAll(good, []byte("p1"), []byte("p2")), 0o600)
		},
		"a later version": func(path string) error {
			return os.WriteFile(path, bytes.ReplaceAll(good, []byte(`"version":1`), []byte(`"version":9`)), 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := Memory{Folder: t.TempDir()}
			path := m.Path("prod", "p1")
			if err := damage(path); err != nil {
				t.Fatal(err)
			}
			seen := Seen{Environment: "prod", Host: "p1", Audit: end(chain(2, "x"))}
			if _, known, err := m.Recall("prod", "p1"); known || err == nil {
				t.Errorf("it is taken: %v", err)
			}
			if err := m.Remember(seen); err == nil {
				t.Error("it is replaced without a refusal")
			}
			if err := m.Accept(seen); err != nil {
				t.Fatal(err)
			}
			if got, known, err := m.Recall("prod", "p1"); err != nil || !known || got.Audit != seen.Audit {
				t.Errorf("after Accept: %+v, %v", got, err)
			}
			if info, err := os.Lstat(path); err != nil || info.Mode() != 0o600 {
				t.Errorf("after Accept: %v, %v", info, err)
			}
		})
	}
}

func TestMemoryRefusesFolderOpenToOthers(t *testing.T) {
	m := Memory{Folder: t.TempDir()}
	if err := os.Chmod(m.Folder, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := m.Accept(Seen{Environment: "prod", Host: "p1"}); err == nil || !strings.Contains(err.Error(), "can be changed by every user") {
		t.Error(err)
	}
}

// FuzzSeen: what is read of a file names the end of an audit.
func FuzzSeen(f *testing.F) {
	good, err := json.Marshal(Seen{Version: 1, Environment: "prod", Host: "p1", Audit: end(chain(1, "x"))})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"version":1,"audit":{"length":-1,"head":""}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var seen Seen
		if json.Unmarshal(data, &seen) != nil || seen.check() != nil {
			return
		}
		if hash, err := hex.DecodeString(seen.Audit.Head); err != nil || seen.Version != version || seen.Audit.Length < 0 ||
			(len(hash) == sha256.Size) != (seen.Audit.Length > 0) {
			t.Errorf("%q is taken as %+v", data, seen)
		}
	})
}
