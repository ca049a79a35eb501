package status

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/re-connect/rpctl/proto"
)

var update = flag.Bool("update", false, "write the golden files anew")

var now = time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)

func worker(unit, active, sub, code string, since time.Duration) proto.WorkerStatus {
	return proto.WorkerStatus{Unit: unit, Pattern: unit, Active: active, Sub: sub, Code: code,
		Since: now.Add(-since), PID: 1234567, Restarts: 24, Memory: 50_500_000}
}

func healthy() proto.Status {
	status := proto.Status{
		Host: "rp-preprod-1", Environment: "preprod", Agent: "1.0.0", Time: now,
		Release: &proto.Release{Name: "42", Path: "/home/app/www/releases/42",
			Revision: "64fbfa2d1c0f5f5b1f0f35e8a6c3e1b2a9d8c7e6", Switched: now.Add(-108 * time.Second)},
		Workers: []proto.WorkerStatus{
			worker("messenger_worker_async@1.service", "active", "running", proto.CodeCurrent, 100*time.Second),
			worker("messenger_worker_async@2.service", "active", "running", proto.CodeCurrent, 7*time.Hour+3*time.Minute),
			worker("messenger_worker_dmp@1.service", "active", "running", proto.CodeCurrent, 40*24*time.Hour),
			worker("messenger_worker_export@1.service", "active", "running", proto.CodeUnknown, 5*time.Second),
		},
		LastDeploy: &proto.DeployRecord{Kind: "deploy", Operator: "alice@laptop", User: "deploy", Began: now.Add(-3 * time.Minute),
			Ended: now.Add(-30 * time.Second), Result: "succeeded", Release: "42", Revision: "64fbfa2d1c0f5f5b1f0f35e8a6c3e1b2a9d8c7e6"},
	}
	status.Workers[3].Why = "neither WorkingDirectory nor ExecStart of the unit goes through /home/app/www/current"
	return status
}

func troubled() proto.Status {
	s := healthy()
	s.Workers[0].Code = proto.CodeOld
	s.Workers[0].Why = "started at 2026-05-04 08:00:00.000Z, before release 42 was switched at 2026-05-04 09:58:12.000Z"
	failed := proto.WorkerStatus{Unit: "messenger_worker_dmp@1.service", Active: "failed", Sub: "failed", Since: now.Add(-time.Minute),
		Restarts: 5, Code: proto.CodeUnknown, Why: "it failed (exit-code), last exit status 255",
		Journal: []proto.LogLine{
			{Time: now.Add(-61 * time.Second), Message: "PHP Fatal error: Uncaught Error: Class \"App\\Kernel\" not found in /home/app/www/current/public/index.php:7"},
			{Time: now.Add(-60 * time.Second), Message: "\x1b[31mCRITICAL\x1b[0m \u202ereversed"},
			{Time: now.Add(-60 * time.Second), Message: proto.HostText(strings.Repeat("日本語", 40))},
		}}
	s.Workers[2] = failed
	s.Workers[3] = proto.WorkerStatus{Unit: "messenger_worker_export_with_a_very_long_name@nightly.service", Active: "activating", Sub: "auto-restart-queued", Restarts: 123456, Code: proto.CodeUnknown, Why: "it ended"}
	var found problems
	found.workers([]proto.UnitPattern{"messenger_worker_mail@*.service"}, s.Workers, now)
	s.Problems = found.words()
	s.Lease = &proto.Holder{Operator: "bob@desk", User: "deploy", From: "10.0.0.7", Purpose: "deploy", Since: now.Add(-2 * time.Minute)}
	s.LastDeploy.Result, s.LastDeploy.Detail, s.LastDeploy.Ended = "failed", "make deploy-preprod ended with status 1", time.Time{}
	return s
}

func bare() proto.Status {
	return proto.Status{Host: "rp-prod-1", Environment: "prod", ReleaseErr: "cannot read /home/app/www/current: permission denied",
		Problems: []proto.HostText{"cannot read /home/app/www/current: permission denied"}}
}

func render(t *testing.T, s proto.Status, options Options) string {
	t.Helper()
	options.Now = now
	var out strings.Builder
	if err := Render(&out, s, options); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestGolden(t *testing.T) {
	for name, status := range map[string]proto.Status{"healthy": healthy(), "troubled": troubled(), "bare": bare()} {
		t.Run(name, func(t *testing.T) {
			got := render(t, status, Options{})
			path := filepath.Join("testdata", name+".golden")
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil || got != string(want) {
				t.Errorf("%v; got:\n%s\nwant:\n%s", err, got, want)
			}
		})
	}
}

func TestNoLineIsTooWideAndNothingMovesTheCursor(t *testing.T) {
	nasty := troubled()
	nasty.Host = strings.Repeat("host\x1b[2J", 40)
	nasty.Problems = append(nasty.Problems, proto.HostText(strings.Repeat("x", 500)), "a\nb\x9b", proto.HostText(strings.Repeat("é ", 100)))
	nasty.Lease.Operator = proto.HostText("\x1b]0;title\x07" + strings.Repeat("z", 200))
	nasty.Workers[0].Code = strings.Repeat("code", 9)
	for _, width := range []int{0, 20, 60, 80, 200} {
		for line := range strings.Lines(render(t, nasty, Options{Width: width})) {
			line = strings.TrimSuffix(line, "\n")
			limit := map[int]int{0: 80, 20: 60}[width]
			if n := utf8.RuneCountInString(line); n > max(limit, width) || limit > 0 && n > limit {
				t.Errorf("%d columns at width %d: %s", n, width, line)
			}
			if strings.ContainsAny(line, "\x1b\x07\u009b\u202e\r") {
				t.Errorf("control characters in %q", line)
			}
		}
	}
}

func TestColourChangesNoText(t *testing.T) {
	for _, s := range []proto.Status{healthy(), troubled()} {
		plain, coloured := render(t, s, Options{}), render(t, s, Options{Color: true})
		if plain == coloured {
			t.Error("no colour")
		}
		for _, c := range []string{bold, red, green, yellow, "0"} {
			coloured = strings.ReplaceAll(coloured, "\x1b["+c+"m", "")
		}
		if plain != coloured {
			t.Errorf("text differs:\n%s\n%s", plain, coloured)
		}
	}
}

func TestAgeAndMemoryFitTheirColumns(t *testing.T) {
	for _, d := range []time.Duration{-time.Hour, 0, 59 * time.Second, time.Hour - 1, 48*time.Hour - 1, 1000 * 24 * time.Hour, 1 << 62} {
		if got := age(d); len(got) > sinceWidth {
			t.Errorf("age(%v) = %s", d, got)
		}
	}
	for _, b := range []uint64{0, 1, 999 << 20, 1000 << 20, 900 << 30} {
		if got := memory(b); len(got) > memoryWidth {
			t.Errorf("memory(%d) = %s", b, got)
		}
	}
}
