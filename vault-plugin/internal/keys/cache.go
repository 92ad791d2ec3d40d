package keys

import (
	"math"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/stashbase/vault-stashbase/shared/keyring"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// cache holds unwrapped keyrings. It evicts the least recently used keyring first, and holds no
// keyring longer than ttl after its load. An evicted keyring is wiped; an operation that still uses
// it gets keyring.ErrWiped. No storage call happens under mu.
type cache struct {
	mu   sync.Mutex
	lru  *simplelru.LRU[store.ID, cached]
	size int
	ttl  time.Duration

	closed bool // every keyring that is added is wiped
}

type cached struct {
	ring   *keyring.Workspace
	loaded time.Time
}

// expired reports whether the keyring is older than the current ttl. A shorter ttl thus also
// applies to keyrings that were loaded before it was set.
func (c *cache) expired(hit cached, now time.Time) bool { return now.Sub(hit.loaded) >= c.ttl }

func (c *cache) configure(size int, ttl time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.size, c.ttl = size, ttl
	if c.lru == nil {
		// The size is enforced in shrink: the LRU takes a fixed size, but the configured size can
		// change.
		c.lru, _ = simplelru.NewLRU(math.MaxInt, func(_ store.ID, gone cached) { gone.ring.Wipe() })
	}
	c.shrink()
}

func (c *cache) shrink() {
	for c.lru.Len() > c.size {
		c.lru.RemoveOldest()
	}
}

func (c *cache) get(id store.ID, now time.Time) *keyring.Workspace {
	c.mu.Lock()
	defer c.mu.Unlock()
	hit, ok := c.lru.Get(id)
	if !ok {
		return nil
	}
	if c.expired(hit, now) {
		c.lru.Remove(id)
		return nil
	}
	return hit.ring
}

// add caches a keyring and wipes the workspace's previous one. A closed cache wipes the keyring.
func (c *cache) add(id store.ID, ring *keyring.Workspace, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		ring.Wipe()
		return
	}
	c.lru.Remove(id)
	c.lru.Add(id, cached{ring, now})
	c.shrink()
}

// expire evicts expired keyrings, which get would otherwise evict only at the next use.
func (c *cache) expire(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range c.lru.Keys() {
		if hit, ok := c.lru.Peek(id); ok && c.expired(hit, now) {
			c.lru.Remove(id)
		}
	}
}

func (c *cache) evict(id store.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lru.Remove(id)
}

// close evicts all keyrings. A keyring whose load is under way is wiped when it is added.
func (c *cache) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	c.lru.Purge()
}
