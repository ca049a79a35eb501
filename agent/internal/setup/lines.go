package setup

import (
	"strings"

	"github.com/re-connect/rpctl/internal/secret"
	"github.com/re-connect/rpctl/proto"
)

// maxCompared limits how many lines of a file are compared after what is equal at both ends: the table is its square.
const maxCompared = 500

// textDifference is the lines of a generated file that change, each with its sign, at most proto.MaxSetupText of them.
// What looks like a secret is left out: an administrator may have written into a unit.
func textDifference(old, new string) []string {
	before, after := split(old), split(new)
	for len(before) > 0 && len(after) > 0 && before[0] == after[0] {
		before, after = before[1:], after[1:]
	}
	for len(before) > 0 && len(after) > 0 && before[len(before)-1] == after[len(after)-1] {
		before, after = before[:len(before)-1], after[:len(after)-1]
	}
	if len(before) > maxCompared || len(after) > maxCompared {
		return []string{"(too many lines differ to be shown)"}
	}
	var all []string
	for _, line := range changed(before, after) {
		if len(all) == proto.MaxSetupText-1 {
			return append(all, "(more lines differ)")
		}
		all = append(all, secret.Mask(line))
	}
	return all
}

func split(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// changed is the removed and the added lines, in their order, by the longest common subsequence.
func changed(before, after []string) []string {
	common := make([][]int, len(before)+1) // lengths for the rest from i and j on
	for i := range common {
		common[i] = make([]int, len(after)+1)
	}
	for i := len(before) - 1; i >= 0; i-- {
		for j := len(after) - 1; j >= 0; j-- {
			if before[i] == after[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	var all []string
	i, j := 0, 0
	for i < len(before) || j < len(after) {
		switch {
		case i < len(before) && j < len(after) && before[i] == after[j]:
			i, j = i+1, j+1
		case j == len(after) || i < len(before) && common[i+1][j] >= common[i][j+1]:
			all = append(all, "-"+before[i])
			i++
		default:
			all = append(all, "+"+after[j])
			j++
		}
	}
	return all
}
