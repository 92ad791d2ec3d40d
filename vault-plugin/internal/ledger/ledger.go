// Package ledger owns the ledger of each sync. A ledger records which entries at the destination
// the sync owns, what the sync wrote there, and which announced changes have no known outcome. It
// is sealed in the sync's own encryption context. The package knows nothing of requests. Of
// destinations it knows only the form in which they list entries.
//
// A ledger is stored in chunks of at most 400 KiB. An entry stays in the chunk that it was first
// put into, together with its intent, so one Put of a chunk commits the changes of all its entries.
// Chunks need not agree with one another, because no entry depends on another.
package ledger

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/stashbase/vault-stashbase/shared/keyring"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

const (
	maxChunk = 400 << 10 // bytes before sealing
	// parallelism is the largest number of concurrent storage calls of one operation.
	parallelism = 8
)

// ErrDamaged reports that a chunk is damaged or was moved from another ledger or chunk number. It
// is then unknown which entries the sync owns.
var ErrDamaged = errors.New("the ledger cannot be read")

// Owner identifies the sync that a ledger belongs to. The names come from the tree, never from a
// stored record.
type Owner struct {
	Workspace                               store.ID
	Sync                                    store.ID // from the record stored under these names
	Project, Environment, Destination, Name string
}

func (o Owner) scope() (keyring.SyncScope, error) {
	id, err := keyring.ParseID(string(o.Sync))
	if err != nil {
		return keyring.SyncScope{}, fmt.Errorf("id of sync %s/%s/%s/%s: %w", o.Project, o.Environment, o.Destination, o.Name, err)
	}
	return keyring.SyncScope{
		Project: o.Project, Environment: o.Environment, Destination: o.Destination, Name: o.Name, ID: id,
	}, nil
}

// Keys is the part of the key service that ledgers need.
type Keys interface {
	// With calls use with the keyring of a workspace. It calls use again with a new keyring after
	// keyring.ErrWiped.
	With(ctx context.Context, ws store.ID, use func(*keyring.Workspace) error) error
}

// Service opens ledgers. A ledger that is already open is shared: Open returns the same *Ledger.
type Service struct {
	store *store.Store
	keys  Keys

	mu      sync.Mutex
	ledgers map[Owner]*Ledger // open ledgers; a copied record has the id of another sync, but not its names
}

// New returns a Service without open ledgers.
func New(s *store.Store, k Keys) *Service {
	return &Service{store: s, keys: k, ledgers: make(map[Owner]*Ledger)}
}

// Ledger is an open ledger. It is safe for concurrent use.
type Ledger struct {
	s     *Service
	owner Owner
	users int // guarded by the service's mu

	mu       sync.Mutex
	loaded   bool
	entries  map[string]Entry
	chunkOf  map[string]int
	weights  map[int]int
	versions map[int]uint32 // key version that each stored chunk is sealed under
	dirty    map[int]bool
}

// Open reads the ledger of the given sync. The caller must call closed when the ledger is no longer
// used.
func (s *Service) Open(ctx context.Context, of Owner) (_ *Ledger, closed func(), err error) {
	s.mu.Lock()
	l := s.ledgers[of]
	if l == nil {
		l = &Ledger{s: s, owner: of}
		s.ledgers[of] = l
	}
	l.users++
	s.mu.Unlock()
	closed = func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if l.users--; l.users == 0 && s.ledgers[of] == l {
			delete(s.ledgers, of)
		}
	}
	if err := l.load(ctx); err != nil {
		closed()
		return nil, nil, err
	}
	return l, closed, nil
}

func (l *Ledger) load(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.loaded {
		return nil
	}
	l.entries, l.chunkOf, l.weights = make(map[string]Entry), make(map[string]int), make(map[int]int)
	l.versions, l.dirty = make(map[int]uint32), make(map[int]bool)
	numbers, err := l.s.store.LedgerChunks(ctx, l.owner.Sync)
	if err != nil {
		return damaged("list a ledger", err)
	}
	sealed := make([][]byte, len(numbers))
	work, workCtx := errgroup.WithContext(ctx)
	work.SetLimit(parallelism)
	for i, n := range numbers {
		work.Go(func() error {
			record, err := l.s.store.LedgerChunk(workCtx, l.owner.Sync, n)
			switch {
			case err != nil:
				return damaged("read a ledger", err)
			case record == nil:
				return ErrDamaged // LedgerChunks has just listed it
			}
			sealed[i] = record.Sealed
			return nil
		})
	}
	if err := work.Wait(); err != nil {
		return err
	}
	if err := l.unseal(ctx, numbers, sealed); err != nil {
		return err
	}
	l.loaded = true
	return nil
}

func damaged(what string, err error) error {
	if errors.Is(err, store.ErrDamaged) {
		return ErrDamaged
	}
	return fmt.Errorf("%s: %w", what, err)
}

