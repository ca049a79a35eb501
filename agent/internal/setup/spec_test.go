package setup

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/systemd"
)

func encode(t testing.TB, spec proto.SetupSpec) string {
	t.Helper()
	data, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestReadSpec(t *testing.T) {
	got, err := ReadSpec(strings.NewReader(encode(t, forced())))
	if err != nil || !reflect.DeepEqual(got, forced()) {
		t.Errorf("got %+v, %v", got, err)
	}
}

// TestApplicationMayNotOperateInProd: PHP runs as that user. Elsewhere it is a warning.
func TestApplicationMayNotOperateInProd(t *testing.T) {
	for name, change := range map[string]func(*proto.SetupSpec){
		"operator":   func(spec *proto.SetupSpec) { spec.Operators = []string{"alice", "app"} },
		"forced key": func(spec *proto.SetupSpec) { spec.ForcedKey = forced().ForcedKey },
	} {
		spec := preprod()
		spec.Operators = []string{"alice"}
		spec.Config.Console = &proto.Console{PHP: "/usr/bin/php", Script: "bin/console", SimulationHours: 1}
		change(&spec)
		plan, err := New(t.Context(), newFakeHost(t).Host, spec)
		if err != nil || !strings.Contains(strings.Join(plan.Report().Notes, "\n"), "the application's user app is an operator") {
			t.Errorf("%s: %v, %v", name, plan, err)
		}
		spec.Config.Environment, spec.Config.Console.After = "prod", "preprod"
		if err := checkSpec(spec); err == nil || !strings.Contains(err.Error(), "the application's user app cannot be an operator") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReadSpecRefuses(t *testing.T) {
	good := encode(t, forced())
	for name, c := range map[string]struct{ old, new, says string }{
		"nothing":            {good, "", "EOF"},
		"unknown field":      {`"operators"`, `"operatos"`, "operatos"},
		"two values":         {good, good + "{}", "more than one"},
		"too long":           {good, strings.Repeat(" ", maxSpec) + good, "longer than"},
		"operator rp-agent":  {`"operators":["app"]`, `"operators":["rp-agent"]`, "nobody logs in"},
		"operator's options": {`"operators":["app"]`, `"operators":["-d"]`, "bad user or group name"},
		"key's options":      {"ssh-ed25519 AAAA", `command=\"sh\" ssh-ed25519 AAAA`, "without options"},
		"second key":         {" ci\"", " ci\\nssh-ed25519 AAAA\"", "without options"},
		"other type inside":  {"ssh-ed25519 AAAA", "ssh-rsa AAAA", "no such key"},
		"cut off":            {"wT2 ci", "wT ci", "no such key"},
		"forced key for -x":  {`"user":"app","public`, `"user":"-x","public`, "bad user or group name"},
		"pattern":            {"messenger_worker_dmp@*", "*", "bad unit pattern"},
		"application":        {"/home/app/www", "/home", "folder of its own"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(good, c.old, c.new, 1)
			if text == good {
				t.Fatal("the change changes nothing")
			}
			_, err := ReadSpec(strings.NewReader(text))
			var refusal *proto.Error
			if !errors.As(err, &refusal) || refusal.Code != proto.CodeBadRequest || !strings.Contains(string(refusal.Message), c.says) {
				t.Errorf("got %v, want %q", err, c.says)
			}
		})
	}
}

// TestNoValueMakesALine puts what could end a line, or hide one, into each text of a spec: every one of them becomes a
// part of a file that root owns.
func TestNoValueMakesALine(t *testing.T) {
	const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ"
	full := func() proto.SetupSpec {
		spec := forced()
		spec.Operators, spec.ForcedKey.User = []string{"alice"}, "alice" // the application's user may not where another environment comes first
		spec.Config.Console = &proto.Console{PHP: "/usr/bin/php", Script: "bin/console", After: "staging", SimulationHours: 1}
		spec.Signers = &proto.SetupSigners{
			Approvers:    "claire namespaces=\"approval@rpctl\" " + key + "\n",
			TrustedHosts: "preprod1 namespaces=\"simulation@rpctl,applied@rpctl\" " + key + " staging\n",
		}
		return spec
	}
	if _, err := ReadSpec(strings.NewReader(encode(t, full()))); err != nil {
		t.Fatal(err)
	}
	spec := full()
	seen := 0
	texts(reflect.ValueOf(&spec).Elem(), "spec", func(name string, text reflect.Value) {
		seen++
		whole := text.String()
		for _, odd := range []string{"\n", "\r", "\x00", "\x1b[8m", "\u2028", "\u0085", "\u202e", "\u200b", "\xff", "\n[Service]\nUser=root\n", "\n* " + key + "\n"} {
			for _, at := range []int{0, 3} {
				text.SetString(whole[:at] + odd + whole[at:])
				if at == 0 && strings.HasPrefix(name, "spec.Signers.") && odd == "\n" {
					continue // a blank line of a whole file
				}
				if _, err := ReadSpec(strings.NewReader(encode(t, spec))); err == nil {
					t.Errorf("%s is taken as %q", name, text)
				}
			}
		}
		text.SetString(whole)
	})
	if seen < 14 {
		t.Errorf("%d texts were tried", seen)
	}
}

// texts calls try with each text below value that can be set.
func texts(value reflect.Value, name string, try func(name string, text reflect.Value)) {
	switch value.Kind() {
	case reflect.String:
		try(name, value)
	case reflect.Pointer:
		if !value.IsNil() {
			texts(value.Elem(), name, try)
		}
	case reflect.Slice:
		for i := range value.Len() {
			texts(value.Index(i), name, try)
		}
	case reflect.Struct:
		for i := range value.NumField() {
			texts(value.Field(i), name+"."+value.Type().Field(i).Name, try)
		}
	}
}

// FuzzReadSpec: what is taken can be rendered, and puts one line and no more into authorized_keys.
func FuzzReadSpec(f *testing.F) {
	f.Add(encode(f, forced()))
	f.Add(encode(f, preprod()))
	f.Add(`{"config":{}}`)
	f.Fuzz(func(t *testing.T, text string) {
		spec, err := ReadSpec(strings.NewReader(text))
		if err != nil {
			return
		}
		if _, err := systemd.Files(spec.Config, nil); err != nil {
			t.Errorf("%q is taken, but %v", text, err)
		}
		if spec.ForcedKey == nil {
			return
		}
		line, err := withForcedKey(nil, spec.ForcedKey.PublicKey)
		if err != nil || strings.Count(string(line), "\n") != 1 || strings.Count(string(line), ForcedCommand) != 1 {
			t.Errorf("%q makes the line %q, %v", text, line, err)
		}
	})
}
