package systemd

import (
	"errors"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/re-connect/rpctl/agent/internal/units"
)

func variants(values map[string]any) properties {
	props := properties{}
	for name, v := range values {
		props[name] = dbus.MakeVariant(v)
	}
	return props
}

func TestApply(t *testing.T) {
	start := dbus.MakeVariantWithSignature([][]any{
		{"/usr/bin/php", []string{"php", "/srv/current/bin/console"}, false, uint64(0), uint64(0), uint64(0), uint64(0), uint32(0), int32(0), int32(0)},
	}, dbus.ParseSignatureMust("a(sasbttttuii)"))
	props := variants(map[string]any{
		"LoadState": "loaded", "ActiveState": "deactivating", "SubState": "stop-sigterm", "Result": "success",
		"InvocationID": []byte{0xab, 0x01}, "MainPID": uint32(7), "NRestarts": uint32(2), "MemoryCurrent": uint64(4096), "CPUUsageNSec": uint64(120_000_000),
		"ExecMainStartTimestamp": uint64(1_000_001), "StateChangeTimestamp": uint64(2_000_000), "TimeoutStopUSec": uint64(90_000_000),
		"ExecMainCode": int32(2), "ExecMainStatus": int32(9), "WorkingDirectory": "!/srv/current", "Unknown": "x",
	})
	props["ExecStart"] = start
	want := units.State{Unit: "u", Load: "loaded", Active: "deactivating", Sub: "stop-sigterm", Result: "success",
		Invocation: "ab01", MainPID: 7, Restarts: 2, Memory: 4096, Started: time.UnixMicro(1_000_001), Changed: time.UnixMicro(2_000_000),
		TimeoutStop: 90 * time.Second, Worked: 120 * time.Millisecond, ExitKind: "killed", ExitCode: 9,
		Paths: []string{"/srv/current", "/usr/bin/php", "php", "/srv/current/bin/console"}}
	got := units.State{Unit: "u"}
	apply(&got, props)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("apply:\n got %+v\nwant %+v", got, want)
	}
	want.Active, want.Invocation = "failed", ""
	apply(&got, variants(map[string]any{"ActiveState": "failed", "InvocationID": []byte{}}))
	if !reflect.DeepEqual(got, want) {
		t.Errorf("a change of two properties:\n got %+v\nwant %+v", got, want)
	}
}

// TestApplyOdd: what is infinite, not set or of another type than the man page says.
func TestApplyOdd(t *testing.T) {
	tests := []struct {
		name  string
		props map[string]any
	}{
		{"not known", map[string]any{"MemoryCurrent": uint64(math.MaxUint64), "CPUUsageNSec": uint64(math.MaxUint64), "TimeoutStopUSec": uint64(math.MaxUint64),
			"ExecMainStartTimestamp": uint64(0), "StateChangeTimestamp": uint64(math.MaxUint64), "ExecMainCode": int32(0), "InvocationID": []byte{}}},
		{"other types", map[string]any{"MainPID": "7", "ActiveState": 7, "InvocationID": "x", "ExecStart": "x", "WorkingDirectory": 1, "Job": "x"}},
		{"short rows", map[string]any{"ExecStart": [][]any{{"/bin/sh"}, {}}}},
	}
	for _, test := range tests {
		var got units.State
		apply(&got, variants(test.props))
		if !reflect.DeepEqual(got, units.State{}) {
			t.Errorf("%s: %+v", test.name, got)
		}
	}
	var long units.State
	if apply(&long, variants(map[string]any{"TimeoutStopUSec": uint64(math.MaxUint64 - 1)})); long.TimeoutStop < 1000*time.Hour {
		t.Errorf("a very long TimeoutStop came out as %v", long.TimeoutStop)
	}
}

func TestExplain(t *testing.T) {
	tests := map[string]error{
		"org.freedesktop.DBus.Error.InteractiveAuthorizationRequired": units.ErrRefused,
		"org.freedesktop.DBus.Error.AccessDenied":                     units.ErrRefused,
		"org.freedesktop.systemd1.NoSuchUnit":                         units.ErrNotFound,
		"org.freedesktop.systemd1.UnitMasked":                         units.ErrMasked,
	}
	for name, want := range tests {
		if got := Explain(dbus.Error{Name: name}); !errors.Is(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	other := Explain(dbus.Error{Name: "org.freedesktop.systemd1.BadUnitSetting", Body: []any{"has a bad unit file setting"}})
	if want := "has a bad unit file setting (org.freedesktop.systemd1.BadUnitSetting)"; other.Error() != want {
		t.Errorf("%q, want %q", other, want)
	}
}

func TestJobNumber(t *testing.T) {
	if id, err := jobNumber("/org/freedesktop/systemd1/job/42"); err != nil || id != 42 {
		t.Errorf("%d, %v", id, err)
	}
	for _, odd := range []dbus.ObjectPath{"", "/", "/job/x", "/job/99999999999"} {
		if id, err := jobNumber(odd); err == nil {
			t.Errorf("%q is job %d", odd, id)
		}
	}
}

func FuzzCheckName(f *testing.F) {
	for _, seed := range []string{"worker@1.service", "worker@.service", "a.service", "../a.service", "", "@.service", `a\x2d@b:c.service`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if checkName(name) == nil && !unitPath(name).IsValid() {
			t.Errorf("%q gives the path %q", name, unitPath(name))
		}
	})
}
