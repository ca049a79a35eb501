package main

import (
	"bytes"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// rpctl is a command line as the lab's developer types it.
func (b *bench) rpctl(args ...string) []string {
	return append([]string{b.bin + "/rpctl", "--ssh-config", b.lab.SSHConfig(), "--hosts", b.lab.HostsTOML()}, args...)
}

// ssh is what would be typed without rpctl.
func (b *bench) ssh(args ...string) []string {
	return append([]string{"ssh", "-F", b.lab.SSHConfig()}, args...)
}

func (b *bench) output(argv []string) (string, error) {
	command := exec.CommandContext(b.ctx, argv[0], argv[1:]...)
	command.Dir = b.lab.WorkTree()
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s%s", strings.Join(argv, " "), err, out, stderr.String())
	}
	return string(out), nil
}

// taken is how long a command takes. Its exit status does not count: an unhealthy status is an answer too.
func (b *bench) taken(argv []string) time.Duration {
	command := exec.CommandContext(b.ctx, argv[0], argv[1:]...)
	command.Dir = b.lab.WorkTree()
	began := time.Now()
	_ = command.Run()
	return time.Since(began)
}

// inTurn runs two commands one after the other, again and again, and gives their medians.
func (b *bench) inTurn(ours, theirs []string) (time.Duration, time.Duration) {
	var a, c []time.Duration
	for range b.runs {
		a = append(a, b.taken(ours))
		c = append(c, b.taken(theirs))
	}
	return median(a), median(c)
}

func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}

// compare prints one ratio.
func (b *bench) compare(what string, ours, theirs []string, aim string) {
	a, c := b.inTurn(ours, theirs)
	fmt.Fprintf(b.out, "%-52s %8.1f ms / %8.1f ms = %.2f  (aim %s)\n", what, ms(a), ms(c), float64(a)/float64(c), aim)
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
