package supervisor

import (
	"bufio"
	"bytes"
	"io"
)

// MaxLine is the longest line that Log gets, in bytes.
const MaxLine = 8 << 10

// readLines calls log with each line until r ends; a line of more than MaxLine comes in pieces.
func readLines(r io.Reader, log func([]byte)) {
	buffered := bufio.NewReaderSize(r, MaxLine)
	rest := false // what comes continues a line of which a piece was shown
	for {
		part, err := buffered.ReadSlice('\n')
		line := bytes.TrimSuffix(part, []byte("\n"))
		if len(line) > 0 || len(part) > 0 && !rest {
			log(bytes.Clone(line))
		}
		rest = err == bufio.ErrBufferFull
		if err != nil && !rest {
			return
		}
	}
}
