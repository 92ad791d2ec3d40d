package recordset_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/jobs"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/keys"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/recordset"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/undone"
)

const (
	acme  = store.ID("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")
	other = store.ID("bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb")
)

// item is an entry of the family under test: integrations, of whose records only the id is looked
// at.
type item struct {
	recordset.Member
	record *store.Integration
}

// tree holds changes of unknown outcome as the tree of workspaces does.
type tree struct{ pending []func(context.Context) error }

func (*tree) Exclusively(_ context.Context, _ store.ID, work func() error) error { return work() }

func (t *tree) AddPending(ctx context.Context, _ store.ID, recheck func(context.Context) error) bool {
	if recheck(ctx) == nil {
		return true
	}
	t.pending = append(t.pending, recheck)
	return false
}

// hasAll is an owner of the kinds that the tests do not look at.
type hasAll struct{}

func (hasAll) HasRecord(store.Kind, store.ID) bool { return true }
func (hasAll) HidesRecord(store.Kind) bool         { return false }

// world is a set over a storage that can fail.
type world struct {
	*recordset.Set[*item]
	t       *testing.T
	storage *enginetest.Storage
	store   *store.Store
	undone  *undone.Service
	jobs    *jobs.Group
	tree    tree

	parents                  map[store.ID]bool
	moved                    map[recordset.Key]bool // records that do not own what is stored beneath their ids
	took, dropped, rechecked []string
}

func newWorld(t *testing.T, storage *enginetest.Storage) *world {
	t.Helper()
	records, err := store.New(storage)
	must(t, err)
	w := &world{t: t, storage: storage, store: records, jobs: jobs.NewGroup(), parents: map[store.ID]bool{acme: true, other: true}}
	t.Cleanup(func() { w.jobs.Stop(time.Second) })
	k, err := keys.Load(t.Context(), records, w.jobs, enginetest.NewClock().Now)
	must(t, err)
	w.undone, err = undone.Load(t.Context(), records, k, w.jobs)
	must(t, err)
	w.undone.Own(hasAll{}, store.AllKinds()...)
	w.Set = recordset.New(new(sync.RWMutex), recordset.Family[*item]{
		Kind: store.KindIntegration, Tree: &w.tree, Undone: w.undone,
		Exists:  func(parent store.ID) bool { return w.parents[parent] },
		Owns:    func(_ context.Context, e *item) (bool, error) { return !w.moved[e.At], nil },
		Read:    w.read,
		Took:    func(e *item) { w.took = append(w.took, e.At.String()) },
		Dropped: func(e *item) { w.dropped = append(w.dropped, e.At.String()) },
		Rechecked: func(_ context.Context, e, stored *item, begun *undone.Change) {
			outcome := " is stored"
			if stored == nil {
				outcome = " is not stored"
			}
			w.rechecked = append(w.rechecked, e.At.String()+outcome)
			begun.Settle()
		},
	})
	return w
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) load() error {
	return w.Load(w.t.Context(), recordset.Listing[*item]{
		Parents: w.store.IntegrationOwners, Names: w.store.Integrations,
		Blank: func(at recordset.Key) *item {
			return &item{Member: recordset.Member{At: at, Workspace: at.Parent}}
		},
	})
}

func (w *world) read(ctx context.Context, e *item) (*item, error) {
	record, err := w.store.Integration(ctx, e.At.Parent, e.At.Group, e.At.Name)
	if err != nil || record == nil {
		return nil, err
	}
	m := e.Member
	m.ID = record.ID
	return &item{m, record}, nil
}

func newItem(ws store.ID, name string) *item {
	record := &store.Integration{ID: store.NewID(), Auth: "key", Credential: store.CredentialState{Generation: 1}}
	at := recordset.Key{Parent: ws, Group: "toy", Name: name}
	return &item{recordset.Member{At: at, ID: record.ID, Workspace: ws}, record}
}

func (w *world) put(e *item) error {
	return w.Put(w.t.Context(), e, nil, func(ctx context.Context) error {
		return w.store.PutIntegration(ctx, e.At.Parent, e.At.Group, e.At.Name, e.record)
	})
}

func (w *world) remove(e *item) (*undone.Change, error) {
	return w.Remove(w.t.Context(), e, func(ctx context.Context) error {
		return w.store.DeleteIntegration(ctx, e.At.Parent, e.At.Group, e.At.Name)
	})
}

// marks returns the ids that have a mark in storage.
func (w *world) marks() []store.ID {
	w.t.Helper()
	w.jobs.Wait()
	ids, err := w.store.UndoneIDs(w.t.Context())
	must(w.t, err)
	return ids
}

func (w *world) find(e *item) (*item, error) {
	found, err := w.Find(e.At)
	if found != nil && found != w.ByID(found.ID) {
		w.t.Errorf("%s has two entries", e.At)
	}
	return found, err
}

