package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/re-connect/rpctl/internal/signature"
	"github.com/re-connect/rpctl/proto"
)

// receipts verifies what is signed, on the host and beside the plans, and holds it to the model.
func (r *run) receipts(ctx context.Context) {
	public, err := r.stage.ReceiptKey(ctx)
	if err != nil {
		r.violation("the host's receipt key: %v", err)
		return
	}
	line := fmt.Sprintf("%s namespaces=\"%s,%s\" %s\n", alias, proto.NamespaceSimulation, proto.NamespaceApplied, public)
	signers, err := signature.ParseSigners([]byte(line))
	if err != nil {
		r.violation("the host's receipt key: %v", err)
		return
	}
	verify := func(where string, signed proto.Signed, namespace string) {
		if _, err := signers.Verify(signed, namespace, time.Now()); err != nil {
			r.violation("%s does not verify: %v", where, err)
		}
	}
	for i, p := range r.plans {
		kept, _, err := r.stage.plan(p.Ticket)
		if err != nil || kept.applied == nil || kept.simulation == nil {
			r.violation("plan %d is finished, and the host has no receipt of it (%v)", i, err)
			continue
		}
		verify("the host's simulation", *kept.simulation, proto.NamespaceSimulation)
		verify("the host's receipt", *kept.applied, proto.NamespaceApplied)
		r.figures(i, *kept.applied)
		folder := strings.TrimSuffix(r.files[i], ".toml") + ".receipts"
		for name, namespace := range map[string]string{"simulation": proto.NamespaceSimulation, "applied": proto.NamespaceApplied} {
			file := filepath.Join(folder, environment+"-"+name+".json")
			body, err := os.ReadFile(file)
			if os.IsNotExist(err) && namespace == proto.NamespaceApplied {
				continue // its operator was killed before it came; `migrate status` has it from the host
			}
			sig, err2 := os.ReadFile(file + ".sig")
			if err != nil || err2 != nil {
				r.violation("%v %v", err, err2)
				continue
			}
			verify(file, proto.Signed{Namespace: namespace, Body: string(body), Signature: string(sig)}, namespace)
		}
	}
}

// figures holds a receipt to who really moved.
func (r *run) figures(i int, signed proto.Signed) {
	var applied proto.Applied
	if err := json.Unmarshal([]byte(signed.Body), &applied); err != nil {
		r.violation("the receipt of plan %d: %v", i, err)
		return
	}
	for n, step := range r.plans[i].Steps() {
		want, got := int64(len(r.model.moves[key(step.Step)])), applied.Steps[n].Moved
		if got > want || got < want && !r.partial[key(step.Step)] {
			r.violation("the receipt of plan %d says that step %s moved %d, want %d", i, step.ID, got, want)
		}
	}
}
