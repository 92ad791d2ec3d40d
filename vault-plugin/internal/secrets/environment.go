package secrets

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/headcache"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/keylock"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/settings"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// maxSecretBytes is the most that a secret of unknown size can count: its value and its name.
var maxSecretBytes = settings.MaxValueBytes.Max + 255

// environment is what memory knows of an environment: which secrets it has, but not their content.
//
// The locks are taken in this order: commit, the lock of the name, mu. Storage is never called
// under mu.
type environment struct {
	commit sync.RWMutex           // shared by writers of single secrets, else exclusive
	locks  keylock.Map[string]    // by name: one writer of a secret at a time
	gone   atomic.Bool            // deleted; set under commit
	broken atomic.Pointer[string] // why the environment is closed until the next start

	pendingImport atomic.Pointer[pendingImport] // set under commit

	mu           sync.RWMutex
	secrets      map[string]*slot
	revision     uint64 // the last one of any slot, so that a recreated slot has a new one
	bytes        int    // total size of the measured secrets
	unmeasured   int
	reserved     struct{ secrets, bytes int } // by writes in progress
	transactions []*transaction               // committed, not applied; several only after a start
	tombstones   map[string]bool              // including names that exist again
	dying        map[string]*store.Head       // purged secrets that still have entries in storage
}

// slot is what memory knows of one secret.
type slot struct {
	revision    uint64     // new after every change, so that an older read is not cached
	size        int        // of the newest value and the name while it is live, or unknownSize
	maybeStored bool       // its first write failed, so it may or may not be in storage
	unapplied   *unapplied // set from the commit of a transaction until this secret has it
}

// unapplied is a change that is committed in a redo log but not yet in the entry of the secret.
type unapplied struct {
	head   *store.Head
	change store.Change
	txn    *transaction // the transaction of the change
}

const unknownSize = -1

func newEnvironment() *environment {
	return &environment{secrets: make(map[string]*slot), tombstones: make(map[string]bool), dying: make(map[string]*store.Head)}
}

// addStored adds the names that were listed in storage.
func (e *environment) addStored(names []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, name := range names {
		e.secrets[name] = &slot{size: unknownSize}
	}
	e.unmeasured = len(names)
}

func (e *environment) count() int {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return len(e.secrets)
}

func (e *environment) names() []string {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return slices.Sorted(maps.Keys(e.secrets))
}

func (e *environment) has(name string) bool {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.secrets[name] != nil
}

func (e *environment) fault() error {
	if why := e.broken.Load(); why != nil {
		return fault.Damaged("%s", *why)
	}
	return nil
}

// awaitBackground waits for background work on single secrets that started before gone was set.
// An entry that it stored after the sweep of the environment would stay forever.
func (e *environment) awaitBackground() {
	e.mu.RLock()
	names := slices.Collect(maps.Keys(e.dying))
	for name, s := range e.secrets {
		if s.unapplied != nil {
			names = append(names, name)
		}
	}
	e.mu.RUnlock()
	for _, name := range names {
		e.locks.Lock(name)()
	}
}

func (e *environment) hasTransactions() bool {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return len(e.transactions) > 0
}

// size returns what a head counts against the limit of the environment. A deleted or destroyed
// secret counts nothing. A secret that will be deleted at a later time counts until it is written
// again.
func size(name string, head *store.Head) int {
	if newest := head.Newest(); !newest.Destroyed && newest.Deleted.IsZero() {
		return len(name) + newest.Size
	}
	return 0
}

// measure records the size of a secret. The caller holds mu.
func (e *environment) measure(s *slot, bytes int) {
	if s.size == unknownSize {
		e.unmeasured--
	} else {
		e.bytes -= s.size
	}
	s.size = bytes
	e.bytes += bytes
}

// publish makes a stored head visible to readers. If the outcome of the write is unknown, next is
// nil, and the next reader reads storage.
func (e *environment) publish(cache *headcache.Cache, key headcache.Key, next *store.Head) {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.secrets[key.Name]
	if s == nil {
		s = &slot{size: unknownSize, maybeStored: next == nil}
		e.secrets[key.Name] = s
		e.unmeasured++
	}
	e.revision++
	s.revision = e.revision
	if next == nil {
		cache.Drop(key)
		return
	}
	s.maybeStored, s.unapplied = false, nil
	e.measure(s, size(key.Name, next))
	if before := cache.Get(key); before != nil && next.Floor < before.Floor && before.Floor <= next.Versions[0].Number {
		raised := *next // values were removed while this head was being stored
		raised.Floor = before.Floor
		next = &raised
	}
	cacheStored(cache, key, next)
}

// storedHead returns the cached head of a secret, or nil if a redo log holds a newer one.
func (e *environment) storedHead(cache *headcache.Cache, key headcache.Key) *store.Head {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if slot := e.secrets[key.Name]; slot == nil || slot.unapplied != nil {
		return nil
	}
	return cache.Get(key)
}

// raiseFloor records in a cached head that storage has no value with a number below floor. The next
// write stores the new floor.
func (e *environment) raiseFloor(cache *headcache.Cache, key headcache.Key, floor uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	head := cache.Get(key)
	if head == nil || head.Floor >= floor || head.Versions[0].Number < floor {
		return
	}
	next := *head
	next.Floor = floor
	cache.Put(key, &next)
}

// cacheStored caches a head that was stored. A head whose destroyed values may still be in storage
// is not cached. So the next reader reads it from storage and starts their removal.
func cacheStored(cache *headcache.Cache, key headcache.Key, head *store.Head) {
	if len(head.Doomed) > 0 {
		cache.Drop(key)
		return
	}
	cache.Put(key, head)
}

// growth is what a write adds to an environment.
type growth struct{ secrets, bytes int }

// admit reserves room for the growth of a write. The caller calls release when the outcome of the
// write is published or the write has failed. known is false if the limit may be exceeded and sizes
// are still unknown; the caller then measures the secrets and calls admit again.
func (e *environment) admit(path string, g growth, limits store.Settings) (release func(), known bool, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if g.secrets > 0 && len(e.secrets)+e.reserved.secrets+g.secrets > limits.MaxSecrets {
		return nil, true, fault.New(fault.Limit, "environment %s would have more than %d secrets, its max_secrets; delete secrets or raise max_secrets", path, limits.MaxSecrets)
	}
	if total := e.bytes + e.reserved.bytes + g.bytes; g.bytes > 0 {
		if total > limits.MaxEnvironmentBytes {
			return nil, true, fault.New(fault.Limit, "environment %s would hold more than %d bytes, its max_environment_bytes; delete secrets or raise max_environment_bytes", path, limits.MaxEnvironmentBytes)
		}
		if total+e.unmeasured*maxSecretBytes > limits.MaxEnvironmentBytes {
			return nil, false, nil
		}
	}
	e.reserved.secrets += g.secrets
	e.reserved.bytes += g.bytes
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.reserved.secrets -= g.secrets
		e.reserved.bytes -= g.bytes
	}, true, nil
}
