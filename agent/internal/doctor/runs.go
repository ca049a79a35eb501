package doctor

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/re-connect/rpctl/agent/internal/jobs/console"
	"github.com/re-connect/rpctl/agent/internal/jobs/store"
	"github.com/re-connect/rpctl/proto"
)

// runs looks for console runs that no job started: root records the end of every run, and the jobs name theirs.
func (e *examination) runs(context.Context) (string, error) {
	installed, err := e.installed()
	if err != nil {
		return "", err
	}
	ended, err := console.FoldersIn(filepath.Join(installed.Root, console.Base)).Ended()
	if err != nil {
		return "", wrong(reinstall, "cannot read which console runs ended: %v", err)
	}
	all, err := store.New(e.State).List()
	if err != nil {
		return "", err
	}
	started, oldest := map[console.ID]bool{}, time.Time{}
	for _, record := range all {
		for _, run := range record.Runs {
			started[run.Console] = true
		}
		oldest = record.Job.Created // they are sorted, newest first
	}
	var strays []console.ID
	for id, at := range ended {
		pruned := len(all) >= store.KeepAlways && at.Before(oldest) // and its job may have been with it
		if !started[id] && !pruned {
			strays = append(strays, id)
		}
	}
	if len(strays) == 0 {
		return fmt.Sprintf("%d console runs ended, each of a job of this host", len(ended)), nil
	}
	newest := slices.MaxFunc(strays, func(a, b console.ID) int { return ended[a].Compare(ended[b]) })
	return "", wrong(proto.Advice{Code: proto.AdviceRunLog, Job: proto.JobID(newest)},
		"%d console runs were started by no job of this host's records, the newest is %s and ended at %s: user rp-agent may be in other hands, or the records of its jobs were pruned or restored from a backup",
		len(strays), newest, ended[newest].UTC().Format(time.RFC3339))
}
