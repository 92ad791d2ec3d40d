package ledger_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/stashbase/vault-stashbase/shared/keyring"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/caller"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/keys"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/ledger"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// wipedOnce makes every use of a keyring run to its end, lets the next attempt find the keyring
// wiped, and lets the third attempt succeed. The first attempt has made all the progress that an
// attempt with a wiped keyring can make.
type wipedOnce struct {
	*keys.Service
	t *testing.T
}

func (k wipedOnce) With(ctx context.Context, ws store.ID, use func(*keyring.Workspace) error) error {
	// An earlier use has left a wiped keyring in the cache. A lock evicts it.
	k.Lock(ws, errors.New("locked"))
	k.Unlock(ws)
	attempt := 0
	return k.Service.With(ctx, ws, func(ring *keyring.Workspace) error {
		if attempt++; attempt > 1 {
			return use(ring)
		}
		if err := use(ring); err != nil {
			return err
		}
		ring.Wipe()
		err := use(ring)
		if err == nil {
			k.t.Error("the use of a wiped keyring has succeeded, so the test shows nothing")
		}
		return err
	})
}

// The cache may wipe a keyring at any time. Every operation must then give the same result as
// without the wipe.
func TestOperationsAreRepeatedAfterAWipedKeyring(t *testing.T) {
	w := newWorld(t)
	l := w.open(w.owner)
	values := map[string][]byte{"A": []byte("1"), "B": []byte("2")}
	prints, err := l.Sum(t.Context(), values)
	if err != nil {
		t.Fatal(err)
	}
	l.Put("A", ledger.Entry{Owned: true, Source: "A", Print: prints["A"]})
	l.Put("B", ledger.Entry{Intent: &ledger.Intent{Source: "B", Print: prints["B"]}})
	w.save(l)
	if _, err := w.keys.Rotate(t.Context(), caller.Request{}, w.owner.Workspace, 0); err != nil {
		t.Fatal(err)
	}

	wiped := ledger.New(w.records, wipedOnce{w.keys, t})
	w.ledgers = wiped
	l = w.open(w.owner)
	before := l.Entries()
	if len(before) != 2 || before["A"].Print != prints["A"] || before["B"].Intent == nil {
		t.Fatalf("the ledger has %+v", before)
	}
	if again, err := l.Sum(t.Context(), values); err != nil || len(again) != 2 || again["A"].KeyVersion != 2 {
		t.Errorf("the prints are %v, %v", again, err)
	}
	changed := map[string][]byte{"A": []byte("1"), "B": []byte("2, changed")}
	if same, err := l.Recognise(t.Context(), changed, prints); err != nil || !maps.Equal(same, map[string]bool{"A": true, "B": false}) {
		t.Errorf("recognised %v, %v", same, err)
	}
	// The value of the intent is another one now, so its print stays.
	if kept, err := l.Refresh(t.Context(), changed); err != nil || kept != 1 {
		t.Errorf("%d prints are kept, %v", kept, err)
	}
	after := w.restart().Entries()
	if len(after) != 2 || after["A"].Print.KeyVersion != 2 || after["B"].Intent.Print != prints["B"] {
		t.Errorf("after the refresh, the ledger has %+v", after)
	}

	sealed, err := wiped.SealDefinition(t.Context(), w.owner, []byte("definition"))
	if err != nil {
		t.Fatal(err)
	}
	if opened, err := wiped.OpenDefinition(t.Context(), w.owner, sealed); err != nil || string(opened) != "definition" {
		t.Errorf("the definition is %q, %v", opened, err)
	}
}

