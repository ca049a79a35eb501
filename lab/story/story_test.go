package story

import (
	"testing"

	"github.com/re-connect/rpctl/lab"
	"github.com/re-connect/rpctl/lab/labtest"
)

// stage is a lab with everything that the chapters share.
type stage struct {
	*lab.Lab
	labtest.Developer
	suite   *testing.T // that all chapters are part of
	preprod *lab.Host
	prod    *lab.Host
	silent  *silence // a holder that was stopped in one chapter and is looked for in a later one
}

// chapters in the order of a host's life. What needs an agent stands between the two installs.
var chapters = labtest.Chapters[*stage]{
	{"nothing is installed", nothingInstalled},
	{"install", install},
	{"install without SFTP", installWithoutSFTP},
	{"spoilt binaries", spoiltBinaries},
	{"a change on the host is shown", changeOnHost},
	{"password for sudo", passwordForSudo},
	{"the receipt key stays", receiptKeyStays},
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
	bin := labtest.Build(t, labtest.Rpctl, labtest.RpAgent)
	labtest.EachSuite(t, func(t *testing.T, suite lab.Suite) {
		l := labtest.Up(t, lab.Options{Slot: lab.SlotStory, Suite: suite})
		chapters.Play(t, &stage{
			Lab: l, Developer: labtest.NewDeveloper(l, bin), suite: t,
			preprod: l.Host(lab.Preprod), prod: l.Host(lab.Prod),
		})
	})
}
