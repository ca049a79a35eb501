package privilege

// crowd takes the socket's places. Others are still served, and the host keeps its bounds.
func crowd() []attempt {
	const hold = `perl -MIO::Socket::UNIX -e 'for (1..80) { my $s = IO::Socket::UNIX->new("/run/rp-agent.sock") or next; push @all, $s } sleep 12' >/dev/null 2>&1 & `
	const count = `systemctl show --value -p NConnections rp-agent.socket`
	const heard = `$(systemctl show --value -p NAccepted -p NRefused rp-agent.socket | paste -sd+)`
	return []attempt{
		{name: "hold 80 connections open, while root asks", try: `before=$((` + heard + `)); ` + hold + `until [ $((` + heard + `)) -ge $((before + 80)) ]; do sleep 0.05; done; sleep 2; echo held $(` + count + `); disown; exit 1`,
			root: `rp-agent audit verify; echo root is served: $?; pkill -x -u app perl`, refusal: []string{"root is served: 0"}},
		{name: "ten times more connections than there are places, at once", try: `perl -MIO::Socket::UNIX -e 'for (1..640) { IO::Socket::UNIX->new("/run/rp-agent.sock") }'; systemctl is-active rp-agent.socket`,
			root: `for i in $(seq 50); do rp-agent audit verify && break; sleep 0.2; done; echo root is served: $?`, refusal: []string{"root is served: 0"}, harmless: true},
	}
}
