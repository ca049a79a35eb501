// Package symfony reads what a Symfony Console command printed: the tables of
// Symfony\Component\Console\Helper\Table in each of its styles, among progress
// bars, log lines and ANSI sequences. What cannot be read for certain is an
// error: there is no guess and no default.
package symfony

import (
	"regexp"
	"strings"
	"sync"
)

// sgr is colour and style: it changes how text looks, not what it says.
var sgr = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile("\x1b\\[[0-9;:]*m|\x1b\\]8;[^\x07\x1b]*(?:\x07|\x1b\\\\)")
})

// restart is how Symfony's progress bar writes over its line: carriage return,
// or cursor to column 1 and erase. Only what comes after the last one stays on the screen.
var restart = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile("(?:\r|\x1b\\[1G|\x1b\\[[02]?[JK]|\x1b\\[[0-9]*A)+") })

// Lines is the output as a screen would keep it: without styles, each line as
// it was last written.
func Lines(output []byte) []string {
	lines := strings.Split(strings.ToValidUTF8(string(output), "\uFFFD"), "\n")
	for i, line := range lines {
		if strings.ContainsAny(line, "\x1b\r") { // few lines have any, and the rest is megabytes
			lines[i] = shown(strings.TrimSuffix(line, "\r"))
		}
	}
	return lines
}

// shown is one line as the screen keeps it.
func shown(line string) string {
	line = sgr().ReplaceAllString(line, "")
	if at := restart().FindAllStringIndex(line, -1); len(at) > 0 {
		return line[at[len(at)-1][1]:]
	}
	return line
}
