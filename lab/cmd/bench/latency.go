package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/re-connect/rpctl/lab/app/console"
)

// plansApplied is how many plans are applied to measure the latency: the application draws its bar
// anew every five people, and a ticket moves seventy.
const plansApplied = 4

// latency is the time from a byte that PHP writes to the byte that rpctl writes: the console's progress
// bar, when it comes, against the millisecond that the application's own data notes right after drawing it.
// Host and operator share a clock here.
func (b *bench) latency() error {
	// A flush for each person: what the data notes follows the drawing at once.
	if err := b.turn(console.Knobs{Batch: 1, DelayMS: 50}); err != nil {
		return err
	}
	var all []time.Duration
	for i := range plansApplied {
		late, err := b.applied(fmt.Sprintf("latency%d", i))
		if err != nil {
			return err
		}
		all = append(all, late...)
	}
	if len(all) == 0 {
		return errors.New("no progress was seen")
	}
	slices.Sort(all)
	fmt.Fprintf(b.out, "%-52s %8.1f ms, 95 of 100 within %.1f ms, all %d within %.1f ms  (aim 100 ms)\n",
		"from PHP's write to rpctl's", ms(all[len(all)/2]), ms(all[len(all)*95/100]), len(all), ms(all[len(all)-1]))
	return b.turn(console.Knobs{})
}

// applied applies a new plan to new data, and says how late each drawing of a bar came.
func (b *bench) applied(ticket string) ([]time.Duration, error) {
	if err := b.write(ticket); err != nil {
		return nil, err
	}
	if _, err := b.console(console.CommandSeed); err != nil {
		return nil, err
	}
	for _, verb := range [][]string{{"migrate"}, {"migrate", "approve", "--key", b.lab.Approver(), "--by", "claire", "--yes"}} {
		if _, err := b.output(b.rpctl(append(verb, "--plan", b.plan(), "--env", "preprod")...)); err != nil {
			return nil, err
		}
	}
	began := time.Now()
	seen, err := b.watched(b.rpctl("migrate", "--apply", "--yes", "--raw", "--plan", b.plan(), "--env", "preprod"))
	if err != nil {
		return nil, err
	}
	rows, err := b.movedSince(began)
	if err != nil {
		return nil, err
	}
	return seen.behind(rows)
}

// drawn is a drawing of a progress bar: how many rows are done, of how many, and when it came.
type drawn struct {
	done, of int
	at       time.Time
}

// bars are the drawings of one apply, of each step after the other.
type bars []drawn

var progress = regexp.MustCompile(`(\d+)/(\d+) \[$`)

// watched runs a command and notes when drawings of bars come on its stderr.
func (b *bench) watched(argv []string) (bars, error) {
	command := exec.CommandContext(b.ctx, argv[0], argv[1:]...)
	command.Dir = b.lab.WorkTree()
	stderr, err := command.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, err
	}
	var seen bars
	said, text := bufio.NewReader(stderr), ""
	for {
		part, err := said.ReadString('[')
		at := time.Now()
		text += part
		if match := progress.FindStringSubmatch(part); match != nil {
			done, _ := strconv.Atoi(match[1]) // digits
			of, _ := strconv.Atoi(match[2])
			seen = append(seen, drawn{done, of, at})
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	if err := command.Wait(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, text)
	}
	return seen, nil
}

// movedSince is when each person was moved since then, for each real run in its order.
func (b *bench) movedSince(began time.Time) ([][]time.Time, error) {
	out, err := b.console(console.CommandEffects)
	if err != nil {
		return nil, err
	}
	var told console.Effects
	if err := json.Unmarshal([]byte(out), &told); err != nil {
		return nil, err
	}
	var rows [][]time.Time
	for _, run := range told.Real() {
		var one []time.Time
		for _, effect := range told.Effects {
			at, err := time.Parse(time.RFC3339Nano, effect.At)
			if err != nil {
				return nil, err
			}
			if effect.Run == run.Run && effect.Kind == "moved" && at.After(began) {
				one = append(one, at)
			}
		}
		if len(one) > 0 {
			rows = append(rows, one)
		}
	}
	return rows, nil
}

// behind is how long after its row each drawing came. The first of a bar is of no row.
func (drawings bars) behind(rows [][]time.Time) ([]time.Duration, error) {
	var late []time.Duration
	step := -1
	for _, d := range drawings {
		if d.done == 0 {
			step++
			continue
		}
		if step < 0 || step >= len(rows) || len(rows[step]) != d.of || d.done > d.of {
			return nil, fmt.Errorf("the bar %d/%d is of no run that the application knows", d.done, d.of)
		}
		late = append(late, d.at.Sub(rows[step][d.done-1]))
	}
	return late, nil
}
