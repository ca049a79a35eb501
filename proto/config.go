package proto

import "time"

// HostConfig is what a host enforces, and what hosts.toml says that it should:
// the two are compared field by field, and a difference is shown and refused.
type HostConfig struct {
	Environment string      `json:"environment"`
	Application Application `json:"application"`
	// Workers are the unit patterns that may be restarted here, in the order of the file.
	Workers []UnitPattern `json:"workers"`
	// Look and Act are the groups whose members may read state, and may change it.
	Look []string `json:"look"`
	Act  []string `json:"act"`
	// Console is how console commands run here; nil on a host that runs none.
	Console *Console `json:"console,omitempty"`
}

// Console is how plans of migration run on a host, and behind which rules.
type Console struct {
	PHP    string `json:"php"`    // absolute path of the PHP binary
	Script string `json:"script"` // the console, relative to the current release: bin/console
	// After is the environment that must have applied a plan before; empty for none.
	After string `json:"after,omitempty"`
	// SelfApproval lets whoever applies a plan be the one who approved it.
	SelfApproval bool `json:"self_approval,omitempty"`
	// BreakGlass lets an operator pass the gates "approval" and "before" with a reason.
	BreakGlass bool `json:"break_glass,omitempty"`
	// RequireSK wants approvals and revocations signed by a hardware key with touch (sk-ssh-ed25519 or sk-ecdsa).
	RequireSK bool `json:"require_sk,omitempty"`
	// Tolerance is by how many people a fresh dry run may differ from the forecast.
	Tolerance int64 `json:"tolerance,omitempty"`
	// SimulationHours is for how long a simulation is good.
	SimulationHours int `json:"simulation_hours"`
	// ApprovalDays is for how long an approval is good at most, whatever its signer wrote; 0 is DefaultApprovalDays.
	ApprovalDays int `json:"approval_days,omitempty"`
	// ReceiptDays is for how long a receipt of the environment that comes first counts at most, whatever its host wrote
	// into it; 0 is DefaultReceiptDays.
	ReceiptDays int `json:"receipt_days,omitempty"`
}

// ApprovalLife is for how long an approval is good at most.
func (c Console) ApprovalLife() time.Duration {
	return lifeOf(c.ApprovalDays, DefaultApprovalDays)
}

// ReceiptLife is for how long a receipt of another host counts at most.
func (c Console) ReceiptLife() time.Duration { return lifeOf(c.ReceiptDays, DefaultReceiptDays) }

func lifeOf(days, otherwise int) time.Duration {
	if days <= 0 {
		days = otherwise
	}
	return time.Duration(days) * 24 * time.Hour
}

// DefaultGroup is who may look and act on a host whose file names no groups.
const DefaultGroup = "rpctl"

// Groups is who was named; a list that is there and empty lets nobody in.
func Groups(named []string) []string {
	if named == nil {
		return []string{DefaultGroup}
	}
	return named
}

// DefaultSimulationHours is a working week: long enough for a product owner to answer.
const DefaultSimulationHours = 7 * 24

// DefaultApprovalDays is for how long an approval is good where nobody says otherwise.
const DefaultApprovalDays = 7

// DefaultReceiptDays is for how long a receipt of another host counts where the judging host's file says nothing.
const DefaultReceiptDays = 30

// Application is the Symfony application on a host, in Deployer's layout:
// Path holds releases/N and current.
type Application struct {
	Path string `json:"path"`
	User string `json:"user"`
}
