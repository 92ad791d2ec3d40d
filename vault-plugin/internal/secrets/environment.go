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
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/workspaces"
)

// maxSecretBytes is the most that a secret of unknown size can count against
// max_environment_bytes: its value and its name, and all that describes them.
var maxSecretBytes = settings.MaxValueBytes.Max + 255 + settings.MaxVersions.Max*MaxComment + MaxTags*MaxTag +
	workspaces.MaxMetadata*(workspaces.MaxMetadataKey+workspaces.MaxMetadataValue)

// Quotas of what an environment keeps besides the secrets that it delivers. They follow from its
// limits, so that they need no settings of their own.
const (
	// OlderFactor times max_environment_bytes is the size of the values of all versions that are
	// not delivered: older ones, and newest ones that were deleted.
	OlderFactor = 16
	// NamesFactor times max_secrets is the number of names that an environment has or has had. A
	// removed secret leaves a tombstone with its last version number.
	NamesFactor = 10
)

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
	weight       weight // of the measured secrets
	unmeasured   int
	reserved     growth                 // by writes in progress
	transactions []*transaction         // committed, not applied; several only after a start
	tombstones   map[string]bool        // including names that exist again
	dying        map[string]*store.Head // purged secrets that still have entries in storage
}

// slot is what memory knows of one secret.
type slot struct {
	revision    uint64     // new after every change, so that an older read is not cached
	weight      weight     // zero while it is not measured
	unmeasured  bool       // its head was not read since the start
	maybeStored bool       // its first write failed, so it may or may not be in storage
	unapplied   *unapplied // set from the commit of a transaction until this secret has it
}

// unapplied is a change that is committed in a redo log but not yet in the entry of the secret.
type unapplied struct {
	head   *store.Head
	change store.Change
	txn    *transaction // the transaction of the change
}

func newEnvironment() *environment {
	return &environment{secrets: make(map[string]*slot), tombstones: make(map[string]bool), dying: make(map[string]*store.Head)}
}

