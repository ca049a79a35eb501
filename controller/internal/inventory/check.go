package inventory

import (
	"github.com/re-connect/rpctl/internal/stricttoml"
	"github.com/re-connect/rpctl/proto"
)

// checker notes in doc what the file says and may not say.
type checker struct {
	doc   *stricttoml.Document
	file  file
	names []string // of the environments, in the order of the file
}

func (c checker) check() {
	c.version()
	if c.doc.Has("trusted_hosts") {
		if err := checkTrustedHosts(c.file.TrustedHosts); err != nil {
			c.doc.Refuse("trusted_hosts", "%s", err)
		}
	}
	if len(c.names) == 0 {
		c.doc.Refuse("environments", "no environments: a table [environments.preprod] describes one")
	}
	for _, name := range c.names {
		if err := proto.CheckEnvironment(name); err != nil {
			c.doc.Refuse(in(name), "%s", err)
		}
		c.environment(name, c.file.Environments[name])
	}
	c.hostsOfOthers()
	c.order()
}

func (c checker) version() {
	switch {
	case !c.doc.Has("version"):
		c.doc.Refuse("version", "`version` is missing: the first line is version = %d", Version)
	case c.file.Version > Version:
		c.doc.Refuse("version", "version %d is newer than this rpctl, which reads version %d: upgrade rpctl", c.file.Version, Version)
	case c.file.Version != Version:
		c.doc.Refuse("version", "there is no version %d: write version = %d", c.file.Version, Version)
	}
}

func (c checker) environment(name string, e environment) {
	at := in(name)
	c.list(at, "hosts", e.Hosts, true, checkHost)
	c.text(at, "branch", e.Branch, checkBranch)
	c.argvs(at, e.Prepare)
	c.argv(at, "deploy", e.Deploy, true)
	c.argv(at, "rollback", e.Rollback, false)
	c.list(at, "workers", e.Workers, true, func(p string) error { return proto.UnitPattern(p).CheckWorker() })
	c.text(at, "application.path", e.Application.Path, proto.CheckApplicationPath)
	c.text(at, "application.user", e.Application.User, proto.CheckAccount)
	c.consoleHost(at, e)
	c.list(at, "operators", e.Operators, false, proto.CheckAccount)
	c.operators(at, e)
	c.list(at, "access.look", e.Access.Look, false, proto.CheckAccount)
	c.list(at, "access.act", e.Access.Act, false, proto.CheckAccount)
	if e.Console != nil {
		c.console(at+".console", *e.Console)
	}
	if e.Health != nil {
		c.health(at+".health", *e.Health)
	}
}

// operators refuses the application's user as an operator where another environment comes first: PHP runs as that user.
// Elsewhere it is doubted (Environment.ApplicationOperates).
func (c checker) operators(at string, e environment) {
	for i, operator := range e.Operators {
		if e.After != "" && operator == e.Application.User && operator != "" {
			c.doc.Refuse(stricttoml.Index(at+".operators", i), "operator %q is the application's user, as which PHP runs: with `after`, operators are logins of people", operator)
		}
	}
}

// in is the key path of an environment.
func in(name string) string { return stricttoml.Join("environments", name) }

// text refuses a required value that is missing or that check refuses.
func (c checker) text(at, key, value string, check func(string) error) {
	path := at + "." + key
	if !c.doc.Has(path) {
		c.doc.Refuse(path, "`%s` is missing", key)
	} else if err := check(value); err != nil {
		c.doc.Refuse(path, "%s", err)
	}
}

// list refuses a required list that is missing, an empty one, an element that
// check refuses, and one that is there twice.
func (c checker) list(at, key string, list []string, required bool, check func(string) error) {
	path := at + "." + key
	switch {
	case !c.doc.Has(path) && required:
		c.doc.Refuse(path, "`%s` is missing", key)
	case c.doc.Has(path) && len(list) == 0:
		c.doc.Refuse(path, "`%s` is empty", key)
	}
	first := map[string]int{}
	for i, element := range list {
		path := stricttoml.Index(path, i)
		if before, again := first[element]; again {
			c.doc.Refuse(path, "%q is there twice in `%s`: first on line %d", element, key, before)
			continue
		}
		first[element] = c.doc.Line(path)
		if err := check(element); err != nil {
			c.doc.Refuse(path, "%s", err)
		}
	}
}

// argv refuses a required command that is missing, and one that is no argv.
func (c checker) argv(at, key string, argv []string, required bool) {
	path := at + "." + key
	if !c.doc.Has(path) {
		if required {
			c.doc.Refuse(path, "`%s` is missing", key)
		}
		return
	}
	if err := checkArgv(argv); err != nil {
		c.doc.Refuse(path, "`%s` %s", key, err)
	}
}

// argvs refuses what is no argv in the list of preparations. An empty list is good: it says that there are none.
func (c checker) argvs(at string, list [][]string) {
	for i, argv := range list {
		if err := checkArgv(argv); err != nil {
			c.doc.Refuse(stricttoml.Index(at+".prepare", i), "a command in `prepare` %s", err)
		}
	}
}

// console leaves `after` to the check of the environments' order.
func (c checker) console(at string, rules console) {
	for key, days := range map[string]*int{"approval_days": rules.ApprovalDays, "receipt_days": rules.ReceiptDays} {
		if days != nil && *days == 0 {
			c.doc.Refuse(at+"."+key, "`%s` is 0: want a number of days, or no such line for the default", key)
		}
	}
	rules.build("").Check(func(key string, err error) {
		if path := at + "." + key; c.doc.Has(path) {
			c.doc.Refuse(path, "%s", err)
		} else {
			c.doc.Refuse(path, "`%s` is missing", "console."+key)
		}
	})
}

func (c checker) consoleHost(at string, e environment) {
	path := at + ".console_host"
	if !c.doc.Sound(at+".hosts") || len(e.Hosts) == 0 {
		return
	}
	if !c.doc.Has(path) {
		if len(e.Hosts) > 1 {
			c.doc.Refuse(path, "`console_host` is missing: with several hosts, one of them runs console commands")
		}
		return
	}
	for _, host := range e.Hosts {
		if host == e.ConsoleHost {
			return
		}
	}
	meant := ""
	if near, ok := stricttoml.Closest(e.ConsoleHost, e.Hosts); ok {
		meant = ": did you mean " + near + "?"
	}
	c.doc.Refuse(path, "`console_host` %q is not among the hosts%s", e.ConsoleHost, meant)
}
