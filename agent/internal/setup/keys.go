package setup

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/re-connect/rpctl/internal/signature"
	"github.com/re-connect/rpctl/proto"
)

// keyDifferences compares two files of accepted keys by name and fingerprint. kind is what one of them is called:
// approver, trusted host. On a host without rules nothing is loosened.
func keyDifferences(kind string, old, wanted []byte, ruled bool) ([]proto.SetupDifference, error) {
	shall, err := signature.ParseSigners(wanted)
	if err != nil {
		return nil, err
	}
	loosens := func(really bool) proto.SetupEffect {
		if ruled && really {
			return proto.EffectLoosens
		}
		return ""
	}
	is, err := signature.ParseSigners(old)
	if err != nil {
		return []proto.SetupDifference{{Name: kind + "s", Old: notUnderstood, New: fmt.Sprintf("%d keys", len(shall)), Effect: loosens(true)}}, nil
	}
	added, removed := without(shall, is), without(is, shall)
	var all []proto.SetupDifference
	for _, signer := range removed {
		difference := proto.SetupDifference{Name: kind + " " + signer.Principal, Old: described(signer)}
		// The same key of the same name with other bounds is one change.
		if at := slices.IndexFunc(added, func(other signature.Signer) bool { return sameKey(signer, other) }); at >= 0 {
			difference.New = described(added[at])
			difference.Effect = loosens(wider(signer, added[at]))
			added = slices.Delete(added, at, at+1)
		}
		all = append(all, difference)
	}
	for _, signer := range added {
		all = append(all, proto.SetupDifference{Name: kind + " " + signer.Principal, New: described(signer), Effect: loosens(true)})
	}
	if len(all) == 0 && !slices.EqualFunc(is, shall, same) && namesAKeyTwice(shall) {
		// The first line of a key names its owner: the order decides who approved.
		all = append(all, proto.SetupDifference{Name: kind + "s", Old: "in another order", New: "a key of two names is found under the other one", Effect: loosens(true)})
	}
	return all, nil
}

// without is what is in all, but not in the others.
func without(all, others signature.Signers) signature.Signers {
	left := slices.Clone(others)
	var only signature.Signers
	for _, signer := range all {
		at := slices.IndexFunc(left, func(other signature.Signer) bool { return same(signer, other) })
		if at < 0 {
			only = append(only, signer)
			continue
		}
		left = slices.Delete(left, at, at+1)
	}
	return only
}

func sameKey(a, b signature.Signer) bool {
	return a.Principal == b.Principal && a.Fingerprint() == b.Fingerprint()
}

func same(a, b signature.Signer) bool { return sameKey(a, b) && described(a) == described(b) }

// wider says that a key is accepted for more, or for a longer time.
func wider(old, new signature.Signer) bool {
	purposes := len(old.Namespaces) > 0 && (len(new.Namespaces) == 0 ||
		slices.ContainsFunc(new.Namespaces, func(name string) bool { return !slices.Contains(old.Namespaces, name) }))
	earlier := !old.After.IsZero() && (new.After.IsZero() || new.After.Before(old.After))
	later := !old.Before.IsZero() && (new.Before.IsZero() || new.Before.After(old.Before))
	return purposes || earlier || later
}

func namesAKeyTwice(all signature.Signers) bool {
	seen := map[string]string{}
	for _, signer := range all {
		name, there := seen[signer.Fingerprint()]
		if there && name != signer.Principal {
			return true
		}
		seen[signer.Fingerprint()] = signer.Principal
	}
	return false
}

// described is a key as people compare it, with what bounds it.
func described(signer signature.Signer) string {
	words := []string{signer.Key.Type(), signer.Fingerprint()}
	if len(signer.Namespaces) > 0 {
		words = append(words, "for "+strings.Join(slices.Sorted(slices.Values(signer.Namespaces)), ","))
	} else {
		words = append(words, "for any purpose")
	}
	if !signer.After.IsZero() {
		words = append(words, "after "+signer.After.UTC().Format(time.RFC3339))
	}
	if !signer.Before.IsZero() {
		words = append(words, "before "+signer.Before.UTC().Format(time.RFC3339))
	}
	return strings.Join(words, " ")
}
