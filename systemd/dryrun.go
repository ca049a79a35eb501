package systemd

import "bytes"

// dryRunLimits are added to the console's unit for a dry run, which changes no data and may be ended at any moment.
const dryRunLimits = `[Service]
# Ended after an hour, also where its runner is dead. A real run has no such limit, and never may.
RuntimeMaxSec=1h
# Where memory is short, the kernel ends a dry run first.
OOMScoreAdjust=500
# And a real run has the processor first.
CPUWeight=20
`

// unitFile is the content of one of Units.
func unitFile(unit string) []byte {
	if unit != dryRunUnit {
		return static(unit)
	}
	text := static(consoleUnit)
	for _, change := range []struct{ from, to string }{
		{"# Exactly one console command, as", "# Exactly one console command with --dry-run, as"},
		{"Description=rp-agent: console command %i", "Description=rp-agent: dry run %i"},
		{"[Service]\n", dryRunLimits},
		{" console %i\n", " console --dry-run %i\n"},
		{"rp-agent ignores SIGXFSZ for a\n# real run, so that the write alone fails.\nLimitFSIZE=32G\n",
			"A dry run\n# is ended by SIGXFSZ there. The runner stops one that prints much less (MaxPrinted in agent/internal/jobs/console).\nLimitFSIZE=4G\n"},
	} {
		if bytes.Count(text, []byte(change.from)) != 1 {
			panic("systemd: " + consoleUnit + " has not exactly one " + change.from) // the build is broken, not the input
		}
		text = bytes.Replace(text, []byte(change.from), []byte(change.to), 1)
	}
	return text
}
