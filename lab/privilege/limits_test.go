package privilege

import (
	"strings"
	"testing"

	"github.com/re-connect/rpctl/lab"
	"github.com/re-connect/rpctl/lab/labtest"
)

// TestLimits is what a member of the operators may take of a host, and for how long. It changes groups and units, so it
// has a host of its own.
func TestLimits(t *testing.T) {
	labtest.Need(t)
	binary := buildAgent(t)
	labtest.EachSuite(t, func(t *testing.T, suite lab.Suite) {
		l := labtest.Up(t, lab.Options{Slot: lab.SlotPrivilege, Suite: suite, Roles: []lab.Role{lab.Preprod}})
		s := &stage{Lab: l, host: l.Host(lab.Preprod)}
		s.install(t, binary)
		for _, c := range limitCases() {
			t.Run(c.name, func(t *testing.T) {
				said := s.on(t, "timeout", "240", "bash", "-c", "exec 2>&1; cd /; "+helpers+c.script+"\ntrue")
				for _, want := range c.want {
					if !strings.Contains(said, want) {
						t.Errorf("no %q in:\n%s", want, said)
					}
				}
			})
		}
	})
}

// helpers: await CONDITION, and say FILE OPERATION ARGS for a connection that is open on descriptor 3.
const helpers = `await() { until eval "$1"; do sleep 0.1; done; }
request() { echo '{"id":'$1',"protocol":1,"op":"'$2'","environment":"preprod","args":'$3'}'; }
answered() { await "grep -q '\"id\":$1,' $2"; grep "\"id\":$1," $2; }
`

type limitCase struct {
	name, script string
	want         []string
}

func limitCases() []limitCase {
	return []limitCase{
		{"a member who is removed loses the right in a connection that is open", `
mkfifo /run/in; chown app /run/in
runuser -u app -- rp-agent rpc </run/in >/run/out & exec 3>/run/in
request 1 release '{}' >&3; answered 1 /run/out
gpasswd -d app rpctl
request 2 lease '{"purpose":"deploy"}' >&3; answered 2 /run/out
gpasswd -a app rpctl
request 3 lease '{"purpose":"deploy"}' >&3; answered 3 /run/out
gpasswd -d app rpctl
echo '{"ping":true}' >&3; wait %1; echo cut off
gpasswd -a app rpctl
request 1 lease '{"purpose":"restart"}' | rp-agent rpc | tail -1`,
			[]string{`"id":1,"result"`, `"id":2,"error":{"code":"forbidden"`, "was in one when it logged in", `"id":3,"result"`, "cut off", `{"event":"done","id":1`}},

		{"all that it starts is in the slice", `
mkfifo /run/in2; chown app /run/in2
runuser -u app -- rp-agent rpc </run/in2 >/run/out2 & exec 3>/run/in2
request 1 release '{}' >&3; answered 1 /run/out2
systemctl show -p Slice $(systemctl list-units --plain --no-legend 'rp-agent@*' | awk '{print $1}' | head -1)
systemctl show -p TasksMax -p CPUWeight rp-agent.slice
systemctl show -p RuntimeMaxUSec rp-agent-dryrun@abcdefgh.service rp-agent-console@abcdefgh.service
systemctl show -p LimitFSIZE rp-agent-dryrun@abcdefgh.service
exec 3>&-; wait`,
			[]string{"Slice=rp-agent.slice", "TasksMax=4096", "CPUWeight=50", "RuntimeMaxUSec=1h", "RuntimeMaxUSec=infinity", "LimitFSIZE=4294967296"}},

		{"70 simulations at once", `
echo 'exec sleep 600' >` + attemptPath + `
for n in $(seq 10 79); do request 1 job-start '{"id":"flooding'$n'","kind":"simulate",` + onePlan + `}' | runuser -u app -- rp-agent rpc >/run/flood.$n & done; wait
echo accepted $(cat /run/flood.* | grep -c '"event":"done"') refused $(cat /run/flood.* | grep -c '"code":"limit"')
await '[ $(pgrep -xc -u app sleep) -ge 2 ]'; sleep 1; echo running $(pgrep -xc -u app sleep)
for n in $(grep -l '"event":"done"' /run/flood.* | sed 's/.*\.//'); do request 1 job-cancel '{"id":"flooding'$n'","now":true}' | runuser -u app -- rp-agent rpc | tail -1; done
await '! pgrep -x -u app sleep'; rm /run/flood.*; echo all cancelled`,
			[]string{"accepted 2 ", "running 2", "all cancelled"}},

		{"a dry run that never ends, without its runner", `
mkdir -p /run/systemd/system/rp-agent-dryrun@.service.d
printf '[Service]\nRuntimeMaxSec=2s\nTimeoutStopSec=2s\n' >/run/systemd/system/rp-agent-dryrun@.service.d/short.conf; systemctl daemon-reload
` + startDryRun("dryrunendless1", `trap "" TERM; sleep 600`) + `
cat /var/lib/rp-agent-console/ends/dryrunendless1.json
rm -r /run/systemd/system/rp-agent-dryrun@.service.d; systemctl daemon-reload`,
			[]string{`"result":"timeout"`}},

		{"a dry run that prints without end, without its runner", `
mkdir -p /run/systemd/system/rp-agent-dryrun@.service.d
printf '[Service]\nLimitFSIZE=256M\n' >/run/systemd/system/rp-agent-dryrun@.service.d/small.conf; systemctl daemon-reload
` + strings.ReplaceAll(startDryRun("dryrunchatter1", `exec cat /dev/zero`), `; cat /var/lib/rp-agent-console/output/`, `; stat -c 'printed %s' /var/lib/rp-agent-console/output/`) + `
cat /var/lib/rp-agent-console/ends/dryrunchatter1.json; rm /var/lib/rp-agent-console/output/dryrunchatter1.*
rm -r /run/systemd/system/rp-agent-dryrun@.service.d; systemctl daemon-reload`,
			[]string{"printed 268435456", `"result":"signal"`, "XFSZ"}},

		{"200 connections leave no line in the journal, and the socket listens", `
mark=$(date '+%F %T')
runuser -u app -- perl -MIO::Socket::UNIX -e 'for (1..200) { IO::Socket::UNIX->new("/run/rp-agent.sock") }'
await 'rp-agent audit verify >/dev/null'
journalctl --sync
echo lines $(journalctl --since "$mark" -o cat -u 'rp-agent@*' -u rp-agent.socket | grep -v -e '^-- ' -e PrivateNetwork= -e 'loopback network device' | wc -l) # the lab's machines have no network namespaces, and systemd says so each time
journalctl --since "$mark" -o cat -u 'rp-agent@*' -u rp-agent.socket | sed 's/[0-9][0-9]*/N/g' | sort | uniq -c | head
systemctl is-active rp-agent.socket`,
			[]string{"lines 0", "active"}},

		{"an uninstall leaves no unit and no slice", `
rp-agent setup --uninstall --yes </dev/null || rp-agent setup --uninstall
systemctl list-units --all --plain --no-legend 'rp-agent*' ; echo left $(ls /etc/systemd/system | grep -c rp-agent)`,
			[]string{"left 0"}},
	}
}

// startDryRun is startConsole with the unit of a dry run.
func startDryRun(id, script string) string {
	return strings.ReplaceAll(startConsole(id, script), "rp-agent-console@", "rp-agent-dryrun@")
}
