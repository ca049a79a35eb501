package cli

import "testing"

// TestAgentVerbKeepsFlags: the command to type next after a diff logs in as the diff did and brings the same binary.
func TestAgentVerbKeepsFlags(t *testing.T) {
	for want, i := range map[string]installation{
		"rpctl agent upgrade --env prod":                                {env: "prod"},
		"rpctl agent upgrade --env prod --login root --binary 'my bin'": {env: "prod", login: "root", binary: "my bin"},
	} {
		if got := i.verb("upgrade"); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
