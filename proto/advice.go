package proto

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/re-connect/rpctl/proto/plan"
)

// AdviceCode names a thing that a host advises to do next. The list is closed: what a code means as a command
// is decided by the program that prints it, never by the host that sent it.
type AdviceCode string

// The codes, with the argument that each needs.
const (
	// Of rpctl, on the operator's machine.
	AdviceStatus     AdviceCode = "status"
	AdviceHistory    AdviceCode = "history"
	AdviceJobs       AdviceCode = "jobs"
	AdviceAttach     AdviceCode = "attach" // Job
	AdviceDoctor     AdviceCode = "doctor"
	AdviceDeploy     AdviceCode = "deploy"
	AdviceInstall    AdviceCode = "agent-install"
	AdviceUpgrade    AdviceCode = "agent-upgrade"
	AdviceDiff       AdviceCode = "agent-diff"
	AdvicePlanNew    AdviceCode = "plan-new"
	AdvicePlanCheck  AdviceCode = "plan-check"
	AdvicePlanStatus AdviceCode = "plan-status"
	AdviceSimulate   AdviceCode = "simulate"
	AdviceApprove    AdviceCode = "approve"
	AdviceRevoke     AdviceCode = "revoke"
	AdviceCancel     AdviceCode = "cancel"  // Job
	AdviceBefore     AdviceCode = "before"  // look at the plan in the environment that comes before
	AdviceResolve    AdviceCode = "resolve" // Step, As, Left: apply with the decision on a step

	// Of other programs on the operator's machine.
	AdviceExecutable AdviceCode = "console-executable" // in the repository
	AdviceKeys       AdviceCode = "keys"

	// Of the host, for any login.
	AdviceHostDoctor  AdviceCode = "host-doctor"
	AdviceHostStatus  AdviceCode = "host-status"
	AdviceHostVersion AdviceCode = "host-version"
	AdviceAuditVerify AdviceCode = "audit-verify"
	AdviceAgentLog    AdviceCode = "agent-log"
	AdviceClock       AdviceCode = "clock"
	AdviceUnitFiles   AdviceCode = "unit-files"
	AdviceAgentUnit   AdviceCode = "agent-unit"
	AdviceDBus        AdviceCode = "dbus"
	AdviceUnit        AdviceCode = "unit" // Unit
	AdviceFindPHP     AdviceCode = "find-php"
	AdviceList        AdviceCode = "list"     // Path
	AdviceDisk        AdviceCode = "disk"     // Path
	AdviceInodes      AdviceCode = "inodes"   // Path
	AdviceMount       AdviceCode = "mount"    // Path
	AdviceIdentity    AdviceCode = "identity" // Account
	AdviceAgents      AdviceCode = "agents"   // Account: its bridges to the agent

	// Of the host, for an administrator.
	AdviceRootLog       AdviceCode = "root-log"
	AdviceSetup         AdviceCode = "setup"
	AdviceStartSocket   AdviceCode = "start-socket"
	AdviceRestartSocket AdviceCode = "restart-socket"
	AdviceEnableSocket  AdviceCode = "enable-socket"
	AdviceReload        AdviceCode = "reload"
	AdviceReceiptKey    AdviceCode = "receipt-key"
	AdviceClockReset    AdviceCode = "clock-reset"
	AdviceSetClock      AdviceCode = "set-clock"
	AdviceTimedated     AdviceCode = "start-timedated"
	AdvicePolkit        AdviceCode = "install-polkit"
	AdvicePolkitRules   AdviceCode = "polkit-rules"
	AdviceJoin          AdviceCode = "join-group"
	AdviceGroup         AdviceCode = "add-group"     // Account
	AdviceEnable        AdviceCode = "enable-worker" // Unit
	AdviceWorkerLog     AdviceCode = "worker-log"    // Unit
	AdviceRunLog        AdviceCode = "run-log"       // Job: of a run, whose id has a job's form
	AdviceUsage         AdviceCode = "usage"         // Path
	AdviceRemove        AdviceCode = "remove"        // Path
	AdviceOwner         AdviceCode = "owner"         // Path
	AdviceRights        AdviceCode = "rights"        // Path
	AdviceProtect       AdviceCode = "protect"       // Path: both
)

// Advice is what to do next, as a code and its arguments. Its zero value advises nothing.
type Advice struct {
	Code    AdviceCode  `json:"code"`
	Job     JobID       `json:"job,omitempty"`
	Step    plan.StepID `json:"step,omitempty"`
	As      string      `json:"as,omitempty"`   // ResolveRerun or ResolveDone
	Left    int64       `json:"left,omitempty"` // people that a fresh dry run would still move
	Unit    UnitPattern `json:"unit,omitempty"` // one instance
	Path    string      `json:"path,omitempty"` // absolute, of plain characters
	Account string      `json:"account,omitempty"`
}

