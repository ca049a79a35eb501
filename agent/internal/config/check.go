package config

import (
	"github.com/re-connect/rpctl/internal/stricttoml"
	"github.com/re-connect/rpctl/proto"
)

// check notes in doc what the file says and may not say.
func (f file) check(doc *stricttoml.Document) {
	if f.Version != Version {
		if doc.Has("version") {
			doc.Refuse("version", "version %d is not known to this agent: it reads version %d", f.Version, Version)
		} else {
			doc.Refuse("version", "`version` is missing: the first line is version = %d", Version)
		}
	}
	required(doc, "environment", func() error { return proto.CheckEnvironment(f.Environment) })
	required(doc, "application.path", func() error { return proto.CheckApplicationPath(f.Application.Path) })
	required(doc, "application.user", func() error { return proto.CheckAccount(f.Application.User) })
	if !doc.Has("workers.units") {
		doc.Refuse("workers.units", "`workers.units` is missing: it lists the units that may be restarted here")
	}
	each(doc, "workers.units", f.Workers.Units, func(unit string) error { return proto.UnitPattern(unit).CheckWorker() })
	each(doc, "access.look", f.Access.Look, proto.CheckAccount)
	each(doc, "access.act", f.Access.Act, proto.CheckAccount)
	if f.Console != nil {
		f.Console.check(doc, f.Environment)
	}
}

func (c console) check(doc *stricttoml.Document, environment string) {
	proto.Console(c).Check(func(key string, err error) {
		if path := "console." + key; doc.Has(path) {
			doc.Refuse(path, "%s", err)
		} else {
			doc.Refuse(path, "`%s` is missing", path)
		}
	})
	for key, days := range map[string]int{"console.approval_days": c.ApprovalDays, "console.receipt_days": c.ReceiptDays} {
		if doc.Has(key) && days == 0 {
			doc.Refuse(key, "`%s` is 0: want a number of days, or no such line for the default", key)
		}
	}
	if c.After == environment && environment != "" {
		doc.Refuse("console.after", "`console.after` is this host's own environment")
	}
}

// required refuses a key that is missing or whose value check refuses.
func required(doc *stricttoml.Document, key string, check func() error) {
	if !doc.Has(key) {
		doc.Refuse(key, "`%s` is missing", key)
	} else if err := check(); err != nil {
		doc.Refuse(key, "%s", err)
	}
}

// each refuses an empty list, an element that check refuses and one that is there twice.
func each(doc *stricttoml.Document, key string, list []string, check func(string) error) {
	if doc.Has(key) && len(list) == 0 {
		doc.Refuse(key, "`%s` is empty", key)
	}
	first := map[string]int{}
	for i, element := range list {
		at := stricttoml.Index(key, i)
		if before, again := first[element]; again {
			doc.Refuse(at, "%q is there twice: first on line %d", element, doc.Line(stricttoml.Index(key, before)))
			continue
		}
		first[element] = i
		if err := check(element); err != nil {
			doc.Refuse(at, "%s", err)
		}
	}
}
