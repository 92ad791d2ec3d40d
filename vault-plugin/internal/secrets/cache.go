package secrets

import (
	"math"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// cache keeps heads as they are stored: sealed. The least recently used go first when they take more than limit bytes.
type cache struct {
	mu    sync.Mutex
	lru   *simplelru.LRU[cacheKey, *store.Head]
	bytes int
	limit int
}

type cacheKey struct {
	env  store.ID
	name string
}

// weight estimates what a head takes in memory.
func weight(head *store.Head) int {
	bytes := len(head.Sealed) + 256
	for _, v := range head.Versions {
		bytes += 512 + len(v.Comment)
	}
	for _, tag := range head.Tags {
		bytes += 16 + len(tag)
	}
	return bytes
}

func (c *cache) configure(limit int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.limit = limit
	if c.lru == nil {
		c.lru, _ = simplelru.NewLRU(math.MaxInt, func(_ cacheKey, gone *store.Head) { c.bytes -= weight(gone) })
	}
	c.shrink()
}

func (c *cache) shrink() {
	for c.bytes > c.limit {
		c.lru.RemoveOldest()
	}
}

func (c *cache) get(key cacheKey) *store.Head {
	c.mu.Lock()
	defer c.mu.Unlock()
	head, _ := c.lru.Get(key)
	return head
}

func (c *cache) put(key cacheKey, head *store.Head) {
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

func (c *cache) drop(key cacheKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lru.Remove(key)
}

func (c *cache) dropEnvironment(env store.ID, names []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range names {
		c.lru.Remove(cacheKey{env, name})
	}
}