// addStored adds the names that were listed in storage.
func (e *environment) addStored(names []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, name := range names {
		e.secrets[name] = &slot{unmeasured: true}
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

// weight is what secrets count against the limits of their environment.
type weight struct {
	bytes int // of names, delivered values, tags, custom metadata and comments
	older int // of the values of versions that are kept but not delivered
}

func (w weight) plus(o weight) weight  { return weight{w.bytes + o.bytes, w.older + o.older} }
func (w weight) minus(o weight) weight { return weight{w.bytes - o.bytes, w.older - o.older} }

// weigh returns the weight of a secret.
func weigh(name string, head *store.Head) weight {
	last := len(head.Versions) - 1
	return weighVersions(name, head.Versions[:last], head.Versions[last], head.Tags).plus(weighCustom(head.Metadata))
}

// weighVersions returns the weight of a secret without its custom metadata. The name and the value
// of a secret count among the delivered ones until a request has deleted or destroyed the newest
// version. A version that expires counts until the secret is written again.
func weighVersions(name string, older []store.Version, newest store.Version, tags []string) weight {
	w := weight{bytes: len(newest.Comment)}
	switch {
	case newest.Destroyed:
	case newest.DeletedID == "":
		w.bytes += len(name) + newest.Size
	default:
		w.older += newest.Size
	}
	for i := range older {
		w.bytes += len(older[i].Comment)
		if !older[i].Destroyed {
			w.older += older[i].Size
		}
	}
	for _, tag := range tags {
		w.bytes += len(tag)
	}
	return w
}

func weighCustom(metadata map[string]string) (w weight) {
	for key, value := range metadata {
		w.bytes += len(key) + len(value)
	}
	return w
}

// measure records the weight of a secret. The caller holds mu.
func (e *environment) measure(s *slot, w weight) {
	if s.unmeasured {
		e.unmeasured--
	}
	e.weight = e.weight.minus(s.weight).plus(w)
	s.weight, s.unmeasured = w, false
}

// publish makes a stored head visible to readers. If the outcome of the write is unknown, next is
// nil, and the next reader reads storage.
func (e *environment) publish(cache *headcache.Cache, key headcache.Key, next *store.Head) {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.secrets[key.Name]
	if s == nil {
		s = &slot{unmeasured: true, maybeStored: next == nil}
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
	e.measure(s, weigh(key.Name, next))
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
type growth struct {
	weight
	secrets int
	names   int // of the new secrets, those whose name was never used before
}

func (g growth) plus(o growth) growth {
	return growth{g.weight.plus(o.weight), g.secrets + o.secrets, g.names + o.names}
}

// growthOf returns what a new version adds. It weighs the version before its value is sealed.
func growthOf(name string, prev previous, c store.Change) growth {
	head := prev.head
	if head == nil {
		g := growth{weight: weighVersions(name, nil, c.Version, c.Tags), secrets: 1}
		if prev.last == 0 {
			g.names = 1
		}
		return g
	}
	kept := head.Versions[max(0, len(head.Versions)+1-c.Keep):]
	next := weighVersions(name, kept, c.Version, c.Tags).plus(weighCustom(head.Metadata))
	return growth{weight: next.minus(weigh(name, head))}
}

// admit reserves room for the growth of a write. The caller calls release when the outcome of the
// write is published or the write has failed. known is false if the limit may be exceeded and sizes
// are still unknown; the caller then measures the secrets and calls admit again. Older versions of
// secrets that were not read since a start do not count until they are.
func (e *environment) admit(path string, g growth, limits store.Settings) (release func(), known bool, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if g.secrets > 0 && len(e.secrets)+e.reserved.secrets+g.secrets > limits.MaxSecrets {
		return nil, true, fault.New(fault.Limit, "environment %s would have more than %d secrets, its max_secrets; delete secrets or raise max_secrets", path, limits.MaxSecrets)
	}
	if most := NamesFactor * limits.MaxSecrets; g.names > 0 && e.exceedsNames(e.reserved.names+g.names, most) {
		return nil, true, fault.New(fault.Limit, "environment %s would have had more than %d names, %d times its max_secrets, and it keeps the version numbers of removed secrets; use a name again that was removed, or raise max_secrets",
			path, most, NamesFactor)
	}
	if most := OlderFactor * limits.MaxEnvironmentBytes; g.older > 0 && e.weight.older+e.reserved.older+g.older > most {
		return nil, true, fault.New(fault.Limit, "environment %s would keep more than %d bytes of older and deleted versions, %d times its max_environment_bytes; destroy versions that are no longer needed, or raise max_environment_bytes",
			path, most, OlderFactor)
	}
	if total := e.weight.bytes + e.reserved.bytes + g.bytes; g.bytes > 0 {
		if total > limits.MaxEnvironmentBytes {
			return nil, true, fault.New(fault.Limit, "environment %s would hold more than %d bytes of names, values, tags, comments and custom metadata, its max_environment_bytes; delete secrets or raise max_environment_bytes", path, limits.MaxEnvironmentBytes)
		}
		if total+e.unmeasured*maxSecretBytes > limits.MaxEnvironmentBytes {
			return nil, false, nil
		}
	}
	e.reserved = e.reserved.plus(g)
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.reserved.weight = e.reserved.minus(g.weight)
		e.reserved.secrets -= g.secrets
		e.reserved.names -= g.names
	}, true, nil
}

// exceedsNames reports whether the environment would have had more than most names with n new ones.
// The caller holds mu.
func (e *environment) exceedsNames(n, most int) bool {
	if len(e.secrets)+len(e.tombstones)+n <= most {
		return false // even if no removed name exists again
	}
	for name := range e.tombstones {
		if e.secrets[name] == nil {
			n++
		}
	}
	return len(e.secrets)+n > most
}
