package recordset_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/recordset"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/undone"
)

// copied returns a set with a record and copies of it: beside it, and in another workspace. All
// have the id of the record.
func copied(t *testing.T) (w *world, original, beside, elsewhere *item) {
	t.Helper()
	w = newWorld(t, enginetest.NewStorage())
	original = newItem(acme, "one")
	copyAt := func(parent store.ID, name string) *item {
		e := *original
		e.At, e.Workspace = recordset.Key{Parent: parent, Group: "toy", Name: name}, parent
		return &e
	}
	beside, elsewhere = copyAt(acme, "two"), copyAt(other, "three")
	for _, e := range []*item{original, beside, elsewhere} {
		must(t, w.put(e))
	}
	w = newWorld(t, w.storage)
	w.moved = map[recordset.Key]bool{beside.At: true, elsewhere.At: true}
	must(t, w.load())
	return w, original, beside, elsewhere
}

func (w *world) names(ws store.ID) []string {
	var names []string
	for e := range w.In(ws) {
		names = append(names, e.At.String())
	}
	slices.Sort(names)
	return names
}

// A record that was copied to another name has the id of the original. Each workspace must list its
// own entries, and none of another workspace.
func TestCopiesOfARecordAreListedWhereTheyAre(t *testing.T) {
	w, original, _, _ := copied(t)
	if got := w.names(acme); !slices.Equal(got, []string{"toy/one", "toy/two"}) || w.Count(acme) != 2 {
		t.Errorf("one workspace lists %v", got)
	}
	if got := w.names(other); !slices.Equal(got, []string{"toy/three"}) || w.Count(other) != 1 || w.Total() != 3 {
		t.Errorf("the other workspace lists %v", got)
	}
	if found := w.ByID(original.ID); found == nil || found.At != original.At {
		t.Errorf("the id names %v", found)
	}
}

// Deleting a copy must leave the original, and everything that is stored beneath their common id.
func TestDeletingACopyKeepsTheOriginal(t *testing.T) {
	w, original, beside, elsewhere := copied(t)
	must(t, w.store.PutCredential(t.Context(), original.ID, &store.Credential{Generations: []store.Generation{{Number: 1, Fields: map[string][]byte{"key": []byte("sealed")}}}}))
	for _, e := range []*item{beside, elsewhere} {
		w.took = nil
		begun, err := w.remove(e)
		if err != nil || begun != nil {
			t.Fatalf("%s: deletion %v, error %v", e.At, begun, err)
		}
		if found, err := w.Find(e.At); found != nil || err != nil {
			t.Errorf("%s is found: %v, %v", e.At, found, err)
		}
		if found := w.ByID(original.ID); found == nil || found.At == e.At || !w.HasRecord(store.KindIntegration, original.ID) {
			t.Errorf("without %s, the id names %v", e.At, found)
		}
		if len(w.took) != 1 {
			t.Errorf("after %s was dropped, memory received %v", e.At, w.took)
		}
	}
	w.undone.Start()
	if left := w.marks(); len(left) > 0 {
		t.Errorf("left the marks %v", left)
	}
	if sealed, err := w.store.Credential(t.Context(), original.ID); sealed == nil || err != nil {
		t.Errorf("the credential is %v, %v", sealed, err)
	}
	if got := w.names(acme); !slices.Equal(got, []string{"toy/one"}) || len(w.names(other)) != 0 {
		t.Errorf("lists %v", got)
	}
}

// The outcome of a removal is that of its own record. A copy that is left is no reason to report a
// failure.
func TestTheRemovalOfACopyIsRecheckedByItsKey(t *testing.T) {
	w, _, beside, _ := copied(t)
	_, err := w.Remove(t.Context(), beside, func(ctx context.Context) error {
		must(t, w.store.DeleteIntegration(ctx, beside.At.Parent, beside.At.Group, beside.At.Name))
		return enginetest.ErrDown
	})
	if err != nil {
		t.Errorf("error %v, but the record is removed", err)
	}
}

// Without the proof that e owns what is stored beneath its id, nothing may be removed.
func TestARemovalWithoutProofChangesNothing(t *testing.T) {
	w := newWorld(t, enginetest.NewStorage())
	must(t, w.load())
	e := newItem(acme, "one")
	must(t, w.put(e))
	w.Owns = func(context.Context, *item) (bool, error) { return false, enginetest.ErrDown }
	begun, err := w.Remove(t.Context(), e, func(context.Context) error { t.Error("the record was removed"); return nil })
	if begun != nil || !errors.Is(err, enginetest.ErrDown) || len(w.marks()) != 0 {
		t.Errorf("deletion %v, error %v, marks %v", begun, err, w.marks())
	}
}

// Take replaces an entry that has another id, as after a recheck that finds a newer record.
func TestTakeReplacesAnEntryWithAnotherID(t *testing.T) {
	w := newWorld(t, enginetest.NewStorage())
	must(t, w.load())
	before, after := newItem(acme, "one"), newItem(acme, "one")
	w.Take(before)
	w.Take(after)
	if w.HasRecord(store.KindIntegration, before.ID) || !w.HasRecord(store.KindIntegration, after.ID) || w.Count(acme) != 1 {
		t.Errorf("the old id exists: %t, %d entries", w.HasRecord(store.KindIntegration, before.ID), w.Count(acme))
	}
}

// While storage is down, another change to the same entry must be refused, and after it the entry
// must be found again.
func TestAPutOfUnknownOutcomeIsReread(t *testing.T) {
	w := newWorld(t, enginetest.NewStorage())
	must(t, w.load())
	e := newItem(acme, "one")
	must(t, w.put(e))
	changed := *e
	record := *e.record
	record.Description = "changed"
	changed.record = &record
	w.storage.FailFrom(1, true) // the change is stored, but the response and the recheck fail
	if err := w.put(&changed); !errors.Is(err, enginetest.ErrDown) || len(w.tree.pending) != 1 {
		t.Fatalf("error %v, %d changes are pending", err, len(w.tree.pending))
	}
	if found, err := w.Find(e.At); err != nil || found != e {
		t.Errorf("before the recheck, memory has %v, %v", found, err)
	}
	w.storage.Reset()
	must(t, w.tree.pending[0](t.Context()))
	if found, err := w.Find(e.At); err != nil || found.record.Description != "changed" {
		t.Errorf("after the recheck, memory has %v, %v", found, err)
	}
}

// A damaged record is reported once, however often it is read.
func TestADamagedRecordIsReportedOnce(t *testing.T) {
	w := newWorld(t, enginetest.NewStorage())
	e := newItem(acme, "one")
	must(t, w.put(e))
	w.storage.SetRaw(e.At.Stored(store.KindIntegration), []byte("no record"))
	w = newWorld(t, w.storage)
	must(t, w.load())
	w.Recheck(t.Context(), e, (*undone.Change)(nil))
	if wrong := w.Health(); len(wrong) != 1 {
		t.Errorf("health: %v", wrong)
	}
	if _, err := w.Find(e.At); !fault.Is(err, fault.Unavailable) {
		t.Errorf("a damaged record is found with error %v", err)
	}
}
