package proto

import "time"

// LeaseArgs says what the host is held for: "deploy", "rollback" or "restart". The lease lives
// as long as the connection that took it.
type LeaseArgs struct {
	Purpose string `json:"purpose"`
}

// Lease is granted with the state of things at that moment.
type Lease struct {
	Release  *Release       `json:"release,omitempty"`
	Patterns []PatternUnits `json:"patterns"`
}

// RecordArgs tells the host's audit how the purpose of the lease went: it is
// the controller that sees the deploy command end, and the host that must remember.
type RecordArgs struct {
	Result   string `json:"result"` // succeeded, failed or NotBegun
	Revision string `json:"revision,omitempty"`
	Detail   string `json:"detail,omitempty"`
}

// NotBegun is the result of a deploy that was refused or stopped before it
// touched anything: it is in the history, but it is not the last deploy.
const NotBegun = "not begun"

// MaxHistory is how many entries one question may ask for.
const MaxHistory = 500

// HistoryArgs asks for the newest Limit entries, MaxHistory at most; 0 means 20.
type HistoryArgs struct {
	Limit int `json:"limit,omitempty"`
}

// History is the newest audit entries, oldest first.
type History struct {
	Entries []AuditEntry `json:"entries"`
}

// AuditEntry is one line of the host's audit file. Hash is sha256, hex, over Prev and the
// line's other fields as the audit package writes them.
type AuditEntry struct {
	Seq      int64     `json:"seq"`
	Time     time.Time `json:"time"`
	Action   string    `json:"action"` // lease, restart, record, lease-end, …
	Operator string    `json:"operator,omitempty"`
	User     string    `json:"user"`
	UID      uint32    `json:"uid"`
	From     string    `json:"from,omitempty"`
	Purpose  string    `json:"purpose,omitempty"` // of the lease that it was done under
	Release  string    `json:"release,omitempty"` // that `current` named, with a record
	Revision string    `json:"revision,omitempty"`
	Detail   string    `json:"detail,omitempty"`
	Result   string    `json:"result,omitempty"`
	// Newest is the newest time that an entry before this one has, where Time is older: the clock was turned back.
	Newest time.Time `json:"newest,omitzero"`
	Prev   string    `json:"prev"`
	Hash   string    `json:"hash"`
}

// Mark is the newest time of the audit up to this entry.
func (e AuditEntry) Mark() time.Time {
	if e.Newest.After(e.Time) {
		return e.Newest
	}
	return e.Time
}

// AuditReport is what a check of the chain found.
type AuditReport struct {
	Entries int64    `json:"entries"`
	Head    string   `json:"head,omitempty"` // hash of the last line
	OK      bool     `json:"ok"`
	Problem HostText `json:"problem,omitempty"` // first line that does not fit, and why
}

// ClockReset is what root's acceptance of the clock changed: the newest time of the audit, before and now.
type ClockReset struct {
	Before time.Time `json:"before"`
	Now    time.Time `json:"now"`
}

// DoctorReport is one line for each assumption.
type DoctorReport struct {
	Checks []Check `json:"checks"`
}

// OK says that nothing failed.
func (r DoctorReport) OK() bool {
	for _, c := range r.Checks {
		if !c.OK {
			return false
		}
	}
	return true
}

// Check is an assumption that was probed.
type Check struct {
	Name   HostText `json:"name"`
	OK     bool     `json:"ok"`
	Detail HostText `json:"detail"`
	// Advice is what helps against what failed, where one thing does.
	Advice Advice `json:"advice,omitzero"`
	// Fix is the command to type; of Advice and Fix, what is said of Error.Next counts.
	Fix          string   `json:"fix,omitempty"`
	HostSuggests HostText `json:"host_suggests,omitempty"` // as in Error
	// Skipped says that the assumption does not apply here or cannot be seen from here: Detail
	// says why. OK is then true, but nothing was proved.
	Skipped bool `json:"skipped,omitempty"`
}

// MarshalJSON adds Fix, for controllers that do not know Advice.
func (c Check) MarshalJSON() ([]byte, error) {
	type wire Check
	if c.Fix == "" {
		c.Fix = c.Advice.Text()
	}
	return marshal(wire(c))
}

// Heard is called by rpctl when it has decoded the check.
func (c *Check) Heard() { heard(&c.Advice, &c.Fix, &c.HostSuggests) }
