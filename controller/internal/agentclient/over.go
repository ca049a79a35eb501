package agentclient

import (
	"context"

	"github.com/re-connect/rpctl/controller/internal/connect"
)

// Over is a connection as a Transport.
func Over(conn *connect.Conn) Transport { return overSSH{conn} }

type overSSH struct{ conn *connect.Conn }

func (o overSSH) Start(ctx context.Context, command string) (Channel, error) {
	started, err := o.conn.Start(ctx, command)
	if err != nil {
		return nil, err // and not a Channel that holds a nil *connect.Exec
	}
	return started, nil
}
