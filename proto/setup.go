package proto

// SetupSpec is the standard input of `rp-agent setup`: what a host shall be.
type SetupSpec struct {
	Config HostConfig `json:"config"`
	// Operators are the login users in group rpctl. With none named, the group is left as it is.
	Operators []string `json:"operators,omitempty"`
	// ForcedKey is a key that can do nothing but talk to the agent; nil leaves authorized_keys alone.
	ForcedKey *ForcedKey `json:"forced_key,omitempty"`
	// Signers are the keys that the host's gates accept; nil leaves the host's files as they are.
	Signers *SetupSigners `json:"signers,omitempty"`
}

// SetupSigners are two files of accepted keys, each an OpenSSH allowed_signers file.
type SetupSigners struct {
	Approvers    string `json:"approvers"`     // people: who may approve, and who may apply
	TrustedHosts string `json:"trusted_hosts"` // hosts whose receipts count here
}

// ForcedKey is a public key (one line, OpenSSH's, without options) for a login user, who is then
// an operator too.
type ForcedKey struct {
	User      string `json:"user"`
	PublicKey string `json:"public_key"`
}

// SetupReport is what `rp-agent setup --json` prints: one object on one line.
type SetupReport struct {
	// Changes is in the order in which they are made; empty where the host is as it shall be.
	Changes []SetupChange `json:"changes"`
	// Notes is what a person should know: what was left out and why, what stays after an uninstall.
	Notes []string `json:"notes,omitempty"`
	// Classified says that Changes have their differences and effects; an rp-agent of before did not work them out.
	Classified bool `json:"classified,omitempty"`
	// Applied says that all changes were made; false in a dry run and with Error.
	Applied bool   `json:"applied"`
	Error   *Error `json:"error,omitempty"`
}

// ReceiptKey is what `rp-agent receipt-key` prints, one object on one line: by which name and key this host signs.
type ReceiptKey struct {
	Host      string `json:"host"`
	PublicKey string `json:"public_key"` // one line, OpenSSH's
	Error     *Error `json:"error,omitempty"`
}

// SetupChange is one thing that is not as it shall be. Action is create, replace, remove, add,
// run, enable, start, restart or stop.
type SetupChange struct {
	Action string `json:"action"`
	Target string `json:"target"`
	Detail string `json:"detail,omitempty"`
	// Differences are what the host would allow or run otherwise, in what the file means.
	Differences []SetupDifference `json:"differences,omitempty"`
	// Text is the changed lines of a generated file, like a unified diff, at most MaxSetupText of them.
	Text []string `json:"text,omitempty"`
}

// MaxSetupText limits the lines of SetupChange.Text.
const MaxSetupText = 60

// SetupDifference is a rule, a key, a member or a version before and after. An empty Old or New is none.
type SetupDifference struct {
	Name   string      `json:"name"` // console.tolerance, approver claire, rp-agent
	Old    string      `json:"old,omitempty"`
	New    string      `json:"new,omitempty"`
	Effect SetupEffect `json:"effect,omitempty"`
}

// SetupEffect is what a difference does to the host's rules; empty is a neutral or a tighter one.
type SetupEffect string

// The effects that need more than a yes.
const (
	EffectLoosens    SetupEffect = "loosens"    // more is allowed, or something else runs
	EffectDowngrades SetupEffect = "downgrades" // an older rp-agent takes the place of a newer one
)

// String is the difference on one line.
func (d SetupDifference) String() string {
	switch {
	case d.Old == "":
		return "+ " + d.Name + ": " + d.New
	case d.New == "":
		return "- " + d.Name + ": " + d.Old
	}
	return "  " + d.Name + ": " + d.Old + " -> " + d.New
}
