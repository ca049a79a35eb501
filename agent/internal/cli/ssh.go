package cli

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/re-connect/rpctl/internal/printable"

	"github.com/re-connect/rpctl/internal/exitcode"
	"github.com/re-connect/rpctl/proto"
)

const (
	// originalCommand is what the client asked sshd to run, as sshd(8) hands it to a forced command.
	originalCommand = "SSH_ORIGINAL_COMMAND"
	// maxCommand bounds it; every command that is allowed is shorter.
	maxCommand = 64
	whatToType = "rpctl status"
)

func (s System) newSSHCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "ssh",
		Short: "Run what an SSH client asked for, if it is rp-agent's own (forced command of a key)",
		Long: "For authorized_keys(5): restrict,command=\"rp-agent ssh\" ssh-ed25519 …\n" +
			"That key can then run rp-agent's own verbs and nothing else: no shell, no file transfer, no forwarding.",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			words, err := forcedWords(s.Getenv(originalCommand))
			if err != nil {
				return err
			}
			inner := s
			inner.Args = words
			root := inner.newRootCommand()
			root.SetArgs(words)
			root.SetIn(s.Stdin)
			root.SetOut(s.Stdout)
			root.SetErr(s.Stderr)
			return root.ExecuteContext(cmd.Context())
		},
	}
}

// forcedVerbs are the commands that a forced key may run, to the last character. What changes the
// host itself (setup) or serves it (instance) is not among them. rpctl names the program by its whole path, people do not.
const forcedVerbs = `^(?:` + proto.AgentPath + `|rp-agent) (` +
	`rpc|` +
	`status( --json)?|` +
	`doctor( --json)?|` +
	`jobs( [a-z0-9]{8,64})?( --json)?|` +
	`(audit log|history)( -n [0-9]{1,3})?( --json)?|` +
	`audit verify( --json)?|` +
	`version)$`

// forcedWords is the arguments of rp-agent in a command that a forced key may run. There is no
// quoting and no escaping, since nothing that is allowed needs any.
func forcedWords(command string) ([]string, error) {
	if command == "" {
		return nil, &failure{status: exitcode.Refused, message: "this key opens no shell: it can only ask rp-agent, as with `rp-agent status`", next: whatToType}
	}
	if len(command) > maxCommand || !regexp.MustCompile(forcedVerbs).MatchString(command) {
		return nil, &failure{status: exitcode.Refused, next: whatToType,
			message: fmt.Sprintf("this key cannot run %q: it can only ask rp-agent, as with `rp-agent status`", printable.Excerpt(command, maxCommand))}
	}
	return strings.Split(command, " ")[1:], nil
}