func TestLoad(t *testing.T) {
	w := newWorld(t, enginetest.NewStorage())
	for _, e := range []*item{newItem(acme, "one"), newItem(acme, "two"), newItem(acme, "broken"), newItem(other, "orphan")} {
		must(t, w.put(e))
	}
	broken := recordset.Key{Parent: acme, Group: "toy", Name: "broken"}
	w.storage.SetRaw(broken.Stored(store.KindIntegration), []byte("no record"))

	w = newWorld(t, w.storage)
	w.parents[other] = false
	must(t, w.load())
	if slices.Sort(w.took); !slices.Equal(w.took, []string{"toy/one", "toy/two"}) {
		t.Errorf("loaded %v", w.took)
	}
	if w.Total() != 2 || w.Count(acme) != 2 || w.Count(other) != 0 || len(slices.Collect(w.In(acme))) != 2 || len(slices.Collect(w.All())) != 2 {
		t.Errorf("%d entries, of these %d in one workspace and %d in the other", w.Total(), w.Count(acme), w.Count(other))
	}
	const key = "int/" + string(acme) + "/toy/broken"
	if wrong := w.Health(); len(wrong) != 1 || !strings.Contains(wrong[0], key) || !w.HidesRecord(store.KindIntegration) {
		t.Errorf("health: %v", wrong)
	}
	if _, err := w.Find(broken); err == nil || !strings.Contains(err.Error(), key) {
		t.Errorf("the damaged record is found with error %v", err)
	}
	if found, err := w.Find(recordset.Key{Parent: acme, Group: "toy", Name: "none"}); found != nil || err != nil {
		t.Errorf("a record that was never stored: %v, %v", found, err)
	}
}

func TestLoadFailsWithStorage(t *testing.T) {
	w := newWorld(t, enginetest.NewStorage())
	must(t, w.put(newItem(acme, "one")))
	w.storage.Reset()
	must(t, newWorld(t, w.storage).load())
	for n := 1; ; n++ {
		next := newWorld(t, w.storage)
		w.storage.FailFrom(n, false)
		err := next.load()
		calls := w.storage.Calls()
		w.storage.Reset()
		if calls < n {
			if n < 4 {
				t.Errorf("a load is %d calls: the test shows nothing", calls)
			}
			break
		}
		if !errors.Is(err, enginetest.ErrDown) {
			t.Errorf("storage fails from call %d on: %v", n, err)
		}
	}
}

func TestCreation(t *testing.T) {
	for name, c := range map[string]struct {
		fail      int // the storage call of the Put after which storage is down; 0: none
		stored    bool
		rechecked []string
		exists    bool
	}{
		"stored":                    {exists: true},
		"storage stays down":        {fail: 1},
		"only the response is lost": {fail: 1, stored: true, exists: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, enginetest.NewStorage())
			must(t, w.load())
			e := newItem(acme, "one")
			begun, err := w.Create(t.Context(), e)
			must(t, err)
			if m, marked := w.undone.Marked(e.ID); !marked || m.Name != "toy/one" || m.Parent != acme || m.Deletion {
				t.Fatalf("the creation has the mark %v, %v", m, marked)
			}
			if c.fail > 0 {
				w.storage.FailFrom(c.fail, c.stored)
			}
			err = w.Put(t.Context(), e, begun, func(ctx context.Context) error {
				return w.store.PutIntegration(ctx, e.At.Parent, e.At.Group, e.At.Name, e.record)
			})
			if (err != nil) != (c.fail > 0) || (len(w.tree.pending) > 0) != (c.fail > 0) {
				t.Fatalf("error %v, %d changes are pending", err, len(w.tree.pending))
			}
			w.storage.Reset()
			for _, settle := range w.tree.pending {
				must(t, settle(t.Context()))
			}
			if found, err := w.find(e); err != nil || (found != nil) != c.exists {
				t.Errorf("found %v, %v", found, err)
			}
			if left := w.marks(); len(left) > 0 {
				t.Errorf("left the marks %v", left)
			}
		})
	}
}

func TestPutOfTooMuchIsNotRechecked(t *testing.T) {
	w := newWorld(t, enginetest.NewStorage())
	must(t, w.load())
	e := newItem(acme, "one")
	begun, err := w.Create(t.Context(), e)
	must(t, err)
	err = w.Put(t.Context(), e, begun, func(context.Context) error { return store.ErrTooLarge })
	if !errors.Is(err, store.ErrTooLarge) || len(w.rechecked) > 0 {
		t.Errorf("error %v, rechecked %v", err, w.rechecked)
	}
	if left := w.marks(); len(left) > 0 {
		t.Errorf("left the marks %v", left)
	}
}

