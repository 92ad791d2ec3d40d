// Package headcache caches the heads of secrets in memory. Their values are sealed, as in storage.
package headcache

import (
	"math"
	"reflect"
	"slices"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// Cache holds heads of at most limit bytes together. It evicts the least recently used heads first.
// The zero value is ready for Configure.
type Cache struct {
	mu    sync.Mutex
	lru   *simplelru.LRU[Key, cached]
	bytes int
	limit int
}

// Key identifies a secret.
type Key struct {
	Environment store.ID
	Name        string
}

// cached is a head and what it weighs.
type cached struct {
	head   *store.Head
	weight int
}

// Sizes of the parts of a head in memory, in bytes.
var (
	headBytes    = int(reflect.TypeFor[store.Head]().Size())
	versionBytes = int(reflect.TypeFor[store.Version]().Size())
)

const (
	// entryBytes is what the cache itself needs for a head: an element of a list and an element of
	// a map, which both hold the key.
	entryBytes = 320
	// textBytes is what a string or a slice needs besides its content: its header, and the rest of
	// the block that the content is allocated in.
	textBytes = 24
	// pairBytes is what an element of a map needs besides its content. Half of a map may be empty.
	pairBytes = 96
)

// weight returns the memory that a cached head uses, in bytes.
func weight(key Key, head *store.Head) int {
	bytes := entryBytes + headBytes + len(key.Environment) + len(key.Name) + cap(head.Sealed) + 8*cap(head.Doomed)
	for _, sealed := range head.Inline {
		bytes += textBytes + cap(sealed)
	}
	bytes += cap(head.Versions) * versionBytes
	for i := range head.Versions {
		bytes += textsOf(&head.Versions[i])
	}
	for _, tag := range head.Tags {
		bytes += textBytes + len(tag)
	}
	for key, value := range head.Metadata {
		bytes += pairBytes + len(key) + len(value)
	}
	return bytes
}

// textsOf returns the memory of the texts of a version, in bytes.
func textsOf(v *store.Version) int {
	bytes := len(v.RequestID) + len(v.Comment) + len(v.DeletedID)
	for _, actor := range []*store.Actor{&v.By, &v.DeletedBy} {
		bytes += len(actor.EntityID) + len(actor.DisplayName) + len(actor.AccessorHash)
	}
	for _, target := range v.Targets {
		bytes += textBytes + len(target)
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
		c.lru, _ = simplelru.NewLRU(math.MaxInt, func(_ Key, gone cached) { c.bytes -= gone.weight })
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
	found, _ := c.lru.Get(key)
	return found.head
}

// Put caches a head and replaces the earlier head of the secret.
func (c *Cache) Put(key Key, head *store.Head) {
	heavy := weight(key, head)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lru.Remove(key)
	if heavy > c.limit {
		return // it would evict all other heads, and then itself
	}
	c.lru.Add(key, cached{head, heavy})
	c.bytes += heavy
	c.shrink()
}

// Drop removes the head of a secret.
func (c *Cache) Drop(key Key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lru.Remove(key)
}

// dropAtOnce bounds the heads that are dropped while the requests of all tenants wait for the lock.
const dropAtOnce = 100

// DropEnvironment removes the heads of the named secrets of an environment.
func (c *Cache) DropEnvironment(env store.ID, names []string) {
	for some := range slices.Chunk(names, dropAtOnce) {
		c.mu.Lock()
		for _, name := range some {
			c.lru.Remove(Key{env, name})
		}
		c.mu.Unlock()
	}
}
