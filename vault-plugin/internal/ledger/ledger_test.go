package ledger_test

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/caller"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/jobs"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/keys"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/ledger"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// world is a workspace with the ledger of one sync.
type world struct {
	*testing.T
	storage *enginetest.Storage
	records *store.Store
	keys    *keys.Service
	ledgers *ledger.Service
	owner   ledger.Owner
}

func newWorld(t *testing.T) *world {
	t.Helper()
	storage := enginetest.NewStorage()
	records, err := store.New(storage)
	if err != nil {
		t.Fatal(err)
	}
	group := jobs.NewGroup()
	t.Cleanup(func() { group.Stop(time.Second) })
	k, err := keys.Load(t.Context(), records, group, enginetest.NewClock().Now)
	if err != nil {
		t.Fatal(err)
	}
	k.Configure(store.Config{KeyringCacheSize: 4, KeyringCacheTTL: time.Hour})
	ws := store.NewID()
	if err := k.Create(t.Context(), ws, "acme"); err != nil {
		t.Fatal(err)
	}
	return &world{t, storage, records, k, ledger.New(records, k), ledger.Owner{ws, store.NewID(), "api", "production", "shelf", "main"}}
}

func (w *world) open(of ledger.Owner) *ledger.Ledger {
	w.Helper()
	l, closed, err := w.ledgers.Open(w.Context(), of)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(closed)
	return l
}

// restart opens the ledger with a new service, as after a restart.
func (w *world) restart() *ledger.Ledger {
	w.Helper()
	w.ledgers = ledger.New(w.records, w.keys)
	return w.open(w.owner)
}

func (w *world) save(l *ledger.Ledger) {
	w.Helper()
	if err := l.Save(w.Context()); err != nil {
		w.Fatal(err)
	}
}

func (w *world) chunks() []string {
	var found []string
	for _, key := range w.storage.Keys() {
		if strings.HasPrefix(key, "ledger/") {
			found = append(found, key)
		}
	}
	return found
}

func TestALedgerIsReadBackAsItWasSaved(t *testing.T) {
	w := newWorld(t)
	l := w.open(w.owner)
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	owned := ledger.Entry{Owned: true, Source: "A", Version: 3, Print: ledger.Print{1, [32]byte{1}}, Shape: "s", Remote: ledger.Remote{"id", "v", at}}
	intended := ledger.Entry{Intent: &ledger.Intent{Source: "B", Version: 1, Print: ledger.Print{1, [32]byte{2}}}}
	l.Put("A", owned)
	l.Put("B", intended)
	l.Put("C", ledger.Entry{}) // neither owned nor intended, so it is not stored
	w.save(l)
	l = w.restart()
	if got := l.Entries(); len(got) != 2 || got["A"] != owned || *got["B"].Intent != *intended.Intent {
		t.Fatalf("got %+v", got)
	}
	l.Put("A", ledger.Entry{})
	l.Put("B", ledger.Entry{})
	w.save(l)
	if left := w.chunks(); len(left) != 0 {
		t.Errorf("chunks %v are left", left)
	}
}

// A ledger of many entries is stored in chunks. Each chunk stays within its size limit, and a
// change of entries in one chunk is one Put.
func TestALedgerOfManyEntries(t *testing.T) {
	w := newWorld(t)
	l := w.open(w.owner)
	name := func(i int) string { return fmt.Sprintf("SECRET_%05d", i) }
	long := strings.Repeat("x", 128)
	full := func(i int) ledger.Entry {
		p := ledger.Print{1 << 30, [32]byte{1}}
		return ledger.Entry{
			Owned: true, Source: name(i), Version: 1 << 40, Print: p, Shape: strings.Repeat("s", 64), Remote: ledger.Remote{long, long, time.Unix(1, 1).UTC()},
			Intent: &ledger.Intent{Source: name(i), Version: 1 << 40, Print: p, Shape: strings.Repeat("s", 64)},
		}
	}
	const many = 5000
	for i := range many {
		l.Put(name(i), full(i))
	}
	w.save(l)
	for _, key := range w.chunks() {
		if size := len(w.storage.Raw(key)); size > 400<<10+1024 {
			t.Errorf("%s has %d bytes", key, size)
		}
	}
	l = w.restart()
	if got := len(l.Entries()); got != many {
		t.Fatalf("got %d entries", got)
	}
	w.storage.Reset()
	for i := range 100 {
		e := full(i)
		e.Intent = nil
		l.Put(name(i), e)
	}
	w.save(l)
	w.save(l) // no change since the first Save
	if c := w.storage.Counts(); c.Puts != 1 || c.Deletes != 0 {
		t.Errorf("a change of entries in one chunk took %+v", c)
	}
	if err := l.Remove(t.Context()); err != nil || len(w.chunks()) != 0 {
		t.Errorf("error %v, chunks %v are left", err, w.chunks())
	}
}