func TestRemoval(t *testing.T) {
	const mark, erase, recheck = 1, 2, 3 // the storage calls
	for name, c := range map[string]struct {
		fail   int
		stored bool // the failing call has had its effect
		fails  bool
		closed bool // until the recheck, which comes later
		exists bool
	}{
		"removed":                        {},
		"the mark is not stored":         {fail: mark, fails: true, exists: true},
		"the record is not removed":      {fail: erase, fails: true, closed: true, exists: true},
		"the response to that is lost":   {fail: erase, stored: true, fails: true, closed: true},
		"storage fails after the commit": {fail: recheck},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, enginetest.NewStorage())
			must(t, w.load())
			e := newItem(acme, "one")
			must(t, w.put(e))
			if c.fail > 0 {
				w.storage.FailFrom(c.fail, c.stored)
			}
			begun, err := w.remove(e)
			if (err != nil) != c.fails || (begun != nil) == c.fails {
				t.Fatalf("error %v, deletion %v", err, begun)
			}
			if _, err := w.find(e); fault.Is(err, fault.Unavailable) != c.closed {
				t.Errorf("found with error %v", err)
			}
			w.jobs.Wait()
			w.storage.Reset()
			for _, settle := range w.tree.pending {
				must(t, settle(t.Context()))
			}
			begun.Settle()
			w.undone.Start()
			if found, err := w.find(e); err != nil || (found != nil) != c.exists {
				t.Errorf("found %v, %v", found, err)
			}
			if c.exists == slices.Equal(w.dropped, []string{"toy/one"}) {
				t.Errorf("dropped %v", w.dropped)
			}
			if left := w.marks(); len(left) > 0 {
				t.Errorf("left the marks %v", left)
			}
		})
	}
}

// The recheck succeeds at once when only the one call has failed.
func TestRemovalIsRecheckedAtOnce(t *testing.T) {
	for _, removed := range []bool{true, false} {
		w := newWorld(t, enginetest.NewStorage())
		must(t, w.load())
		e := newItem(acme, "one")
		must(t, w.put(e))
		begun, err := w.Remove(t.Context(), e, func(ctx context.Context) error {
			if removed {
				must(t, w.store.DeleteIntegration(ctx, e.At.Parent, e.At.Group, e.At.Name))
			}
			return enginetest.ErrDown
		})
		if begun != nil || (err == nil) != removed {
			t.Errorf("removed %t: deletion %v, error %v", removed, begun, err)
		}
		want := map[bool]string{true: "toy/one is not stored", false: "toy/one is stored"}[removed]
		if !slices.Equal(w.rechecked, []string{want}) {
			t.Errorf("rechecked %v, want %s", w.rechecked, want)
		}
		if left := w.marks(); len(left) > 0 {
			t.Errorf("left the marks %v", left)
		}
	}
}

func TestForgetDropsWhatHasNoParent(t *testing.T) {
	w := newWorld(t, enginetest.NewStorage())
	must(t, w.load())
	stays, goes := newItem(acme, "stays"), newItem(other, "goes")
	must(t, w.put(stays))
	must(t, w.put(goes))
	w.parents[other] = false
	w.Forget()
	if !slices.Equal(w.dropped, []string{"toy/goes"}) || w.HasRecord(store.KindIntegration, goes.ID) || !w.HasRecord(store.KindIntegration, stays.ID) {
		t.Errorf("dropped %v", w.dropped)
	}
}

func TestExclusively(t *testing.T) {
	w := newWorld(t, enginetest.NewStorage())
	must(t, w.load())
	e := newItem(acme, "one")
	must(t, w.put(e))
	ran := false
	err := w.Exclusively(t.Context(), e.ID, func(found *item) error {
		ran = found.At == e.At
		return nil
	})
	if err != nil || !ran {
		t.Errorf("the work has run: %t, %v", ran, err)
	}
	_, err = w.remove(e)
	must(t, err)
	err = w.Exclusively(t.Context(), e.ID, func(*item) error { t.Error("the work has run"); return nil })
	if !fault.Is(err, fault.NotFound) {
		t.Errorf("a deleted entry: %v", err)
	}
}

func TestDependents(t *testing.T) {
	var d recordset.Dependents[string]
	if all := d.Of(acme); len(all) > 0 {
		t.Errorf("the zero value lists %v", all)
	}
	d.Add(func(id store.ID) []string { return []string{"a of " + string(id[:1])} })
	d.Add(func(store.ID) []string { return []string{"b"} })
	if all := d.Of(acme); !slices.Equal(all, []string{"a of a", "b"}) {
		t.Errorf("dependents: %v", all)
	}
	for want, names := range map[string][]string{
		"a, b, c, d, e":             {"a", "b", "c", "d", "e"},
		"a, b, c, d, e, and others": {"a", "b", "c", "d", "e", "f"},
	} {
		if got := recordset.Some(names); got != want {
			t.Errorf("%v: %q", names, got)
		}
	}
}
