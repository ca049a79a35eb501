package exit

import "strings"

// plain are the characters that no shell reads as anything else; one beyond ASCII is none of a shell's either.
const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./~+@%=:,-"

// Word is a word of a command to type next, in quotes where a shell would read it as anything
// else: a ~ at its beginning too, for what is shown here names a file as it is.
func Word(word string) string {
	special := func(r rune) bool { return r <= 0x7f && !strings.ContainsRune(plain, r) }
	if word != "" && word[0] != '~' && !strings.ContainsFunc(word, special) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
