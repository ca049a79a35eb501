package version

import (
	"runtime/debug"
	"testing"
)

func TestFromBuild(t *testing.T) {
	commit := debug.BuildSetting{Key: "vcs.revision", Value: "0123456789abcdef0123"}
	cases := []struct {
		name string
		info debug.BuildInfo
		want string
	}{
		{"go install of a tag", debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}}, "v1.2.3"},
		{"work tree", debug.BuildInfo{Main: debug.Module{Version: "(devel)"}, Settings: []debug.BuildSetting{commit}}, "devel-0123456789ab"},
		{"changed work tree", debug.BuildInfo{Settings: []debug.BuildSetting{commit, {Key: "vcs.modified", Value: "true"}}}, "devel-0123456789ab+modified"},
		{"nothing known", debug.BuildInfo{}, "devel"},
	}
	for _, c := range cases {
		if got := fromBuild(&c.info); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestStringPrefersWhatTheBuildSaid(t *testing.T) {
	defer func(was string) { Version = was }(Version)
	Version = "1.2.3"
	if String() != "1.2.3" {
		t.Errorf("String() = %q", String())
	}
}