// argument is what a code needs beside itself.
type argument int

const (
	noArgument argument = iota
	jobArgument
	stepArgument
	unitArgument
	pathArgument
	accountArgument
)

// Reach says where an advice is followed.
type Reach int

// The places.
const (
	Nowhere    Reach = iota
	Controller       // rpctl
	Machine          // another program on the operator's machine
	Host             // any login of the host
	Root             // an administrator of the host
)

// advices are the codes' commands, as this host's own program and older controllers show them; % is the argument.
var advices = map[AdviceCode]struct {
	reach    Reach
	argument argument
	command  string
}{
	AdviceStatus:     {Controller, noArgument, "rpctl status"},
	AdviceHistory:    {Controller, noArgument, "rpctl history"},
	AdviceJobs:       {Controller, noArgument, "rpctl jobs"},
	AdviceAttach:     {Controller, jobArgument, "rpctl attach %"},
	AdviceDoctor:     {Controller, noArgument, "rpctl doctor"},
	AdviceDeploy:     {Controller, noArgument, "rpctl deploy"},
	AdviceInstall:    {Controller, noArgument, "rpctl agent install"},
	AdviceUpgrade:    {Controller, noArgument, "rpctl agent upgrade"},
	AdviceDiff:       {Controller, noArgument, "rpctl agent diff"},
	AdvicePlanNew:    {Controller, noArgument, "rpctl plan new"},
	AdvicePlanCheck:  {Controller, noArgument, "rpctl plan check PLAN"},
	AdvicePlanStatus: {Controller, noArgument, "rpctl migrate status --plan PLAN"},
	AdviceSimulate:   {Controller, noArgument, "rpctl migrate --plan PLAN"},
	AdviceApprove:    {Controller, noArgument, "rpctl migrate approve --plan PLAN"},
	AdviceRevoke:     {Controller, noArgument, "rpctl migrate revoke --plan PLAN"},
	AdviceCancel:     {Controller, jobArgument, "rpctl cancel %"},
	AdviceBefore:     {Controller, noArgument, "rpctl migrate status --plan PLAN"},
	AdviceResolve:    {Controller, stepArgument, "rpctl migrate --apply --plan PLAN --resolve %"},

	AdviceExecutable: {Machine, noArgument, "git update-index --chmod=+x bin/console"},
	AdviceKeys:       {Machine, noArgument, "ssh-add -l"},

	AdviceHostDoctor:  {Host, noArgument, "rp-agent doctor"},
	AdviceHostStatus:  {Host, noArgument, "rp-agent status"},
	AdviceHostVersion: {Host, noArgument, "rp-agent version"},
	AdviceAuditVerify: {Host, noArgument, "rp-agent audit verify"},
	AdviceAgentLog:    {Host, noArgument, "journalctl -u 'rp-agent@*' -n 50"},
	AdviceClock:       {Host, noArgument, "timedatectl"},
	AdviceUnitFiles:   {Host, noArgument, "systemctl list-unit-files"},
	AdviceAgentUnit:   {Host, noArgument, "systemctl cat rp-agent@.service"},
	AdviceUnit:        {Host, unitArgument, "systemctl cat %"},
	AdviceDBus:        {Host, noArgument, "systemctl status dbus"},
	AdviceFindPHP:     {Host, noArgument, "command -v php"},
	AdviceList:        {Host, pathArgument, "ls -l %"},
	AdviceDisk:        {Host, pathArgument, "df -h %"},
	AdviceInodes:      {Host, pathArgument, "df -i %"},
	AdviceMount:       {Host, pathArgument, "findmnt -T %"},
	AdviceIdentity:    {Host, accountArgument, "id %"},
	AdviceAgents:      {Host, accountArgument, "pgrep -a -u % rp-agent"},

	AdviceRootLog:       {Root, noArgument, "sudo journalctl -u 'rp-agent@*' -n 50"},
	AdviceSetup:         {Root, noArgument, "sudo rp-agent setup"},
	AdviceStartSocket:   {Root, noArgument, "sudo systemctl start rp-agent.socket"},
	AdviceRestartSocket: {Root, noArgument, "sudo systemctl restart rp-agent.socket"},
	AdviceEnableSocket:  {Root, noArgument, "sudo systemctl enable --now rp-agent.socket"},
	AdviceReload:        {Root, noArgument, "sudo systemctl daemon-reload && sudo systemctl restart rp-agent.socket"},
	AdviceReceiptKey:    {Root, noArgument, "sudo rp-agent receipt-key"},
	AdviceClockReset:    {Root, noArgument, "sudo rp-agent clock-reset"},
	AdviceSetClock:      {Root, noArgument, "sudo timedatectl set-ntp true"},
	AdviceTimedated:     {Root, noArgument, "sudo systemctl start systemd-timedated"},
	AdvicePolkit:        {Root, noArgument, "sudo apt install polkitd"},
	AdvicePolkitRules:   {Root, noArgument, "sudo grep -rn polkit.Result /etc/polkit-1/rules.d /usr/share/polkit-1/rules.d"},
	AdviceJoin:          {Root, noArgument, `sudo usermod -aG rpctl "$USER"`},
	AdviceGroup:         {Root, accountArgument, "sudo groupadd --system %"},
	AdviceEnable:        {Root, unitArgument, "sudo systemctl enable --now %"},
	AdviceWorkerLog:     {Root, unitArgument, "sudo journalctl -u % -n 1"},
	AdviceRunLog:        {Root, jobArgument, "sudo journalctl -u 'rp-agent-*@%.service'"},
	AdviceUsage:         {Root, pathArgument, "sudo du -sh %"},
	AdviceRemove:        {Root, pathArgument, "sudo rm %"},
	AdviceOwner:         {Root, pathArgument, "sudo chown root:root %"},
	AdviceRights:        {Root, pathArgument, "sudo chmod go-w %"},
	AdviceProtect:       {Root, pathArgument, "sudo chown root:root % && sudo chmod go-w %"},
}

