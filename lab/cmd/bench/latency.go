package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/re-connect/rpctl/lab"
	"github.com/re-connect/rpctl/lab/app/console"
)

// progress is a line of the application's progress bar in the first step: so many of 41 people are moved.
var progress = regexp.MustCompile(`(\d+)/41 \[`)

// latency is how long a byte that PHP writes takes to the operator's terminal: the moment when rpctl
// shows "n/41", less the moment when the application wrote that the n-th person is moved.
func (b *bench) latency() error {
	host := b.lab.Host(lab.Preprod)
	if _, err := host.RunAs(b.ctx, "app", "php", current+"/bin/console", "app:seed-migration"); err != nil {
		return err
	}
	knobs := []byte(`{"batch":1,"delay_ms":50}`)
	if err := host.WriteFile(b.ctx, lab.AppPath+"/shared/migration.json", knobs, 0o644); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"migrate", "--plan", b.plan(), "--env", "preprod"},
		{"migrate", "approve", "--plan", b.plan(), "--env", "preprod", "--key", b.lab.Approver(), "--yes"},
	} {
		if _, err := b.output(b.rpctl(args...)); err != nil {
			return err
		}
	}
	shown, err := b.shown(b.rpctl("migrate", "--apply", "--plan", b.plan(), "--env", "preprod", "--yes", "--raw"))
	if err != nil {
		return err
	}
	written, err := b.written(host)
	if err != nil {
		return err
	}
	var all []time.Duration
	for n, at := range shown {
		if n >= 1 && n <= len(written) {
			all = append(all, at.Sub(written[n-1]))
		}
	}
	if len(all) == 0 {
		return errors.New("no progress was seen")
	}
	fmt.Fprintf(b.out, "%-52s %8.1f ms, at most %.1f ms in %d  (aim 100 ms)\n", "a byte from PHP to the operator", ms(median(all)), ms(slices.Max(all)), len(all))
	return nil
}

// shown is when rpctl's output first said that so many are moved.
func (b *bench) shown(argv []string) (map[int]time.Time, error) {
	command := exec.CommandContext(b.ctx, argv[0], argv[1:]...)
	command.Dir = b.lab.WorkTree()
	stderr, err := command.StderrPipe() // where Symfony draws its bar
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, err
	}
	seen := map[int]time.Time{}
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		now := time.Now()
		for _, found := range progress.FindAllStringSubmatch(lines.Text(), -1) {
			if n, err := strconv.Atoi(found[1]); err == nil && seen[n].IsZero() {
				seen[n] = now
			}
		}
	}
	return seen, command.Wait()
}

// written is when the application moved each person of the first step, by its own data.
func (b *bench) written(host *lab.Host) ([]time.Time, error) {
	told, err := host.RunAs(b.ctx, "app", "php", current+"/bin/console", "app:migration-effects")
	if err != nil {
		return nil, err
	}
	var effects console.Effects
	if err := json.Unmarshal([]byte(told), &effects); err != nil {
		return nil, fmt.Errorf("cannot read the effects: %w", err)
	}
	var all []time.Time
	for _, e := range effects.Effects {
		if e.Kind != "moved" || e.Destination == nil || *e.Destination != 5644 {
			continue
		}
		at, err := time.Parse(time.RFC3339, e.At)
		if err != nil {
			return nil, err
		}
		all = append(all, at)
	}
	return all, nil
}
