package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/re-connect/rpctl/controller/internal/exit"
)

// mistyped says of a group of commands whose flags cannot be read that it is the command's word which is wrong:
// the flags are of the one that was meant. What is proposed is its help, since as it was typed it may act.
func (a *app) mistyped(cmd *cobra.Command) error {
	if !cmd.HasSubCommands() {
		return nil
	}
	word := a.wordBehind(cmd)
	cmd.SuggestionsMinimumDistance = 2
	near := cmd.SuggestionsFor(word)
	if word == "" || len(near) == 0 {
		return nil
	}
	return &exit.Error{
		Code: exit.BadInput, Message: fmt.Sprintf("unknown command %q: did you mean %s?", word, near[0]),
		Next: cmd.CommandPath() + " " + near[0] + " --help",
	}
}

// wordBehind is the first word behind those of a command that is no flag and no flag's value, before any flag that is unknown.
func (a *app) wordBehind(cmd *cobra.Command) string {
	skip := strings.Count(cmd.CommandPath(), " ")
	for i := 0; i < len(a.Args); i++ {
		word := a.Args[i]
		switch name, isFlag := strings.CutPrefix(word, "--"); {
		case isFlag:
			name, _, joined := strings.Cut(name, "=")
			flag := known(cmd, name)
			if flag == nil {
				return ""
			}
			if !joined && flag.NoOptDefVal == "" {
				i++
			}
		case strings.HasPrefix(word, "-"):
			return ""
		case skip > 0:
			skip--
		default:
			return word
		}
	}
	return ""
}

func known(cmd *cobra.Command, name string) *pflag.Flag {
	if flag := cmd.Flags().Lookup(name); flag != nil {
		return flag
	}
	return cmd.InheritedFlags().Lookup(name)
}
