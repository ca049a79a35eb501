//go:build linux

package systemd_test

import (
	"strings"

	"github.com/godbus/dbus/v5"
)

type want int

const (
	allow  want = iota
	refuse      // by the rule: AccessDenied
	fail        // by the rule, or by systemd before it asks
)

// policyCase is one call to systemd.
type policyCase struct {
	name   string
	want   want
	object dbus.ObjectPath
	method string
	args   []any
}

const (
	managerObject = dbus.ObjectPath("/org/freedesktop/systemd1")
	managerFace   = "org.freedesktop.systemd1.Manager."
	unitFace      = "org.freedesktop.systemd1.Unit."

	worker   = "rpctltest_worker@1.service"
	unlisted = "rpctltest_unlisted@1.service"
	runner   = "rp-agent-run@rpctltest1.service"
	console  = "rp-agent-console@rpctltest1.service"

	usr1  = 10 // SIGUSR1
	sigrt = 40 // the only kind that can be queued with a value

	// pwned is what a unit of the caller's own making would touch.
	pwned = "/run/rpctltest-pwned"
)

// cases is everything that is tried, in this order, by a caller who may do little.
func cases() []policyCase {
	var all []policyCase
	for _, part := range [][]policyCase{
		allowedCases(), otherVerbs(worker), otherVerbs(runner), otherVerbs(console), otherUnits(), badNames(), transient(), wholeManager(), unitObjects(),
	} {
		all = append(all, part...)
	}
	return all
}

// call is a method of the manager; its name in the test is the method and its first argument.
func call(w want, method string, args ...any) policyCase {
	name := method
	if len(args) > 0 {
		if unit, ok := args[0].(string); ok {
			name += " " + unit
		}
	}
	return policyCase{name, w, managerObject, managerFace + method, args}
}

func allowedCases() []policyCase {
	all := []policyCase{
		call(allow, "RestartUnit", worker, "replace"),
		call(allow, "ResetFailedUnit", worker),
		call(allow, "StopUnit", "rpctltest_worker@2.service", "replace"),
		call(allow, "RestartUnit", "rpctltest_worker@A_b.c-9.service", "replace"),
		call(allow, "RestartUnit", "rpctltest_worker@"+strings.Repeat("x", 64)+".service", "replace"),
		call(allow, "RestartUnit", "rpctltest_plain.service", "replace"),
		call(allow, "StopUnit", "rpctltest_plain.service", "replace"),
	}
	for _, job := range []string{"rp-agent-run@rpctltest4.service", "rp-agent-console@rpctltest4.service", "rp-agent-dryrun@rpctltest4.service"} {
		all = append(all, call(allow, "StartUnit", job, "replace"), call(allow, "StopUnit", job, "replace"))
	}
	// Of the jobs above, without a spec, systemd may know nothing any more by then; these run.
	for _, job := range []string{runner, console} {
		all = append(all, call(allow, "ResetFailedUnit", job))
	}
	return all
}

// otherVerbs is what carries a unit's name too. Starting is for jobs only.
func otherVerbs(unit string) []policyCase {
	all := []policyCase{
		call(refuse, "ReloadUnit", unit, "replace"),
		call(refuse, "TryRestartUnit", unit, "replace"),
		call(refuse, "ReloadOrRestartUnit", unit, "replace"),
		call(refuse, "ReloadOrTryRestartUnit", unit, "replace"),
		call(refuse, "EnqueueUnitJob", unit, "reload", "replace"),
		call(refuse, "KillUnit", unit, "all", int32(usr1)),
		call(refuse, "QueueSignalUnit", unit, "main", int32(sigrt), int32(0)),
		call(refuse, "FreezeUnit", unit),
		call(refuse, "ThawUnit", unit),
		call(refuse, "CleanUnit", unit, []string{"state"}),
		call(refuse, "SetUnitProperties", unit, true, []property{{"CPUWeight", dbus.MakeVariant(uint64(50))}}),
		call(refuse, "BindMountUnit", unit, "/etc", "/mnt", false, false),
		call(refuse, "MountImageUnit", unit, "/tmp/image", "/mnt", false, false, []mountOption{}),
		call(fail, "AttachProcessesToUnit", unit, "/", []uint32{1}),
		call(refuse, "RefUnit", unit),
	}
	if unit == worker {
		return append(all, call(refuse, "StartUnit", unit, "replace"), policyCase{
			"EnqueueUnitJob start " + unit, refuse, managerObject, managerFace + "EnqueueUnitJob", []any{unit, "start", "replace"}})
	}
	return append(all, call(refuse, "RestartUnit", unit, "replace"), policyCase{
		"StartUnit isolate " + unit, fail, managerObject, managerFace + "StartUnit", []any{unit, "isolate"}})
}

func otherUnits() []policyCase {
	var all []policyCase
	for _, unit := range []string{
		unlisted, "rpctltest_missing@1.service", "ssh.service", "dbus.service", "systemd-journald.service", "polkit.service",
		"rp-agent.socket", "rp-agent@1.service", "multi-user.target", "no-such-unit.service",
	} {
		for _, method := range []string{"RestartUnit", "StopUnit", "StartUnit"} {
			all = append(all, call(refuse, method, unit, "replace"))
		}
	}
	return append(all, call(refuse, "ResetFailedUnit", unlisted))
}

