package connect

import "strings"

// plainLine splits a line into its keyword, lower case, and its value; both are empty for a line that says nothing. With
// errNotPlain, a keyword says which one has a value that only ssh reads reliably.
func plainLine(line string) (keyword, value string, err error) {
	line = strings.Trim(line, " \t\r\f")
	if line == "" || line[0] == '#' {
		return "", "", nil
	}
	end := strings.IndexAny(line, " \t=")
	if end <= 0 {
		return "", "", errNotPlain
	}
	keyword, value = strings.ToLower(line[:end]), strings.Trim(line[end:], " \t")
	if rest, ok := strings.CutPrefix(value, "="); ok {
		value = strings.Trim(rest, " \t")
	}
	if value == "" || strings.ContainsAny(keyword, `"#\`) || strings.Count(value, `"`)%2 != 0 {
		return "", "", errNotPlain
	}
	if !plainValue(keyword, value) { // quotes and comments behind a value among others: versions of ssh differ
		return keyword, "", errNotPlain
	}
	return keyword, value, nil
}
