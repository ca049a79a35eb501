package chaos

import (
	"context"
	"slices"
	"syscall"
	"time"

	"github.com/re-connect/rpctl/lab"
)

// databaseFaults strike where the application's data are in MariaDB.
var databaseFaults = []fault{
	{name: "database killed", strike: databaseKilled},
	{name: "database restarted", strike: databaseRestarted},
}

func (r *Real) database() lab.Database {
	if r.Lab != nil {
		return r.Lab.Database
	}
	return r.Database
}

// withDatabase adds what can strike the host's own database.
func (r *Real) withDatabase(kinds []fault) []fault {
	if r.database() != lab.MariaDB {
		return kinds
	}
	return slices.Concat(kinds, databaseFaults)
}

// databaseKilled: the server is gone for a while, then it recovers what was committed.
func databaseKilled(ctx context.Context, r *run, p *process, h hit) bool {
	busy := !p.gone() || len(r.stage.unended()) > 0
	r.signalled(r.victims(ctx, p, mariadbd), syscall.SIGKILL)
	pause(ctx, time.Duration(h.number%1000)*time.Millisecond)
	r.restartDatabase(ctx)
	return busy
}

func databaseRestarted(ctx context.Context, r *run, p *process, _ hit) bool {
	busy := !p.gone() || len(r.stage.unended()) > 0
	r.restartDatabase(ctx)
	return busy
}

func mariadbd(p lab.Process) bool { return p.Unit == "mariadb.service" }

// restartDatabase returns when it answers again.
func (r *run) restartDatabase(ctx context.Context) {
	if _, err := r.real().host.Run(ctx, "systemctl", "restart", "mariadb.service"); err != nil {
		r.violation("%v", err)
	}
}
