// Package exitcode is the table of exit codes, a contract with those who script rpctl and rp-agent:
// docs/exit-codes.md. A test of the controller compares the two.
package exitcode

import "github.com/re-connect/rpctl/proto"

// Code is a process's exit status.
type Code int

// The codes. rp-agent uses those that make sense on a host itself, with the same meaning.
const (
	OK          Code = 0   // all that was asked is done, and proved where it can be
	Failed      Code = 1   // it ran, and the outcome is bad (a crash loop, an unhealthy host, nothing moved)
	BadInput    Code = 2   // the command line or hosts.toml; nothing was touched
	Partial     Code = 3   // some hosts are done, others are not or are unknown
	Refused     Code = 4   // a rule said no (lease held, gate closed, a limit reached, dirty tree, wrong environment, not confirmed)
	Unreachable Code = 5   // no SSH connection: name, network, host key, login
	NoAgent     Code = 6   // rp-agent is missing, or too old or too new
	LocalFailed Code = 7   // a local command (git, prepare, deploy) failed or is missing
	HostFailed  Code = 8   // the host cannot do its part (polkit, disk, agent.toml)
	Interrupted Code = 130 // Ctrl-C
)

// names are the codes as JSON errors and docs/exit-codes.md call them.
var names = map[Code]string{
	OK: "ok", Failed: "failed", BadInput: "bad_input", Partial: "partial", Refused: "refused",
	Unreachable: "unreachable", NoAgent: "no_agent", LocalFailed: "local_failed",
	HostFailed: "host_failed", Interrupted: "interrupted",
}

// String is the code's name in JSON and in the documentation.
func (c Code) String() string { return names[c] }

// Of is the exit code for an agent's refusal, to whoever asked it and however.
func Of(code proto.Code) Code {
	switch code {
	case proto.CodeEnvironment, proto.CodeForbidden, proto.CodeLeaseHeld, proto.CodeLeaseRequired, proto.CodeGate, proto.CodeLimit:
		return Refused
	case proto.CodeJob:
		return BadInput
	case proto.CodeUnsupported, proto.CodeBadRequest:
		return NoAgent
	case proto.CodeNoUnits, proto.CodeRelease:
		return Failed
	case proto.CodeCancelled:
		return Interrupted
	default:
		return HostFailed
	}
}