// AdviceCodes are all codes, in the order of their names.
func AdviceCodes() []AdviceCode { return slices.Sorted(maps.Keys(advices)) }

// Check refuses a code that is not on the list, an argument that is missing or of a bad form, and one that the
// code does not take.
func (a Advice) Check() error {
	known, ok := advices[a.Code]
	if !ok {
		return errors.New("unknown advice")
	}
	want, err := Advice{Code: a.Code}, error(nil)
	switch known.argument {
	case jobArgument:
		want.Job = a.Job
		if !a.Job.Valid() {
			err = errors.New("bad job id")
		}
	case stepArgument:
		want.Step, want.As, want.Left = a.Step, a.As, a.Left
		if !validStep(a.Step) || a.As != ResolveRerun && a.As != ResolveDone || a.Left < 0 {
			err = errors.New("bad step or resolution")
		}
	case unitArgument:
		want.Unit = a.Unit
		if !a.Unit.IsInstance() {
			err = errors.New("bad unit")
		}
	case pathArgument:
		want.Path, err = a.Path, CheckApplicationPath(a.Path)
	case accountArgument:
		want.Account, err = a.Account, CheckAccount(a.Account)
	}
	if err == nil && want != a {
		err = errors.New("an argument that the code does not take")
	}
	if err != nil {
		return fmt.Errorf("bad advice %s: %w", a.Code, err)
	}
	return nil
}

// validStep says whether a step's id is a group's number, a point and the step's number.
func validStep(id plan.StepID) bool {
	group, number, ok := strings.Cut(string(id), ".")
	for _, digits := range []string{group, number} {
		if n, err := strconv.Atoi(digits); err != nil || n < 1 || strconv.Itoa(n) != digits {
			return false
		}
	}
	return ok && len(id) <= 16
}

// Reach is where the advice is followed; Nowhere where Check refuses it.
func (a Advice) Reach() Reach {
	if a.Check() != nil {
		return Nowhere
	}
	return advices[a.Code].reach
}

// Text is the advice as a command, for the host's own program and for controllers that do not know Advice:
// without an environment, and with PLAN for a plan's file. It is empty where Check refuses the advice.
func (a Advice) Text() string {
	if a.Check() != nil {
		return ""
	}
	known := advices[a.Code]
	word := ""
	switch known.argument {
	case jobArgument:
		word = string(a.Job)
	case stepArgument:
		word = a.resolution()
	case unitArgument:
		word = string(a.Unit)
	case pathArgument:
		word = a.Path
	case accountArgument:
		word = a.Account
	}
	return strings.ReplaceAll(known.command, "%", word)
}

// Arguments of an apply that decides about a step.
func (a Advice) resolution() string {
	return fmt.Sprintf("%s=%s --reason 'a fresh dry run shows %d left'", a.Step, a.As, a.Left)
}

// In is Text with the environment that a command of rpctl's needs.
func (a Advice) In(environment string) string {
	text := a.Text()
	if a.Reach() != Controller || environment == "" || a.Code == AdvicePlanNew || a.Code == AdvicePlanCheck || a.Code == AdviceBefore {
		return text
	}
	return text + " --env " + environment
}

// heard takes an advice that came from a host: a good one alone counts, and the text of a host that sent none
// is only its suggestion.
func heard(a *Advice, next *string, suggests *HostText) {
	*suggests = HostText(*next)
	*next = ""
	if a.Check() == nil {
		*suggests = ""
		return
	}
	*a = Advice{}
}
