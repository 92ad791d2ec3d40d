// Package headcache caches the heads of secrets in memory. Their values are sealed, as in storage.
package headcache

import (
	"math"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// Cache holds heads of at most limit bytes together. It evicts the least recently used heads first.
// The zero value is ready for Configure.
type Cache struct {
	mu    sync.Mutex
	lru   *simplelru.LRU[Key, *store.Head]
	bytes int
	limit int
}

// Key identifies a secret.
type Key struct {
	Environment store.ID
	Name        string
}

// weight estimates the memory that a head uses, in bytes.
func weight(head *store.Head) int {
	bytes := len(head.Sealed) + 256
	for _, sealed := range head.Inline {
		bytes += len(sealed) + 24 // the slice header
	}
	for _, v := range head.Versions {
		bytes += 512 + len(v.Comment)
	}
	for _, tag := range head.Tags {
		bytes += 16 + len(tag)
	}
	return bytes
}

// Configure sets the size limit in bytes and evicts what exceeds it. It must be called before any
// other method.
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

// Get returns the cached head of a secret, or nil.
func (c *Cache) Get(key Key) *store.Head {
	c.mu.Lock()
	defer c.mu.Unlock()
	head, _ := c.lru.Get(key)
	return head
}

// Put caches a head and replaces the earlier head of the secret.
func (c *Cache) Put(key Key, head *store.Head) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lru.Remove(key)
	if weight(head) > c.limit {
		return // it would evict all other heads, and then itself
	}
	c.lru.Add(key, head)
	c.bytes += weight(head)
	c.shrink()
}

// Drop removes the head of a secret.
func (c *Cache) Drop(key Key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lru.Remove(key)
}

// DropEnvironment removes the heads of the named secrets of an environment.
func (c *Cache) DropEnvironment(env store.ID, names []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range names {
		c.lru.Remove(Key{env, name})
	}
}
