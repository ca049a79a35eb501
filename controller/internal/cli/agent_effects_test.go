package cli

import (
	"strings"
	"testing"

	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/proto"
)

// reported is a host's report with one change of each effect.
func reported(all ...proto.SetupEffect) proto.SetupReport {
	report := proto.SetupReport{Classified: true}
	for _, effect := range all {
		report.Changes = append(report.Changes, proto.SetupChange{Action: "replace", Target: "x",
			Differences: []proto.SetupDifference{{Name: "neutral", Old: "1", New: "2"}, {Name: "x", Old: "a", New: "b", Effect: effect}}})
	}
	return report
}

func TestLooserRulesNeedMoreThanYes(t *testing.T) {
	unclassified := reported("")
	unclassified.Classified, unclassified.Changes[0].Differences = false, nil
	for name, c := range map[string]struct {
		report  proto.SetupReport
		flags   string // y: --yes, l: --allow-loosening, d: --allow-downgrade, u: an uninstall
		answer  string // typed on a terminal; empty: there is none
		agreed  bool
		message string
	}{
		"neutral, yes":                       {reported(""), "y", "", true, ""},
		"neutral, typed":                     {reported(""), "", "yes", true, ""},
		"neutral, not typed":                 {reported(""), "", "no", false, "not confirmed"},
		"neutral, no terminal":               {reported(""), "", "", false, "cannot ask whether"},
		"looser, yes alone":                  {reported("", proto.EffectLoosens), "y", "", false, "--allow-loosening beside the yes"},
		"looser, the flag alone":             {reported(proto.EffectLoosens), "l", "", false, "cannot ask whether"},
		"looser, both":                       {reported(proto.EffectLoosens), "yl", "", true, ""},
		"looser, yes typed":                  {reported(proto.EffectLoosens), "", "yes", false, "not confirmed"},
		"looser, another name typed":         {reported(proto.EffectLoosens), "", "preprod", false, "not confirmed"},
		"looser, name typed":                 {reported(proto.EffectLoosens), "", "prod", true, ""},
		"looser, yes alone on a terminal":    {reported(proto.EffectLoosens), "y", "yes", false, "not confirmed"},
		"looser, yes and the name":           {reported(proto.EffectLoosens), "y", "prod", true, ""},
		"looser, the other flag":             {reported(proto.EffectLoosens), "yd", "", false, "--allow-loosening"},
		"older, yes alone":                   {reported(proto.EffectDowngrades), "y", "", false, "--allow-downgrade beside the yes"},
		"older, yes and the flag":            {reported(proto.EffectDowngrades), "yd", "", true, ""},
		"older, name typed":                  {reported(proto.EffectDowngrades), "", "prod", true, ""},
		"older and looser, one flag":         {reported(proto.EffectDowngrades, proto.EffectLoosens), "yl", "", false, "--allow-downgrade beside"},
		"older and looser, both":             {reported(proto.EffectDowngrades, proto.EffectLoosens), "yld", "", true, ""},
		"an agent that does not tell":        {unclassified, "y", "", false, "--allow-loosening --allow-downgrade beside"},
		"an agent that does not tell, typed": {unclassified, "", "yes", false, "not confirmed"},
		"an uninstall tells nothing":         {unclassified, "yu", "", true, ""},
		"nothing to change":                  {proto.SetupReport{}, "y", "", false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, "agent", "install", "--env", "prod")
			d.system.Stdin, d.system.Asks = strings.NewReader(c.answer+"\n"), c.answer != ""
			has := func(flag string) bool { return strings.Contains(c.flags, flag) }
			i := &installation{app: &app{System: d.system}, env: "prod", yes: has("y"), allowLoosening: has("l"), allowDowngrade: has("d"), removing: has("u")}
			agreed, err := i.agreed(t.Context(), "p1", c.report)
			if agreed != c.agreed || (err == nil) != (c.message == "") {
				t.Fatalf("%v, %v", agreed, err)
			}
			if failure := exit.From(err); err != nil && (failure.Code != exit.Refused || !strings.Contains(failure.Message, c.message) || strings.Contains(failure.Next, "--allow")) {
				t.Errorf("%+v", failure)
			}
		})
	}
}

func TestDifferencesAreShown(t *testing.T) {
	report := reported(proto.EffectLoosens)
	report.Changes[0].Text = []string{"-old\x1b[2J", "+new\nrpctl: forged"}
	got := setupText("p1", report, "prod")
	for _, want := range []string{"neutral: 1 -> 2\n", "x: a -> b  (LOOSENS)\n", `| -old\x1b[2J`, `| +new\nrpctl: forged`} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}
