package setup

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/re-connect/rpctl/internal/version"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/systemd"
)

// agentDifference compares the agent that is installed with the one that shall be, by version and digest. Where the
// versions have no order, the times of the commits that they were built from decide.
func (p *Plan) agentDifference(ctx context.Context, t target) ([]proto.SetupDifference, error) {
	shall, err := p.wantedAgent(t)
	if err != nil {
		return nil, err
	}
	difference := proto.SetupDifference{Name: "rp-agent", New: shall.String()}
	full := p.host.path(t.path)
	if _, err := os.Lstat(full); err == nil {
		is, err := p.installedAgent(ctx, full, t.uid)
		if err != nil {
			return nil, err
		}
		if is.sum == shall.sum {
			return nil, nil // its owner or its mode differs
		}
		difference.Old = is.String()
		if shall.olderThan(is) {
			difference.Effect = proto.EffectDowngrades
		}
	}
	return []proto.SetupDifference{difference}, nil
}

// build is what is known of an rp-agent.
type build struct {
	version string // "unknown" where it does not say
	sum     string // SHA-256, hex
	commit  time.Time
}

func (b build) String() string { return fmt.Sprintf("%s (sha256 %s)", b.version, b.sum) }

func (b build) olderThan(other build) bool {
	if order, known := compareVersions(b.version, other.version); known {
		return order < 0
	}
	return !b.commit.IsZero() && !other.commit.IsZero() && b.commit.Before(other.commit)
}

func (p *Plan) wantedAgent(t target) (build, error) {
	content, err := t.open()
	if err != nil {
		return build{}, err
	}
	defer content.Close()
	sum, err := digest(content)
	if err != nil {
		return build{}, err
	}
	b := build{version: p.host.Version, sum: fmt.Sprintf("%x", sum)}
	if at, ok := content.(*os.File); ok {
		b.commit = commitTime(at.Name())
	}
	return b, nil
}

// installedAgent asks the agent that is there. It is started as root, as systemd does for rp-agent console-end, and
// only where nobody but root could have written it.
func (p *Plan) installedAgent(ctx context.Context, full string, root int) (build, error) {
	content, err := os.Open(full)
	if err != nil {
		return build{}, err
	}
	defer content.Close()
	sum, err := digest(content)
	if err != nil {
		return build{}, err
	}
	b := build{version: "unknown", sum: fmt.Sprintf("%x", sum), commit: commitTime(full)}
	info, err := content.Stat()
	if err != nil {
		return build{}, err
	}
	if stat := info.Sys().(*syscall.Stat_t); int(stat.Uid) != root || info.Mode().Perm()&0o022 != 0 {
		return b, nil
	}
	said, err := p.host.Commands.Run(ctx, systemd.Binary, "version")
	if fields := strings.Fields(said); err == nil && len(fields) > 1 && fields[0] == "rp-agent" && len(fields[1]) <= 64 {
		b.version = fields[1]
	}
	return b, nil
}

// commitTime is when the commit was made that a program was built from; zero where it does not say.
func commitTime(name string) time.Time {
	info, err := buildinfo.ReadFile(name)
	if err != nil {
		return time.Time{}
	}
	return version.CommitTime(info)
}

// versionForm is a tag, what git describe makes of one, or a version of Go modules: v1.2, v1.2-3-gabcdef0, v1.2.3-rc1.
var versionForm = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(v?)([0-9]{1,9}(?:\.[0-9]{1,9})*)(?:-([0-9]{1,9})-g[0-9a-f]+|-(.+?))?(?:[+-](?:dirty|modified))?$`)
})

// numbered is a version that has an order.
type numbered struct {
	numbers []int
	pre     bool // of before the tag: v1.2.3-rc1, v1.2.3-0.20261129103000-abcdef0
	commits int  // since the tag
}

// compareVersions is negative where a is older. It is not known where one of them has no number, and where both
// are of the same number and count, or of before the same tag.
func compareVersions(a, b string) (order int, known bool) {
	one, ok := parseVersion(a)
	other, alsoOK := parseVersion(b)
	if !ok || !alsoOK {
		return 0, false
	}
	for i := range max(len(one.numbers), len(other.numbers)) {
		if difference := at(one.numbers, i) - at(other.numbers, i); difference != 0 {
			return difference, true
		}
	}
	switch {
	case one.pre && other.pre:
		return 0, a == b
	case one.pre:
		return -1, true
	case other.pre:
		return 1, true
	}
	return one.commits - other.commits, one.commits != other.commits || a == b
}

func at(numbers []int, i int) int {
	if i < len(numbers) {
		return numbers[i]
	}
	return 0
}

func parseVersion(text string) (numbered, bool) {
	parts := versionForm().FindStringSubmatch(text)
	if parts == nil || parts[1] == "" && !strings.Contains(parts[2], ".") { // 1234567 is a commit
		return numbered{}, false
	}
	var v numbered
	for _, digits := range strings.Split(parts[2], ".") {
		number, err := strconv.Atoi(digits)
		if err != nil {
			return numbered{}, false
		}
		v.numbers = append(v.numbers, number)
	}
	if parts[3] != "" {
		v.commits, _ = strconv.Atoi(parts[3]) // nine digits
	}
	v.pre = parts[4] != "" && parts[4] != "dirty" && parts[4] != "modified"
	return v, true
}
