package journal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/re-connect/rpctl/proto"
)

// fields are what journalctl is asked for; __REALTIME_TIMESTAMP always comes along.
const fields = "MESSAGE,PRIORITY,_SYSTEMD_UNIT,UNIT,OBJECT_SYSTEMD_UNIT,COREDUMP_UNIT"

// defaultPriority is what journald takes for output without a priority: info.
const defaultPriority = 6

// unprintable stands where journalctl has a message but does not show it (null).
const unprintable = "(the journal does not show this message: it is too long)"

// entry is a line of `journalctl -o json` (systemd.journal-fields(7)). Everything but
// the timestamp was written by whoever logged, so nothing of it is believed.
type entry struct {
	Microseconds string `json:"__REALTIME_TIMESTAMP"`
	Message      value  `json:"MESSAGE"`
	Priority     value  `json:"PRIORITY"`
	Unit         value  `json:"_SYSTEMD_UNIT"`
	// The manager, and the handler of core dumps, write of a unit under these names.
	Of       value `json:"UNIT"`
	Object   value `json:"OBJECT_SYSTEMD_UNIT"`
	Coredump value `json:"COREDUMP_UNIT"`
}

// value is a field: a string, an array of bytes when it is no UTF-8, null when it is
// too long to show, or an array of those when the field was given more than once.
type value struct {
	text  string
	found bool // false too for null
}

// UnmarshalJSON takes the first of several values.
func (v *value) UnmarshalJSON(data []byte) error {
	data = bytes.TrimSpace(data)
	switch {
	case len(data) == 0 || string(data) == "null":
		return nil
	case data[0] == '"':
		v.found = true
		return json.Unmarshal(data, &v.text)
	case data[0] != '[':
		return fmt.Errorf("neither a text nor bytes: %.40q", data)
	}
	return v.array(data)
}

func (v *value) array(data []byte) error {
	var numbers []byte
	if json.Unmarshal(data, &numbers) == nil {
		v.text, v.found = string(numbers), true
		return nil
	}
	var several []json.RawMessage
	if err := json.Unmarshal(data, &several); err != nil {
		return err
	}
	// The first may be an array of bytes, but no further array of arrays.
	if first := bytes.TrimSpace(several[0]); first[0] == '[' {
		if err := json.Unmarshal(first, &numbers); err != nil {
			return err
		}
	}
	return v.UnmarshalJSON(several[0])
}

// parse reads one line of journalctl's output, about one of units.
func parse(line []byte, units []string) (proto.LogLine, error) {
	var e entry
	if err := json.Unmarshal(line, &e); err != nil {
		return proto.LogLine{}, fmt.Errorf("cannot read a line of journalctl: %w", err)
	}
	microseconds, err := strconv.ParseInt(e.Microseconds, 10, 64)
	if err != nil || microseconds < 0 {
		return proto.LogLine{}, fmt.Errorf("cannot read a line of journalctl: no time in it")
	}
	message := unprintable
	if e.Message.found {
		message = e.Message.text
	}
	return proto.LogLine{
		Time:     time.UnixMicro(microseconds).UTC(),
		Unit:     e.about(units),
		Priority: priority(e.Priority.text),
		Message:  proto.HostText(cut(message)),
	}, nil
}

// about is the unit that was asked for and that the entry is of.
func (e entry) about(units []string) string {
	for _, candidate := range []value{e.Unit, e.Of, e.Object, e.Coredump} {
		if slices.Contains(units, candidate.text) {
			return candidate.text
		}
	}
	return units[0]
}

// priority is syslog's level, 0 to 7.
func priority(text string) int {
	level, err := strconv.Atoi(text)
	if err != nil || level < 0 || level > 7 {
		return defaultPriority
	}
	return level
}
