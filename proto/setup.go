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
	// Applied says that all changes were made; false in a dry run and with Error.
	Applied bool   `json:"applied"`
	Error   *Error `json:"error,omitempty"`
}

// SetupChange is one thing that is not as it shall be. Action is create, replace, remove, add,
// run, enable, start, restart or stop.
type SetupChange struct {
	Action string `json:"action"`
	Target string `json:"target"`
	Detail string `json:"detail,omitempty"`
}
