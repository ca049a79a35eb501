package stricttoml

import "strings"

// Closest is the candidate that word was probably meant to be, or false when
// none is near: at most one slip for every three letters.
func Closest(word string, candidates []string) (string, bool) {
	if len(word) > 64 {
		return "", false
	}
	best, distance := "", max(1, len(word)/3)+1
	for _, candidate := range candidates {
		if d := slips(strings.ToLower(word), strings.ToLower(candidate)); d < distance {
			best, distance = candidate, d
		}
	}
	return best, best != ""
}

// slips counts the letters to insert, drop, replace or swap with their
// neighbour to make b from a (optimal string alignment).
func slips(a, b string) int {
	s, t := []rune(a), []rune(b)
	var beforeLast, last []int
	current := make([]int, len(t)+1)
	for j := range current {
		current[j] = j
	}
	for i := 1; i <= len(s); i++ {
		beforeLast, last, current = last, current, make([]int, len(t)+1)
		current[0] = i
		for j := 1; j <= len(t); j++ {
			change := 1
			if s[i-1] == t[j-1] {
				change = 0
			}
			current[j] = min(last[j]+1, current[j-1]+1, last[j-1]+change)
			if i > 1 && j > 1 && s[i-1] == t[j-2] && s[i-2] == t[j-1] {
				current[j] = min(current[j], beforeLast[j-2]+1)
			}
		}
	}
	return current[len(t)]
}