// badNames are near what is allowed. What systemd itself takes for no unit's name need not reach the rule.
func badNames() []policyCase {
	var all []policyCase
	for _, unit := range []string{
		"rpctltest_worker@.service", "rpctltest_worker.service", "rpctltest_worker@a@b.service", `rpctltest_worker@a\x2db.service`,
		"rpctltest_worker@a:b.service", "rpctltest_worker@" + strings.Repeat("x", 65) + ".service", "rpctltest_worker@1.socket",
		"rpctltest_worker@1.target", "xrpctltest_worker@1.service", "rpctltest_worker_@1.service", "rpctltest_worker@a/b.service",
		"rpctltest_worker@*.service", "rpctltest_plain@1.service", "rpctltest_worker@1.service\n", "../rpctltest_worker@1.service",
	} {
		all = append(all, call(fail, "RestartUnit", unit, "replace"))
	}
	for _, id := range []string{"short", "UPPERCASE", "with-dash", "with_underscore", "with.dots.in.it", "", strings.Repeat("x", 65), "rpctltest@1"} {
		all = append(all, call(fail, "StartUnit", "rp-agent-run@"+id+".service", "replace"),
			call(fail, "StartUnit", "rp-agent-console@"+id+".service", "replace"), call(fail, "StartUnit", "rp-agent-dryrun@"+id+".service", "replace"))
	}
	return all
}

// These are the shapes of D-Bus: a property (sv), an option of a mount (ss), a command (sasb), a unit beside (sa(sv)).
type property struct {
	Name  string
	Value dbus.Variant
}

type mountOption struct{ Partition, Options string }

type command struct {
	Path          string
	Argv          []string
	IgnoreFailure bool
}

type auxiliary struct {
	Name       string
	Properties []property
}

// transient tries to run a command of the caller's own as root, under names that are allowed
// to start and under free ones.
func transient() []policyCase {
	properties := []property{{"ExecStart", dbus.MakeVariant([]command{{"/bin/touch", []string{"/bin/touch", pwned}, false}})}}
	var all []policyCase
	for _, unit := range []string{
		"rpctltest-transient.service", worker, "rpctltest_worker@transient.service", "rpctltest_missing@transient.service", runner,
		"rp-agent-run@rpctltest2.service", "rp-agent-console@rpctltest2.service", "rp-agent-dryrun@rpctltest2.service", "rpctltest_plain.service", "rp-agent.slice",
	} {
		all = append(all, call(refuse, "StartTransientUnit", unit, "replace", properties, []auxiliary{}))
	}
	scope := []property{{"PIDs", dbus.MakeVariant([]uint32{1})}}
	return append(all,
		call(refuse, "StartTransientUnit", "rpctltest.scope", "fail", scope, []auxiliary{}),
		policyCase{"StartTransientUnit with another beside", refuse, managerObject, managerFace + "StartTransientUnit",
			[]any{"rp-agent-run@rpctltest3.service", "replace", properties, []auxiliary{{"rpctltest-aux.service", properties}}}})
}

// wholeManager is what concerns no unit, or the files of units.
func wholeManager() []policyCase {
	files := []string{worker}
	return []policyCase{
		call(refuse, "Reload"),
		call(refuse, "Reexecute"),
		call(refuse, "ResetFailed"),
		call(fail, "ClearJobs"),
		call(fail, "CancelJob", uint32(1)),
		call(refuse, "SetEnvironment", []string{"LD_PRELOAD=/tmp/x.so"}),
		call(refuse, "UnsetEnvironment", []string{"PATH"}),
		call(refuse, "SetDefaultTarget", "rescue.target", true),
		call(refuse, "EnableUnitFiles", files, true, false),
		call(refuse, "DisableUnitFiles", files, true),
		call(refuse, "ReenableUnitFiles", files, true, false),
		call(refuse, "LinkUnitFiles", []string{"/tmp/evil.service"}, true, false),
		call(refuse, "PresetUnitFiles", files, true, false),
		call(refuse, "MaskUnitFiles", files, true, true),
		call(refuse, "UnmaskUnitFiles", files, true),
		call(refuse, "RevertUnitFiles", files),
		call(refuse, "AddDependencyUnitFiles", files, "multi-user.target", "Wants", true, false),
	}
}

// unitObjects asks the units themselves instead of the manager.
func unitObjects() []policyCase {
	const listed = dbus.ObjectPath("/org/freedesktop/systemd1/unit/rpctltest_5fworker_401_2eservice")
	const other = dbus.ObjectPath("/org/freedesktop/systemd1/unit/rpctltest_5funlisted_401_2eservice")
	return []policyCase{
		{"Unit.Restart of a worker", allow, listed, unitFace + "Restart", []any{"replace"}},
		{"Unit.Start of a worker", refuse, listed, unitFace + "Start", []any{"replace"}},
		{"Unit.Kill of a worker", refuse, listed, unitFace + "Kill", []any{"all", int32(usr1)}},
		{"Unit.SetProperties of a worker", refuse, listed, unitFace + "SetProperties",
			[]any{true, []property{{"CPUWeight", dbus.MakeVariant(uint64(50))}}}},
		{"Unit.Restart of another", refuse, other, unitFace + "Restart", []any{"replace"}},
		{"Unit.Stop of another", refuse, other, unitFace + "Stop", []any{"replace"}},
		{"Service.BindMount of a worker", refuse, listed, "org.freedesktop.systemd1.Service.BindMount", []any{"/etc", "/mnt", false, false}},
	}
}
