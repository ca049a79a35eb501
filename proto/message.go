// Package proto is what rpctl and rp-agent say to each other: see PROTOCOL.md.
//
// It holds types, the line codec and the rules that both sides must read the
// same way (unit patterns), and imports the standard library only.
package proto

import "encoding/json"

// Version is the newest protocol version that this code speaks, MinVersion the oldest.
const (
	Version    = 1
	MinVersion = 1
)

// Marker opens the greeting; what stands before it on the channel is noise of a login shell.
const Marker = "rp-agent/1"

// AgentPath is where the agent is on a host.
const AgentPath = "/usr/local/bin/rp-agent"

// SocketPath is where systemd listens for the agent (rp-agent.socket).
const SocketPath = "/run/rp-agent.sock"

// ConfigPath is the host's own file: what may be done here, whatever a controller says.
const ConfigPath = "/etc/rp-agent/agent.toml"

// Op names an operation. A capability is the name of an operation.
type Op string

// The operations, as PROTOCOL.md lists them.
const (
	OpStatus      Op = "status"
	OpRelease     Op = "release"
	OpUnits       Op = "units"
	OpJournal     Op = "journal"
	OpHistory     Op = "history"
	OpAuditVerify Op = "audit-verify"
	OpDoctor      Op = "doctor"
	OpLease       Op = "lease"
	OpRestart     Op = "restart"
	OpVerify      Op = "verify"
	OpRecord      Op = "record"
	OpClockReset  Op = "clock-reset"
)

// Request asks for one operation. ID is positive and rises within a connection.
type Request struct {
	ID          int64           `json:"id,omitempty"`
	Protocol    int             `json:"protocol,omitempty"`
	Op          Op              `json:"op,omitempty"`
	Environment string          `json:"environment,omitempty"`
	Operator    string          `json:"operator,omitempty"`
	Args        json.RawMessage `json:"args,omitempty"`
}

// Line is anything that a caller may send: a Request, or one of the three
// lines that are no request (see PROTOCOL.md, "Requests").
type Line struct {
	Request
	Ping   bool    `json:"ping,omitempty"`
	Cancel int64   `json:"cancel,omitempty"`
	Bridge *Bridge `json:"bridge,omitempty"`
}

// Bridge is what `rp-agent rpc` tells of the login that it runs in. It is told, not proved.
type Bridge struct {
	// SSHConnection is sshd's SSH_CONNECTION: client address and port, server address and port.
	SSHConnection string `json:"ssh_connection,omitempty"`
}

// EventKind names an event.
type EventKind string

// The events.
const (
	EventHello EventKind = "hello"
	EventDone  EventKind = "done"
	EventError EventKind = "error"
	EventUnit  EventKind = "unit"
	EventLog   EventKind = "log"
)

// Event is one line from the agent. Exactly one of the pointers fits Event.
type Event struct {
	Event  EventKind       `json:"event"`
	ID     int64           `json:"id,omitempty"`
	Result json.RawMessage `json:"result,omitempty"`
	Error  *Error          `json:"error,omitempty"`
	Unit   *UnitProgress   `json:"unit,omitempty"`
	Log    *LogLine        `json:"log,omitempty"`
	Job    *Job            `json:"job,omitempty"`
	Output *Output         `json:"output,omitempty"`
}

// Hello is the greeting. Its first two fields make the marker that PROTOCOL.md
// describes, so they must stay first and in this order.
type Hello struct {
	Event        EventKind `json:"event"`
	Marker       string    `json:"marker"`
	Agent        string    `json:"agent"` // version of rp-agent
	Protocol     Span      `json:"protocol,omitempty"`
	Capabilities []Op      `json:"capabilities"`
	Host         string    `json:"host"`
	Environment  string    `json:"environment,omitempty"`
	// Config is the host's own file, for comparison with hosts.toml; nil when it could not be read.
	Config *HostConfig `json:"config,omitempty"`
	// ReceiptKey is the public half of the key that signs this host's receipts (one line, OpenSSH's).
	ReceiptKey string `json:"receipt_key,omitempty"`
	// Signers are digests of the keys that the gates here accept; nil where no migrations run, and from an agent that
	// does not report them.
	Signers *SignerDigests `json:"signers,omitempty"`
	// Audit is where the host's audit ends; nil of an agent that does not tell, or cannot read it.
	Audit *AuditHead `json:"audit,omitempty"`
	// Error is set when the agent can serve nothing; the connection then ends.
	Error *Error `json:"error,omitempty"`
}

// SignerDigests are sha256, hex, over the lines of two files of keys as they are in force (comments and blank lines left
// out). A file that is not there has no lines; an empty digest is a file that cannot be used.
type SignerDigests struct {
	Approvers    string `json:"approvers"`
	TrustedHosts string `json:"trusted_hosts"`
}

// Span is an inclusive range of protocol versions.
type Span struct {
	Min int `json:"min"`
	Max int `json:"max"`
}

// Common is the newest version that both spans hold, or false.
func (s Span) Common(other Span) (int, bool) {
	newest := min(s.Max, other.Max)
	return newest, newest >= max(s.Min, other.Min) && newest > 0
}

// Speaks is the span of this code.
func Speaks() Span { return Span{Min: MinVersion, Max: Version} }