func TestAnOpenLedgerIsShared(t *testing.T) {
	w := newWorld(t)
	a, closeA, err := w.ledgers.Open(t.Context(), w.owner)
	if err != nil {
		t.Fatal(err)
	}
	b, closeB, err := w.ledgers.Open(t.Context(), w.owner)
	if err != nil || a != b {
		t.Fatalf("error %v, same ledger: %t", err, a == b)
	}
	closeA()
	closeB()
	if c := w.open(w.owner); c == a {
		t.Error("the ledger is still open after both were closed")
	}
}

func TestAMovedOrDamagedLedgerDoesNotOpen(t *testing.T) {
	w := newWorld(t)
	l := w.open(w.owner)
	l.Put("A", ledger.Entry{Owned: true, Source: "A"})
	w.save(l)
	key := w.chunks()[0]
	sealed := w.storage.Raw(key)
	other := w.owner
	other.Sync = store.NewID()
	w.storage.SetRaw("ledger/"+string(other.Sync)+"/0", sealed)
	renamed := w.owner
	renamed.Name = "other"
	cut := w.owner
	for name, step := range map[string]func() ledger.Owner{
		"another sync's":     func() ledger.Owner { return other },
		"under another name": func() ledger.Owner { return renamed },
		"another chunk": func() ledger.Owner {
			w.storage.SetRaw(strings.TrimSuffix(key, "0")+"1", sealed)
			w.storage.SetRaw(key, nil)
			return cut
		},
		"cut": func() ledger.Owner {
			w.storage.SetRaw(strings.TrimSuffix(key, "0")+"1", nil)
			w.storage.SetRaw(key, sealed[:len(sealed)-1])
			return cut
		},
	} {
		w.ledgers = ledger.New(w.records, w.keys)
		if _, _, err := w.ledgers.Open(t.Context(), step()); !errors.Is(err, ledger.ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
		w.storage.SetRaw(strings.TrimSuffix(key, "0")+"1", nil)
		w.storage.SetRaw(key, sealed)
	}
	if got := w.restart().Entries(); !got["A"].Owned {
		t.Errorf("restored to its own key: %v", got)
	}
}

// A rotation does not change what prints recognise. After a Refresh, a trim does not change it
// either.
func TestRefreshedPrintsSurviveATrim(t *testing.T) {
	w := newWorld(t)
	l := w.open(w.owner)
	values := map[string][]byte{"A": []byte("1"), "B": []byte("2"), "C": []byte("3")}
	prints, err := l.Sum(t.Context(), values)
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range prints {
		l.Put(name, ledger.Entry{Owned: true, Source: name, Print: p})
	}
	l.Put("D", ledger.Entry{Intent: &ledger.Intent{Source: "D", Print: prints["A"]}})
	w.save(l)
	if _, err := w.keys.Rotate(t.Context(), caller.Request{}, w.owner.Workspace, 0); err != nil {
		t.Fatal(err)
	}
	recognised := func(l *ledger.Ledger, want map[string]bool) {
		t.Helper()
		had := make(map[string]ledger.Print)
		for name, e := range l.Entries() {
			had[name] = e.Print
		}
		if got, err := l.Recognise(t.Context(), values, had); err != nil || !maps.Equal(got, want) {
			t.Errorf("got %v, %v; want %v", got, err, want)
		}
	}
	recognised(l, map[string]bool{"A": true, "B": true, "C": true})
	if lowest, needs := l.Needs(); !needs || lowest != 1 {
		t.Errorf("needs version %d", lowest)
	}
	now := map[string][]byte{"A": []byte("1"), "B": []byte("2, changed")} // C is not selected
	if stay, err := l.Refresh(t.Context(), now); err != nil || stay != 1 {
		t.Fatalf("%d stay, %v", stay, err)
	}
	l = w.restart()
	recognised(l, map[string]bool{"A": true, "B": false, "C": false})
	if lowest, _ := l.Needs(); lowest != 1 {
		t.Errorf("needs version %d, but the print of an intent has version 1", lowest)
	}
	l.Put("D", ledger.Entry{})
	w.save(l)
	if lowest, _ := l.Needs(); lowest != 2 {
		t.Errorf("needs version %d", lowest)
	}
	if _, err := w.keys.SetMinDecryption(t.Context(), w.owner.Workspace, 2); err != nil {
		t.Fatal(err)
	}
	if _, err := w.keys.Trim(t.Context(), w.owner.Workspace); err != nil {
		t.Fatal(err)
	}
	recognised(w.restart(), map[string]bool{"A": true, "B": false, "C": false})
}

func TestALongVersionIsStoredAsItsDigest(t *testing.T) {
	long := strings.Repeat("v", 10*128)
	a, b := ledger.RemoteOf(provider.Entry{Version: long}), ledger.RemoteOf(provider.Entry{Version: long + "x"})
	if len(a.Version) > 128 || a == b {
		t.Errorf("got %q and %q", a.Version, b.Version)
	}
	if same, known := a.Same(ledger.RemoteOf(provider.Entry{Version: long})); !same || !known {
		t.Error("equal versions are not the same")
	}
}
