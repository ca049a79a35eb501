package proto

import "strings"

// word says that s has 1 to limit bytes, each in class or one of others. The forms of names are
// written with it and not as regular expressions: the agent starts anew for every connection,
// and compiling those took longer than all the rest of its start.
func word(s string, class func(byte) bool, others string, limit int) bool {
	if s == "" || len(s) > limit {
		return false
	}
	for i := range len(s) {
		if !class(s[i]) && strings.IndexByte(others, s[i]) < 0 {
			return false
		}
	}
	return true
}

func isLower(c byte) bool { return 'a' <= c && c <= 'z' }

func isLowerAlnum(c byte) bool { return isLower(c) || '0' <= c && c <= '9' }

func isAlnum(c byte) bool { return isLowerAlnum(c) || 'A' <= c && c <= 'Z' }