func (l *Ledger) unseal(ctx context.Context, numbers []int, sealed [][]byte) error {
	if len(numbers) == 0 {
		return nil
	}
	return l.sealing(ctx, func(seal *keyring.Context[keyring.SyncLocation]) error {
		clear(l.entries) // from an attempt whose keyring was wiped
		for i, n := range numbers {
			c, version, err := openChunk(seal, n, sealed[i])
			if err != nil {
				return err
			}
			l.weights[n], l.versions[n] = 0, version
			for name, e := range c.Entries {
				if _, twice := l.entries[name]; twice {
					return ErrDamaged
				}
				l.entries[name], l.chunkOf[name] = e, n
				l.weights[n] += weight(name, e.Source)
			}
		}
		return nil
	})
}

// openChunk returns the content of a sealed chunk, and the key version that it is sealed under. The
// errors are ErrDamaged, and keyring.ErrWiped if another attempt with new keys may succeed.
func openChunk(seal *keyring.Context[keyring.SyncLocation], number int, sealed []byte) (chunk, uint32, error) {
	ciphertext, err := keyring.ParseCiphertext[keyring.SyncLocation](sealed)
	if err != nil {
		return chunk{}, 0, ErrDamaged
	}
	text, err := seal.Open(location(number), ciphertext)
	if errors.Is(err, keyring.ErrWiped) {
		return chunk{}, 0, err
	}
	if err != nil {
		return chunk{}, 0, ErrDamaged
	}
	c, err := decode(text)
	if err != nil {
		return chunk{}, 0, ErrDamaged
	}
	return c, ciphertext.KeyVersion(), nil
}

func (l *Ledger) sealing(ctx context.Context, use func(*keyring.Context[keyring.SyncLocation]) error) error {
	return l.s.sealing(ctx, l.owner, use)
}

func location(chunk int) keyring.SyncLocation {
	return keyring.SyncLocation{Record: fmt.Sprintf("ledger/%d", chunk)}
}

// Entries returns a copy of the entries by their names at the destination.
func (l *Ledger) Entries() map[string]Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.entries)
}

// Put replaces an entry in memory. An entry that is neither owned nor has an intent is removed.
func (l *Ledger) Put(name string, e Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, has := l.chunkOf[name]
	if !e.Owned && e.Intent == nil {
		if has {
			l.weights[n] -= weight(name, l.entries[name].Source)
			delete(l.entries, name)
			delete(l.chunkOf, name)
			l.dirty[n] = true
		}
		return
	}
	if has {
		l.weights[n] -= weight(name, l.entries[name].Source)
	} else {
		n = l.roomFor(name)
		l.chunkOf[name] = n
	}
	l.entries[name] = e
	l.weights[n] += weight(name, e.Source)
	l.dirty[n] = true
}

// roomFor returns the first chunk with room for an entry whose source has the largest size. The
// caller holds mu.
func (l *Ledger) roomFor(name string) int {
	most := weight(name, string(make([]byte, maxSource)))
	for n := 0; ; n++ {
		if l.weights[n]+most <= maxChunk {
			return n
		}
	}
}

// Save stores the chunks that Put changed. After an error each chunk is stored in its old or its
// new form.
func (l *Ledger) Save(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.save(ctx)
}

func (l *Ledger) save(ctx context.Context) error {
	dirty := slices.Sorted(maps.Keys(l.dirty))
	if len(dirty) == 0 {
		return nil
	}
	parts := make(map[int]chunk, len(dirty))
	for _, n := range dirty {
		parts[n] = chunk{Entries: make(map[string]Entry)}
	}
	for name, n := range l.chunkOf {
		if part, saved := parts[n]; saved {
			part.Entries[name] = l.entries[name]
		}
	}
	for _, n := range dirty {
		if err := l.store(ctx, n, parts[n]); err != nil {
			return err
		}
		delete(l.dirty, n)
	}
	return nil
}

// store stores one chunk, or removes a chunk without entries.
func (l *Ledger) store(ctx context.Context, n int, part chunk) error {
	if len(part.Entries) == 0 {
		if err := l.s.store.DeleteLedgerChunk(ctx, l.owner.Sync, n); err != nil {
			return fmt.Errorf("store a ledger: %w", err)
		}
		delete(l.versions, n)
		delete(l.weights, n)
		return nil
	}
	text, err := encode(part)
	if err != nil {
		return fmt.Errorf("encode a ledger: %w", err)
	}
	var sealed keyring.Ciphertext[keyring.SyncLocation]
	err = l.sealing(ctx, func(seal *keyring.Context[keyring.SyncLocation]) error {
		sealed, err = seal.Seal(location(n), text)
		return err
	})
	if err != nil {
		return fmt.Errorf("seal a ledger: %w", err)
	}
	if err := l.s.store.PutLedgerChunk(ctx, l.owner.Sync, n, &store.LedgerChunk{Sealed: sealed.Bytes()}); err != nil {
		return fmt.Errorf("store a ledger: %w", err)
	}
	l.versions[n] = sealed.KeyVersion()
	return nil
}

// Remove removes every chunk of the ledger from storage.
func (l *Ledger) Remove(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for name := range l.entries {
		l.dirty[l.chunkOf[name]] = true
	}
	clear(l.entries)
	clear(l.chunkOf)
	return l.save(ctx)
}
