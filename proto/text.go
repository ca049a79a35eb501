package proto

import "fmt"

// HostText is text that a host composed. On the host it is the program's own words. A controller treats it as
// data: rpctl cleans it where it decodes it (controller/internal/hosttext), shows it as the host's, and never
// takes a command from it. The type keeps it apart from rpctl's own text, which is a string.
type HostText string

// Textf formats a HostText.
func Textf(format string, args ...any) HostText { return HostText(fmt.Sprintf(format, args...)) }
