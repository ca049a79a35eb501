package story

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/re-connect/rpctl/lab"
	"github.com/re-connect/rpctl/lab/labtest"
)

// stage is a lab with everything that the chapters share.
type stage struct {
	*lab.Lab
	suite     *testing.T // that all chapters are part of
	bin       string     // the folder of rpctl and rp-agent
	sshConfig string
	inventory string
	preprod   *lab.Host
	prod      *lab.Host
	silent    *silence // a holder that was stopped in one chapter and is looked for in a later one
}

// chapters in the order of a host's life. What needs an agent stands between the two installs.
var chapters = []struct {
	name string
	play func(*testing.T, *stage)
}{
	{"nothing is installed", nothingInstalled},
	{"install", install},
	{"install without SFTP", installWithoutSFTP},
	{"spoilt binaries", spoiltBinaries},
	{"a change on the host is shown", changeOnHost},
	{"doctor", doctor},
	{"deploy to preprod", deployPreprod},
	{"what the host remembers", memory},
	{"prod wants to be confirmed", prodConfirmed},
	{"a holder falls silent", holderFallsSilent},
	{"rollback", rollback},
	{"a message in hand is finished", messageInHand},
	{"logs", logs},
	{"refused before anything is touched", refused},
	{"workers in trouble", workersInTrouble},
	{"over a live master", overMaster},
	{"without the bastion", withoutBastion},
	{"with the forced-command key", forcedKey},
	{"two deploys at once", twoDeploys},
	{"the holder is killed", holderKilled},
	{"polkit rule gone", polkitGone},
	{"disk full", diskFull},
	{"login shells", loginShells},
	{"silent holder has lost its lease", silentHolderLost},
	{"reboot", reboot},
	{"uninstall", uninstall},
}

func TestStory(t *testing.T) {
	labtest.Need(t)
	bin := buildPrograms(t)
	labtest.EachSuite(t, func(t *testing.T, suite lab.Suite) {
		s := newStage(t, bin, suite)
		for _, c := range chapters {
			if !t.Run(c.name, func(t *testing.T) { c.play(t, s) }) {
				t.Fatalf("the chapters after %q build on it", c.name)
			}
		}
	})
}

func newStage(t *testing.T, bin string, suite lab.Suite) *stage {
	l := labtest.Up(t, lab.Options{Slot: lab.SlotStory, Suite: suite})
	return &stage{
		Lab: l, suite: t, bin: bin, sshConfig: l.SSHConfig(), inventory: l.HostsTOML(),
		preprod: l.Host(lab.Preprod), prod: l.Host(lab.Prod),
	}
}

// buildPrograms builds what is shipped, as `make build` does.
func buildPrograms(t *testing.T) string {
	t.Helper()
	bin := t.TempDir()
	root := strings.TrimSpace(local(t, "go", "list", "-m", "-f", "{{.Dir}}"))
	for _, program := range []string{"./controller/cmd/rpctl", "./agent/cmd/rp-agent"} {
		cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", bin+string(filepath.Separator), program)
		cmd.Dir = root
		cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("cannot build %s: %v\n%s", program, err, out)
		}
	}
	return bin
}