func TestADefinitionOpensOnlyForItsSync(t *testing.T) {
	w := newWorld(t)
	sealed, err := w.ledgers.SealDefinition(t.Context(), w.owner, []byte("definition"))
	if err != nil {
		t.Fatal(err)
	}
	for name, of := range map[string]func(*ledger.Owner){
		"another id":          func(o *ledger.Owner) { o.Sync = store.NewID() },
		"another name":        func(o *ledger.Owner) { o.Name = "other" },
		"another destination": func(o *ledger.Owner) { o.Destination = "other" },
		"another environment": func(o *ledger.Owner) { o.Environment = "other" },
		"another project":     func(o *ledger.Owner) { o.Project = "other" },
	} {
		other := w.owner
		of(&other)
		if _, err := w.ledgers.OpenDefinition(t.Context(), other, sealed); !errors.Is(err, ledger.ErrMoved) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, cut := range [][]byte{nil, sealed[:len(sealed)-1], []byte("definition")} {
		if _, err := w.ledgers.OpenDefinition(t.Context(), w.owner, cut); !errors.Is(err, ledger.ErrMoved) {
			t.Errorf("a damaged definition: %v", err)
		}
	}
	if ledger.DefinitionVersion(nil) != 0 || ledger.DefinitionVersion(sealed) != 1 {
		t.Errorf("the definition needs version %d", ledger.DefinitionVersion(sealed))
	}
	if same, err := w.ledgers.ResealDefinition(t.Context(), w.owner, sealed); err != nil || !bytes.Equal(same, sealed) {
		t.Errorf("the definition was sealed again under the same key: %v", err)
	}
	if _, err := w.keys.Rotate(t.Context(), caller.Request{}, w.owner.Workspace, 0); err != nil {
		t.Fatal(err)
	}
	again, err := w.ledgers.ResealDefinition(t.Context(), w.owner, sealed)
	if err != nil || ledger.DefinitionVersion(again) != 2 {
		t.Errorf("after a rotation, the definition needs version %d, %v", ledger.DefinitionVersion(again), err)
	}
	if opened, err := w.ledgers.OpenDefinition(t.Context(), w.owner, again); err != nil || string(opened) != "definition" {
		t.Errorf("the definition is %q, %v", opened, err)
	}
}

// A record that was copied from another sync has the id of that sync. It must not see the ledger
// that the other sync has open.
func TestAnOpenLedgerIsSharedOnlyUnderItsNames(t *testing.T) {
	w := newWorld(t)
	l := w.open(w.owner)
	l.Put("A", ledger.Entry{Owned: true, Source: "A"})
	w.save(l)
	copied := w.owner
	copied.Name = "copy"
	if other, _, err := w.ledgers.Open(t.Context(), copied); !errors.Is(err, ledger.ErrDamaged) {
		t.Errorf("the copy opens the ledger %v, %v", other, err)
	}
	if !l.Entries()["A"].Owned {
		t.Error("the open ledger has lost its entry")
	}
}

// Whatever a failed Save could not store, the next one must store.
func TestASaveIsRepeatedAfterAFailure(t *testing.T) {
	for _, stored := range []bool{false, true} {
		w := newWorld(t)
		l := w.open(w.owner)
		l.Put("A", ledger.Entry{Owned: true, Source: "A"})
		w.storage.FailFrom(1, stored)
		if err := l.Save(t.Context()); !errors.Is(err, enginetest.ErrDown) {
			t.Errorf("error %v", err)
		}
		w.storage.Reset()
		w.save(l)
		if got := w.restart().Entries(); !got["A"].Owned {
			t.Errorf("the ledger has %v", got)
		}
		l = w.restart()
		l.Put("A", ledger.Entry{})
		w.storage.FailFrom(1, stored)
		if err := l.Save(t.Context()); !errors.Is(err, enginetest.ErrDown) {
			t.Errorf("error %v", err)
		}
		w.storage.Reset()
		w.save(l)
		if left := w.chunks(); len(left) != 0 {
			t.Errorf("chunks %v are left", left)
		}
	}
}

// A ledger that could not be read is read by the next Open, and is not taken for an empty one.
func TestALedgerIsReadAgainAfterAFailure(t *testing.T) {
	w := newWorld(t)
	l := w.open(w.owner)
	l.Put("A", ledger.Entry{Owned: true, Source: "A"})
	w.save(l)
	w.ledgers = ledger.New(w.records, w.keys)
	for n := 1; n <= 2; n++ { // the list, and the read of the chunk
		w.storage.FailFrom(n, false)
		if _, _, err := w.ledgers.Open(t.Context(), w.owner); !errors.Is(err, enginetest.ErrDown) {
			t.Errorf("call %d fails: %v", n, err)
		}
		w.storage.Reset()
	}
	if got := w.open(w.owner).Entries(); !got["A"].Owned {
		t.Errorf("the ledger has %v", got)
	}
}

// A change of an entry reaches one chunk. If a restore brings an older chunk back that has the
// entry too, it is unknown which of the two is right.
func TestAnEntryInTwoChunksIsDamage(t *testing.T) {
	w := newWorld(t)
	l := w.open(w.owner)
	long := strings.Repeat("x", 250)
	name := func(i int) string { return fmt.Sprintf("%s%04d", long, i) }
	const many = 1200
	for i := range many {
		l.Put(name(i), ledger.Entry{Owned: true, Source: long})
	}
	w.save(l)
	chunks := w.chunks()
	if len(chunks) < 2 {
		t.Fatalf("the ledger has %d chunks, so the test shows nothing", len(chunks))
	}
	newest := chunks[len(chunks)-1]
	older := w.storage.Raw(newest)
	for _, key := range chunks {
		w.storage.SetRaw(key, nil)
	}
	l = w.restart()
	l.Put(name(many-1), ledger.Entry{Owned: true, Source: long}) // in the first chunk
	w.save(l)
	w.storage.SetRaw(newest, older)
	w.ledgers = ledger.New(w.records, w.keys)
	if _, _, err := w.ledgers.Open(t.Context(), w.owner); !errors.Is(err, ledger.ErrDamaged) {
		t.Errorf("error %v", err)
	}
	w.storage.SetRaw(newest, nil)
	if got := w.restart().Entries(); len(got) != 1 {
		t.Errorf("the ledger has %d entries", len(got))
	}
}

func TestWhatShowsThatNobodyHasWritten(t *testing.T) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	later := at.Add(time.Nanosecond)
	whole := ledger.Remote{ID: "1", Version: "v", Updated: at}
	for name, c := range map[string]struct {
		was, now              ledger.Remote
		same, known, replaced bool
	}{
		"everything is the same":          {was: whole, now: whole, same: true, known: true},
		"another version":                 {was: whole, now: ledger.Remote{ID: "1", Version: "w", Updated: at}, known: true},
		"another time":                    {was: whole, now: ledger.Remote{ID: "1", Version: "v", Updated: later}, known: true},
		"another id":                      {was: whole, now: ledger.Remote{ID: "2", Version: "v", Updated: at}, known: true, replaced: true},
		"only a version":                  {was: ledger.Remote{Version: "v"}, now: ledger.Remote{Version: "v"}, same: true, known: true},
		"only a time":                     {was: ledger.Remote{Updated: at}, now: ledger.Remote{Updated: at.In(time.FixedZone("", 3600))}, same: true, known: true},
		"a time that was not reported":    {was: ledger.Remote{Version: "v"}, now: ledger.Remote{Version: "v", Updated: at}, same: true, known: true},
		"a version that was not reported": {was: ledger.Remote{Updated: at}, now: ledger.Remote{Version: "v", Updated: later}, known: true},
		"an id that was not reported":     {was: ledger.Remote{Version: "v"}, now: ledger.Remote{Version: "v", ID: "2"}, known: true},
		"nothing in common":               {was: ledger.Remote{Version: "v"}, now: ledger.Remote{Updated: at}},
		"nothing at all":                  {},
		"only another id":                 {was: ledger.Remote{ID: "1"}, now: ledger.Remote{ID: "2"}, replaced: true},
		"only the same id":                {was: ledger.Remote{ID: "1"}, now: ledger.Remote{ID: "1"}},
	} {
		if same, known := c.was.Same(c.now); same != c.same || known != c.known {
			t.Errorf("%s: same %t, known %t", name, same, known)
		}
		if got := c.was.Replaced(c.now); got != c.replaced {
			t.Errorf("%s: replaced %t", name, got)
		}
	}
}
