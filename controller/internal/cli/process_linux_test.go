package cli

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// screen is what a person looks at: the answer is pasted when the question is there.
type screen struct {
	t             *testing.T
	master, slave *os.File
	asked         bool
}

func (s *screen) Write(text []byte) (int, error) {
	if s.asked { // the newline at the end
		return len(text), nil
	}
	s.asked = true
	settings, err := unix.IoctlGetTermios(int(s.slave.Fd()), getTermios)
	if err != nil || settings.Lflag&unix.ECHO != 0 {
		s.t.Errorf("the question %q is there, and typing is shown (%v)", text, err)
	}
	_, err = s.master.WriteString("hush\n")
	return len(text), err
}

func TestNothingIsShownOnceTheQuestionIsThere(t *testing.T) {
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	defer master.Close()
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer slave.Close()
	got, err := secret(slave, &screen{t: t, master: master, slave: slave}, "password: ")
	if err != nil || string(got) != "hush" {
		t.Errorf("%q, %v", got, err)
	}
	if settings, err := unix.IoctlGetTermios(int(slave.Fd()), getTermios); err != nil || settings.Lflag&unix.ECHO == 0 {
		t.Errorf("typing is not shown afterwards (%v)", err)
	}
}

func TestSecretLine(t *testing.T) {
	for typed, want := range map[string]string{"hush\nmore": "hush", "\n": "", " hush \n": " hush "} {
		if got, err := secretLine(strings.NewReader(typed)); err != nil || string(got) != want {
			t.Errorf("%q: %q, %v", typed, got, err)
		}
	}
	for _, typed := range []string{"", "hush", strings.Repeat("x", 2000) + "\n"} {
		if got, err := secretLine(strings.NewReader(typed)); err == nil || got != nil {
			t.Errorf("%.10q: %q, %v", typed, got, err)
		}
	}
}
