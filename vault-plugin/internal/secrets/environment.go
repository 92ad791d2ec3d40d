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

// maxSecretBytes is what a secret whose size is not known yet counts at the most: its value and its name.
var maxSecretBytes = settings.MaxValueBytes.Max + 255

// environment is what is known of an environment without reading storage: which secrets it has, not what they are.
//
// Locks, in the order they are taken: commit, then the name's lock, then mu. Storage is never called under mu.
type environment struct {
	commit sync.RWMutex           // shared by writers of single secrets, exclusive for what touches all of them
	locks  keylock.Map[string]    // by name: one writer of a secret at a time
	gone   atomic.Bool            // deleted; set under commit
	broken atomic.Pointer[string] // why nothing can be done here until the next start

	undecided atomic.Pointer[undecided] // set under commit

	mu           sync.RWMutex
	secrets      map[string]*slot
	revision     uint64 // the last one given to a slot; no two slots of a name that goes and comes back share one
	bytes        int    // of all measured secrets
	unmeasured   int
	reserved     struct{ secrets, bytes int } // by writes under way
	transactions []*transaction               // committed, not yet applied; one at most but while a start replays
	tombs        map[string]bool              // names that have a tombstone, those that came back included
	dying        map[string]*store.Head       // removed secrets of which something is left in storage
}

// slot is what is known of one secret.
type slot struct {
	revision uint64   // another after every change, so that what was read before one is not cached after it
	size     int      // of the newest value and the name while it is live; unknown is -1
	doubtful bool     // its first write failed: it may be in storage or not
	pending  *pending // set between the commit of a transaction and its application to this secret
}

// pending is a change that is committed in a redo log but not yet in the secret's own entry.
type pending struct {
	head   *store.Head
	change store.Change
	txn    *transaction // that brings it
}

const unknownSize = -1

func newEnvironment() *environment {
	return &environment{secrets: make(map[string]*slot), tombs: make(map[string]bool), dying: make(map[string]*store.Head)}
}

// learn takes in the names that a listing of storage has shown.
func (e *environment) learn(names []string) {
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

func (e *environment) hasTransactions() bool {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return len(e.transactions) > 0
}

// size is what a head counts against the environment's limit: a deleted or destroyed secret counts nothing, one that is to be
// deleted later counts until it is written again.
func size(name string, head *store.Head) int {
	if newest := head.Newest(); !newest.Destroyed && newest.Deleted.IsZero() {
		return len(name) + newest.Size
	}
	return 0
}

// measure notes a secret's size. The caller holds mu.
func (e *environment) measure(s *slot, bytes int) {
	if s.size == unknownSize {
		e.unmeasured--
	} else {
		e.bytes -= s.size
	}
	s.size = bytes
	e.bytes += bytes
}

// settle makes a head that has been stored what readers see. next is nil where the write's outcome is unknown: the next reader
// then looks in storage.
func (e *environment) settle(cache *headcache.Cache, key headcache.Key, next *store.Head) {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.secrets[key.Name]
	if s == nil {
		s = &slot{size: unknownSize, doubtful: next == nil}
		e.secrets[key.Name] = s
		e.unmeasured++
	}
	e.revision++
	s.revision = e.revision
	if next == nil {
		cache.Drop(key)
		return
	}
	s.doubtful, s.pending = false, nil
	e.measure(s, size(key.Name, next))
	if before := cache.Get(key); before != nil && next.Floor < before.Floor && before.Floor <= next.Versions[0].Number {
		raised := *next // values were removed while this head was on its way
		raised.Floor = before.Floor
		next = &raised
	}
	remember(cache, key, next)
}

// stored answers the head that is cached of a secret, unless a redo log holds a newer one.
func (e *environment) stored(cache *headcache.Cache, key headcache.Key) *store.Head {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if slot := e.secrets[key.Name]; slot == nil || slot.pending != nil {
		return nil
	}
	return cache.Get(key)
}

// raiseFloor notes in a cached head that no value stands in storage under a number below floor. The next write stores it.
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

// remember caches a head that has been stored. One whose destroyed values may still be in storage is not cached: the next reader
// is to meet it there, and to have them removed.
func remember(cache *headcache.Cache, key headcache.Key, head *store.Head) {
	if len(head.Doomed) > 0 {
		cache.Drop(key)
		return
	}
	cache.Put(key, head)
}

// growth is what a write adds to an environment.
type growth struct{ secrets, bytes int }

// admit reserves room for what a write adds; release gives the reservation back when the write is settled or has failed.
// Sizes must be known where the limit could be reached without them: known is then false, and the caller measures first.
func (e *environment) admit(path string, g growth, limits store.Settings) (release func(), known bool, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if g.secrets > 0 && len(e.secrets)+e.reserved.secrets+g.secrets > limits.MaxSecrets {
		return nil, true, fault.New(fault.Limit, "environment %s would have more than %d secrets, which is its max_secrets", path, limits.MaxSecrets)
	}
	if total := e.bytes + e.reserved.bytes + g.bytes; g.bytes > 0 {
		if total > limits.MaxEnvironmentBytes {
			return nil, true, fault.New(fault.Limit, "environment %s would hold more than %d bytes, which is its max_environment_bytes", path, limits.MaxEnvironmentBytes)
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
