package local

import (
	"os"
	"slices"
	"testing"

	"github.com/re-connect/rpctl/controller/internal/exit"
)

func TestStanding(t *testing.T) {
	for name, test := range map[string]struct {
		prepare func(repository)
		want    []string
	}{
		"up to date": {func(repository) {}, nil},
		"behind, as of a fetch": {
			func(r repository) { r.mate("dev", "theirs"); r.git("fetch", "--quiet") },
			[]string{"dev is 1 commit behind origin/dev: what it lacks would be pulled, and deployed"},
		},
		"moved since the last fetch": {
			func(r repository) { r.mate("dev", "theirs") },
			[]string{"origin/dev has moved since the last fetch: what is new there would be pulled, and deployed"},
		},
		"not here yet": {
			func(r repository) {
				r.git("checkout", "--quiet", "-b", "other")
				r.git("branch", "--quiet", "-D", "dev")
			},
			[]string{"dev is not here yet: it would be checked out from its remote"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRepository(t)
			test.prepare(r)
			before := r.git("for-each-ref")
			notes, err := (&Tree{Dir: r.clone}).Standing(t.Context(), "dev")
			if err != nil || !slices.Equal(notes, test.want) {
				t.Errorf("got %q, %v", notes, err)
			}
			if after := r.git("for-each-ref"); after != before {
				t.Errorf("something was changed:\n%s\nwas:\n%s", after, before)
			}
		})
	}
}

func TestStandingRefusesWhatUpdateWould(t *testing.T) {
	for name, test := range map[string]struct {
		prepare func(repository)
		next    string
	}{
		"ahead":    {func(r repository) { r.commit("mine") }, "git log origin/dev..dev"},
		"parted":   {func(r repository) { r.mate("dev", "theirs"); r.commit("mine"); r.git("fetch", "--quiet") }, "git pull --rebase"},
		"follower": {func(r repository) { r.git("branch", "--quiet", "--unset-upstream", "dev") }, "git branch --set-upstream-to=origin/dev dev"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRepository(t)
			test.prepare(r)
			_, err := (&Tree{Dir: r.clone}).Standing(t.Context(), "dev")
			if got := failure(t, err, exit.Refused); got.Next != test.next {
				t.Errorf("got %q, next %q", got.Message, got.Next)
			}
		})
	}
}

func TestStandingWithoutTheRemote(t *testing.T) {
	r := newRepository(t)
	must(t, os.Rename(r.remote, r.remote+".away"))
	notes, err := (&Tree{Dir: r.clone}).Standing(t.Context(), "dev")
	if err != nil || len(notes) != 1 {
		t.Errorf("got %q, %v", notes, err)
	}
}
