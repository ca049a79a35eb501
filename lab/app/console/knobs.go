package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/re-connect/rpctl/lab/filewatch"
)

// Knobs are how the migration command behaves beside its task: shared/migration.json of the
// application, which both consoles read. The file may hold some of them or be missing.
type Knobs struct {
	Batch       int     `json:"batch,omitempty"`        // people per flush; 5 when 0
	DelayMS     float64 `json:"delay_ms,omitempty"`     // per person moved
	DryRunMS    float64 `json:"dry_run_ms,omitempty"`   // once per dry run; this console goes on sooner where the file no longer says so
	FailAt      int     `json:"fail_at,omitempty"`      // an exception before this row, counted from 1
	ExitAt      int     `json:"exit_at,omitempty"`      // the process ends before this row, without a word
	ExitStatus  int     `json:"exit_status,omitempty"`  // as which; 255 when 0
	PauseAt     int     `json:"pause_at,omitempty"`     // waits before this row until the file no longer says so; shared/var/migration-paused is there meanwhile
	Style       string  `json:"style,omitempty"`        // of the tables, as Symfony names them
	Decorated   *bool   `json:"decorated,omitempty"`    // ANSI; when nil as the output is, which no pipe or file is
	Wrap        int     `json:"wrap,omitempty"`         // columns of a centre's name at most
	Noise       bool    `json:"noise,omitempty"`        // log lines and deprecations among the output
	DriftPeople int     `json:"drift_people,omitempty"` // who gain the value just before a real run
	Volume      int     `json:"volume,omitempty"`       // bytes of output before the tables
	Endless     int     `json:"endless,omitempty"`      // bytes of a last line without end
	InvalidUTF8 bool    `json:"invalid_utf8,omitempty"`
}

type knobs struct {
	Knobs
	app application
}

func (a application) knobs() (*knobs, error) {
	k := &knobs{Knobs{Batch: 5, Style: "default", ExitStatus: 255}, a}
	text, err := os.ReadFile(a.shared("migration.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return k, nil
	}
	if err == nil {
		strict := json.NewDecoder(bytes.NewReader(text))
		strict.DisallowUnknownFields()
		err = strict.Decode(&k.Knobs)
	}
	if _, known := styles[k.Style]; err == nil && !known {
		err = fmt.Errorf("unknown style %q", k.Style)
	}
	if err != nil {
		return nil, fmt.Errorf("shared/migration.json: %w", err)
	}
	return k, nil
}

// atRow does what is asked for before the row.
func (k *knobs) atRow(row int) error {
	if row == k.PauseAt {
		k.pause()
	}
	time.Sleep(time.Duration(k.DelayMS * float64(time.Millisecond)))
	if row == k.FailAt {
		return fmt.Errorf("échec demandé à la ligne %d", row)
	}
	if row == k.ExitAt {
		os.Exit(k.ExitStatus)
	}
	return nil
}

func (k *knobs) lingerInDryRun() {
	if k.DryRunMS <= 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(k.DryRunMS*float64(time.Millisecond)))
	defer cancel()
	_ = filewatch.Wait(ctx, k.app.shared(""), func() bool {
		now, err := k.app.knobs()
		return err == nil && now.DryRunMS != k.DryRunMS
	})
}

func (k *knobs) pause() {
	sign := k.app.shared("var/migration-paused")
	if err := os.WriteFile(sign, nil, 0o644); err != nil {
		return
	}
	defer os.Remove(sign)
	_ = filewatch.Wait(context.Background(), k.app.shared(""), func() bool {
		now, err := k.app.knobs()
		return err == nil && now.PauseAt != k.PauseAt
	})
}
