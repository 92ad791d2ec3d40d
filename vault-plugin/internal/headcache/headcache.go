// Package headcache keeps heads of secrets in memory as they are stored: sealed.
package headcache

import (
	"math"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// Cache holds heads. The least recently used go first when they take more than limit bytes.
type Cache struct {
	mu    sync.Mutex
	lru   *simplelru.LRU[Key, *store.Head]
	bytes int
	limit int
}

// Key names a secret.
type Key struct {
	Environment store.ID
	Name        string
}

// weight estimates what a head takes in memory.
func weight(head *store.Head) int {
	bytes := len(head.Sealed) + 256
	for _, sealed := range head.Inline {
		bytes += len(sealed) + 24 // the slice
	}
	for _, v := range head.Versions {
		bytes += 512 + len(v.Comment)
	}
	for _, tag := range head.Tags {
		bytes += 16 + len(tag)
	}
	return bytes
}

// Configure sets the size in bytes; what is over it goes at once. It must be called before anything else.
func (c *Cache) Configure(limit int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.limit = limit
	if c.lru == nil {
		c.lru, _ = simplelru.NewLRU(math.MaxInt, func(_ Key, gone *store.Head) { c.bytes -= weight(gone) })
	}
	c.shrink()
}

func (c *Cache) shrink() {
	for c.bytes > c.limit {
		c.lru.RemoveOldest()
	}
}

// Get answers a head, or nil.
func (c *Cache) Get(key Key) *store.Head {
	c.mu.Lock()
	defer c.mu.Unlock()
	head, _ := c.lru.Get(key)
	return head
}

// Put takes a head in, in the place of an earlier one.
func (c *Cache) Put(key Key, head *store.Head) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lru.Remove(key)
	if weight(head) > c.limit {
		return // it would throw out all others, and itself in the end
	}
	c.lru.Add(key, head)
	c.bytes += weight(head)
	c.shrink()
}

// Drop forgets a head.
func (c *Cache) Drop(key Key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lru.Remove(key)
}

// DropEnvironment forgets the heads of an environment.
func (c *Cache) DropEnvironment(env store.ID, names []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range names {
		c.lru.Remove(Key{env, name})
	}
}
