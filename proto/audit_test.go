package proto

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

// auditLine is the line of an entry, with text of any kind, as the host writes it.
func auditLine(seq int64, prev, text string) []byte {
	open := fmt.Sprintf(`{"seq":%d,"user":"app","detail":%q`, seq, text)
	sum := sha256.Sum256([]byte(prev + "\n" + open + `,"prev":"","hash":""}`))
	return []byte(open + `,"prev":"` + prev + `","hash":"` + hex.EncodeToString(sum[:]) + `"}`)
}

func TestAuditHeadFollowsTheChain(t *testing.T) {
	var head AuditHead
	for i, text := range []string{"one", `,"prev":"x","hash":"y"}`, "three"} {
		next, err := head.Next(auditLine(int64(i+1), head.Head, text))
		if err != nil || next.Length != int64(i+1) {
			t.Fatalf("%d: %+v, %v", i, next, err)
		}
		head = next
	}
	good := string(auditLine(4, head.Head, "four"))
	for name, line := range map[string]string{
		"changed":         strings.Replace(good, "four", "five", 1),
		"another number":  strings.Replace(good, `"seq":4`, `"seq":5`, 1),
		"slipped in":      string(auditLine(5, head.Head, "four")),
		"again":           string(auditLine(3, head.Head, "three")),
		"another chain":   string(auditLine(4, strings.Repeat("0", 64), "four")),
		"a field added":   strings.Replace(good, `,"prev"`, `,"x":1,"prev"`, 1),
		"a field at end":  strings.TrimSuffix(good, "}") + `,"x":1}`,
		"a newline":       good + "\n",
		"no hash":         strings.Split(good, `,"prev"`)[0] + "}",
		"nothing":         "",
		"an array":        "[]",
		"a number in hex": strings.Replace(good, `"seq":4`, `"seq":0x4`, 1),
	} {
		if next, err := head.Next([]byte(line)); err == nil {
			t.Errorf("%s: %s is taken as %+v", name, line, next)
		}
	}
	if _, err := head.Next([]byte(good)); err != nil {
		t.Error(err)
	}
}

// FuzzAuditHead: of all texts, only one that was hashed as it is follows a head.
func FuzzAuditHead(f *testing.F) {
	first := auditLine(1, "", "one")
	head, err := AuditHead{}.Next(first)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(auditLine(2, head.Head, "two"))
	f.Add(first)
	f.Fuzz(func(t *testing.T, line []byte) {
		next, err := head.Next(line)
		if err != nil {
			if next != head || strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Errorf("%q: %+v, %v", line, next, err)
			}
			return
		}
		if next.Length != head.Length+1 || !bytes.Contains(line, []byte(head.Head)) || !bytes.Contains(line, []byte(next.Head)) {
			t.Errorf("%q is taken as %+v", line, next)
		}
	})
}
