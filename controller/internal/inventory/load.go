package inventory

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/internal/printable"
	"github.com/re-connect/rpctl/internal/stricttoml"
)

// Load reads and checks a hosts.toml. The error is an *exit.Error of code
// BadInput that tells every problem with its file and line.
func Load(path string) (*Inventory, error) {
	data, owner, err := readFile(path)
	if err != nil {
		return nil, &exit.Error{
			Code: exit.BadInput, Err: err,
			Message: fmt.Sprintf("cannot read %s: %s", printable.Line(path), cause(err)),
		}
	}
	inventory, err := Parse(path, data)
	if err != nil {
		return nil, badFile(path, err)
	}
	inventory.Owner = owner
	return inventory, nil
}

func readFile(path string) (data []byte, owner int, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return nil, 0, err
	}
	owner, _ = ownerOf(info)
	data, err = io.ReadAll(io.LimitReader(file, stricttoml.MaxSize+1))
	return data, owner, err
}

// badFile is one line for one problem, and a list for several.
func badFile(path string, err error) error {
	message := err.Error()
	var problems stricttoml.Problems
	if errors.As(err, &problems) && len(problems) > 1 {
		message = fmt.Sprintf("%d problems in %s:\n%s", len(problems), printable.Line(path), message)
	}
	return &exit.Error{
		Code: exit.BadInput, Err: err, Message: message, Next: "rpctl status --hosts " + printable.Line(path),
	}
}

// cause is what went wrong, without the operation and the path.
func cause(err error) string {
	var at *os.PathError
	if errors.As(err, &at) {
		err = at.Err
	}
	return printable.Line(err.Error())
}

// Environment is the environment of that name. An unknown one is an *exit.Error
// of code BadInput that lists those there are.
func (i *Inventory) Environment(name string) (Environment, error) {
	names := i.Names()
	for at, known := range names {
		if known == name {
			return i.Environments[at], nil
		}
	}
	failure := &exit.Error{Code: exit.BadInput}
	if name == "" {
		failure.Message = "no environment is named: there are " + strings.Join(names, ", ")
		return Environment{}, failure
	}
	failure.Message = fmt.Sprintf("no environment %s in %s: there are %s",
		printable.Excerpt(name, 64), printable.Line(i.Path), strings.Join(names, ", "))
	if near, ok := i.Nearest(name); ok {
		failure.Message += "; did you mean " + near + "?"
	}
	return Environment{}, failure
}

// Nearest is the environment that may have been meant, and for no name the first one.
func (i *Inventory) Nearest(name string) (string, bool) {
	if name == "" {
		return i.Environments[0].Name, true
	}
	return stricttoml.Closest(name, i.Names())
}

// Names are the environments' names, in the order of the file.
func (i *Inventory) Names() []string {
	names := make([]string, 0, len(i.Environments))
	for _, environment := range i.Environments {
		names = append(names, environment.Name)
	}
	return names
}
