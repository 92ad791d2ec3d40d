package syncrun_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stashbase/vault-stashbase/shared/keyring"
	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/shared/provider/providertest/toy"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/jobs"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/keys"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/ledger"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/syncplan"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/syncrun"
)

// world is a sync's ledger and a shelf that the sync writes to.
type world struct {
	*testing.T
	storage  *enginetest.Storage
	records  *store.Store
	keys     *keys.Service
	uses     *keyUses
	owner    ledger.Owner
	provider readable
	server   *toy.Server
	ledger   *ledger.Ledger

	// spoil changes the results of Apply, as a provider with a mistake does; nil changes nothing.
	spoil func([]provider.Result) []provider.Result
	// list changes what List returns; nil changes nothing.
	list   func([]provider.Entry) []provider.Entry
	sent   []string // the names of all changes that were sent
	looked []string // the names of all entries that were looked at
	// read holds the values that a run has read, in the memory that the run received.
	read [][]byte
	// refuse is the error of a use of the credential; nil allows every use.
	refuse error
	// ended holds what the uses of the credential have returned.
	ended []error
}

// keyUses counts the uses of keys.
type keyUses struct {
	*keys.Service
	n, fail int // uses, and the number of the one that fails; 0: none
}

var errKeys = errors.New("the keys cannot be used")

func (k *keyUses) With(ctx context.Context, ws store.ID, use func(*keyring.Workspace) error) error {
	if k.n++; k.n == k.fail {
		return errKeys
	}
	return k.Service.With(ctx, ws, use)
}

// failUse makes the n-th use of keys from now on fail; 0: none.
func (w *world) failUse(n int) { w.uses.n, w.uses.fail = 0, n }

func newWorld(t *testing.T, o toy.Options) *world {
	t.Helper()
	p, server := o.New()
	whole, able := p.(readable)
	if !able {
		t.Fatal("the toy cannot look at single entries or read values")
	}
	w := &world{T: t, storage: enginetest.NewStorage(), provider: whole, server: server}
	var err error
	w.records, err = store.New(w.storage)
	w.must(err)
	group := jobs.NewGroup()
	t.Cleanup(func() { group.Stop(time.Second) })
	w.keys, err = keys.Load(t.Context(), w.records, group, enginetest.NewClock().Now)
	w.must(err)
	w.keys.Configure(store.Config{KeyringCacheSize: 4, KeyringCacheTTL: time.Hour})
	w.owner = ledger.Owner{Workspace: store.NewID(), Sync: store.NewID(), Project: "api", Environment: "production", Destination: toy.Destination, Name: "main"}
	w.must(w.keys.Create(t.Context(), w.owner.Workspace, "acme"))
	w.uses = &keyUses{Service: w.keys}
	w.restart()
	return w
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// restart opens the ledger as it is stored.
func (w *world) restart() {
	w.Helper()
	l, closed, err := ledger.New(w.records, w.uses).Open(w.Context(), w.owner)
	w.must(err)
	w.Cleanup(closed)
	w.ledger = l
}

// stored returns the entries of the ledger in storage.
func (w *world) stored() map[string]ledger.Entry {
	w.Helper()
	l, closed, err := ledger.New(w.records, w.keys).Open(w.Context(), w.owner)
	w.must(err)
	defer closed()
	return l.Entries()
}

// readable is a provider that can look at single entries and read values.
type readable interface {
	provider.Provider
	provider.Looker
	provider.Reader
}

// spoiled is a provider that returns other results than it should.
type spoiled struct {
	readable
	w *world
}

func (p spoiled) Apply(ctx context.Context, s *provider.Session, place provider.Place, changes []provider.Change) []provider.Result {
	for _, c := range changes {
		p.w.sent = append(p.w.sent, c.Name)
	}
	results := p.readable.Apply(ctx, s, place, changes)
	if p.w.spoil != nil {
		return p.w.spoil(results)
	}
	return results
}

func (p spoiled) List(ctx context.Context, s *provider.Session, place provider.Place) ([]provider.Entry, error) {
	entries, err := p.readable.List(ctx, s, place)
	if p.w.list != nil {
		entries = p.w.list(entries)
	}
	return entries, err
}

func (p spoiled) Look(ctx context.Context, s *provider.Session, place provider.Place, names []string) ([]provider.Entry, error) {
	p.w.looked = append(p.w.looked, names...)
	return p.readable.Look(ctx, s, place, names)
}

func (p spoiled) Read(ctx context.Context, s *provider.Session, place provider.Place, names []string) ([]provider.Value, error) {
	values, err := p.readable.Read(ctx, s, place, names)
	for _, v := range values {
		p.w.read = append(p.w.read, v.Bytes)
	}
	return values, err
}

// use is the UseCredential of runs.
func (w *world) use(ctx context.Context, f func(context.Context, provider.Provider, *provider.Session) error) error {
	if w.refuse != nil {
		return w.refuse
	}
	session := &provider.Session{Auth: toy.AuthKey, Credential: provider.NewCredential(map[string][]byte{"key": []byte(w.server.Key())})}
	err := f(ctx, spoiled{w.provider, w}, session)
	w.ended = append(w.ended, err)
	return err
}

// run returns a run that wants the given values. Each secret has the name of its entry.
func (w *world) run(values map[string]string) *syncrun.Run {
	w.Helper()
	declared := w.provider.Declare().Destinations[0]
	settings, err := provider.Complete(declared.Fields, map[string]any{"shelf": "top"})
	w.must(err)
	r := &syncrun.Run{
		Destination: declared, Place: provider.Place{Destination: toy.Destination, Granularity: provider.Key, Settings: settings},
		UseCredential: w.use, Ledger: w.ledger, Values: make(map[string][]byte), Shape: "shape", SourceEmpty: len(values) == 0,
		OnConflict: syncplan.FailConflict, Deletion: syncplan.ManagedDeletion, Continues: func() error { return nil },
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		r.Values[name] = []byte(values[name])
		r.Wants = append(r.Wants, syncplan.Want{Name: name, Source: name, Version: 1, Size: len(values[name]), Text: true})
	}
	return r
}

// prepare makes the plan of a run.
func (w *world) prepare(r *syncrun.Run) syncrun.Prepared {
	w.Helper()
	p, err := r.Prepare(w.Context())
	w.must(err)
	return p
}

// sync runs until the destination has the given values.
func (w *world) sync(values map[string]string) syncrun.Report {
	w.Helper()
	r := w.run(values)
	report := r.Execute(w.Context(), w.prepare(r))
	w.must(report.Err)
	return report
}

func (w *world) wantShelf(want map[string]string) {
	w.Helper()
	if got := w.server.Truth("top"); !maps.Equal(got, want) {
		w.Errorf("the shelf has %v, want %v", got, want)
	}
}
