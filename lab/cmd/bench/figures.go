package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"github.com/re-connect/rpctl/lab"
)

// small are the figures of the programs by themselves.
func (b *bench) small() error {
	for _, name := range []string{"rpctl", "rp-agent"} {
		info, err := os.Stat(b.bin + "/" + name)
		if err != nil {
			return fmt.Errorf("make build comes first: %w", err)
		}
		fmt.Fprintf(b.out, "%-52s %8.1f MB\n", "size of "+name, float64(info.Size())/1e6)
	}
	help, nothing := b.inTurn([]string{b.bin + "/rpctl", "--help"}, []string{"true"})
	fmt.Fprintf(b.out, "%-52s %8.1f ms, `true` %.1f ms  (aim 10 ms)\n", "rpctl --help", ms(help), ms(nothing))
	return nil
}

// status is rpctl against ssh, cold and over a live master.
func (b *bench) status() error {
	ours, theirs := b.rpctl("status", "--env", "preprod"), b.ssh("rp-preprod", "rp-agent", "status")
	b.compare("status, cold (through the bastion)", ours, theirs, "0.7")
	if _, err := b.output(b.ssh("-M", "-N", "-f", "-o", "ControlPersist=yes", "rp-preprod")); err != nil {
		return err
	}
	b.compare("status, over a live ControlMaster", ours, theirs, "1.0")
	_, err := b.output(b.ssh("-O", "exit", "rp-preprod"))
	return err
}

// roundTrip is how far away the host is for the measure of a deploy.
const roundTrip = 50 * time.Millisecond

// deploy is what a cold deploy costs beside its own command and the settle time, in round trips.
func (b *bench) deploy() error {
	proxy, config, err := b.faraway()
	if err != nil {
		return err
	}
	defer proxy.Stop()
	out, err := b.output([]string{b.bin + "/rpctl", "--ssh-config", config, "--hosts", b.lab.HostsTOML(), "--json", "deploy", "--env", "preprod"})
	if err != nil {
		return err
	}
	var last struct {
		Summary struct {
			DurationMS int64 `json:"duration_ms"`
			Steps      []struct {
				Step       string `json:"step"`
				DurationMS int64  `json:"duration_ms"`
			} `json:"steps"`
		} `json:"summary"`
	}
	for line := range strings.SplitSeq(strings.TrimSpace(out), "\n") {
		if strings.HasPrefix(line, `{"event":"summary"`) {
			if err := json.Unmarshal([]byte(line), &last); err != nil {
				return err
			}
		}
	}
	fmt.Fprintf(b.out, "\ncold deploy at a round trip of %v:\n", roundTrip)
	for _, step := range last.Summary.Steps {
		fmt.Fprintf(b.out, "  %-12s %6d ms = %5.1f round trips\n", step.Step, step.DurationMS, float64(step.DurationMS)/ms(roundTrip))
	}
	return nil
}

// faraway is preprod behind a line of roundTrip, and an ssh configuration that leads there.
func (b *bench) faraway() (*toxiproxy.Proxy, string, error) {
	host := b.lab.Host(lab.Preprod)
	resolved, err := b.output(b.ssh("-G", "rp-preprod-direct"))
	if err != nil {
		return nil, "", err
	}
	at := map[string]string{}
	for line := range strings.SplitSeq(resolved, "\n") {
		key, value, _ := strings.Cut(line, " ")
		if at[key] == "" {
			at[key] = value
		}
	}
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	proxy := toxiproxy.NewProxy(server, string(host.Role), "127.0.0.1:0", net.JoinHostPort(at["hostname"], at["port"]))
	if err := proxy.Start(); err != nil {
		return nil, "", err
	}
	for _, direction := range []string{"upstream", "downstream"} {
		toxic := fmt.Sprintf(`{"name":%q,"type":"latency","stream":%q,"toxicity":1,"attributes":{"latency":%d}}`, direction, direction, roundTrip.Milliseconds()/2)
		if _, err := proxy.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
			return nil, "", err
		}
	}
	_, port, err := net.SplitHostPort(proxy.Listen)
	if err != nil {
		return nil, "", err
	}
	config := fmt.Sprintf("Host rp-preprod\n HostName 127.0.0.1\n Port %s\n HostKeyAlias %s\n ProxyJump none\n ControlPath none\n\nInclude %s\n",
		port, aliasOf(at), b.lab.SSHConfig())
	file := b.lab.Dir + "/faraway_config"
	return proxy, file, os.WriteFile(file, []byte(config), 0o644)
}

// aliasOf is the name that known_hosts has the host under.
func aliasOf(at map[string]string) string {
	if at["hostkeyalias"] != "" {
		return at["hostkeyalias"]
	}
	if at["port"] == "22" {
		return at["hostname"]
	}
	return "[" + at["hostname"] + "]:" + at["port"]
}
