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
			if !errors.As(err, &refusal) || refusal.Code != proto.CodeBadRequest || !strings.Contains(refusal.Message, c.says) {
				t.Errorf("got %v, want %q", err, c.says)
			}
		})
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
