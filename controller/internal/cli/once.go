package cli

import "errors"

// errTwice is of --env: the last one would count, and whoever typed two may have meant both, or the first.
var errTwice = errors.New("--env was given more than once: it names one environment")

// once is the value of a flag that is given once.
type once string

func (o *once) String() string { return string(*o) }
func (o *once) Type() string   { return "string" }

// Set takes the first value; an empty one names nothing yet.
func (o *once) Set(value string) error {
	if *o != "" {
		return errTwice
	}
	*o = once(value)
	return nil
}
