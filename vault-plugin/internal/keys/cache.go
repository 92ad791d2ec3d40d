package keys

import (
	"math"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/stashbase/vault-stashbase/shared/keyring"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// cache keeps unwrapped keyrings: the least recently used go first, and none is kept longer than ttl after it was loaded.
// What leaves the cache is wiped; an operation that still holds it answers keyring.ErrWiped. Storage is never called under mu.
type cache struct {
	mu   sync.Mutex
	lru  *simplelru.LRU[store.ID, cached]
	size int
	ttl  time.Duration
}

type cached struct {
	ring   *keyring.Workspace
	loaded time.Time
}

// expired follows the ttl of now, so that a shorter one also holds for what was loaded before.
func (c *cache) expired(hit cached, now time.Time) bool { return now.Sub(hit.loaded) >= c.ttl }

func (c *cache) configure(size int, ttl time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.size, c.ttl = size, ttl
	if c.lru == nil {
		// The bound is enforced in add: simplelru wants a fixed one, this one follows the configuration.
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

// add puts a keyring in the place of the one that stood there, which is wiped.
func (c *cache) add(id store.ID, ring *keyring.Workspace, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lru.Remove(id)
	c.lru.Add(id, cached{ring, now})
	c.shrink()
}

// expire drops what has outlived its time though nobody asked for it.
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

func (c *cache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lru.Purge()
}
