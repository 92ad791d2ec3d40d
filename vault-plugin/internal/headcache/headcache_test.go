package headcache

import (
	"testing"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

func TestCacheCountsItsContents(t *testing.T) {
	var c Cache
	c.Configure(3000)
	env := store.NewID()
	head := &store.Head{Sealed: []byte{1}, Versions: []store.Version{{Number: 1}}}
	for range 3 {
		for _, name := range []string{"A", "B", "C", "D", "A"} {
			c.Put(Key{env, name}, head)
		}
	}
	if want := c.lru.Len() * weight(head); c.bytes != want || c.bytes > c.limit || c.lru.Len() == 0 {
		t.Errorf("%d heads count as %d bytes, want %d", c.lru.Len(), c.bytes, want)
	}
	c.Drop(Key{env, "none"})
	c.DropEnvironment(env, []string{"A", "B", "C", "D"})
	if c.bytes != 0 || c.lru.Len() != 0 {
		t.Errorf("after all heads were dropped, the cache holds %d heads of %d bytes", c.lru.Len(), c.bytes)
	}
}
