package headcache

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

func TestCacheCountsItsContents(t *testing.T) {
	var c Cache
	env := store.NewID()
	head := &store.Head{Sealed: []byte{1}, Versions: []store.Version{{Number: 1}}}
	each := weight(Key{env, "A"}, head)
	c.Configure(3 * each)
	for range 3 {
		for _, name := range []string{"A", "B", "C", "D", "A"} {
			c.Put(Key{env, name}, head)
		}
	}
	if c.lru.Len() != 3 || c.bytes != 3*each {
		t.Errorf("%d heads count as %d bytes, want 3 and %d", c.lru.Len(), c.bytes, 3*each)
	}
	c.Configure(3*each - 1)
	if c.lru.Len() != 2 {
		t.Errorf("with a lower limit, %d heads are left", c.lru.Len())
	}
	c.Drop(Key{env, "none"})
	c.DropEnvironment(env, []string{"A", "B", "C", "D"})
	if c.bytes != 0 || c.lru.Len() != 0 {
		t.Errorf("after all heads were dropped, the cache holds %d heads of %d bytes", c.lru.Len(), c.bytes)
	}
	c.Configure(each)
	if c.Put(Key{env, "A"}, head); c.Get(Key{env, "A"}) == nil {
		t.Error("a head of the exact limit is not cached")
	}
	c.Configure(each - 1)
	if c.Put(Key{env, "A"}, head); c.Get(Key{env, "A"}) != nil {
		t.Error("a head above the limit is cached")
	}
}

// large returns a head whose size is in one of its parts. The parts share no memory.
func large(part string, i int) *store.Head {
	text := func(n int) string { return strings.Repeat(string(rune('a'+i%26)), n) }
	head := &store.Head{Sealed: make([]byte, 64), Versions: []store.Version{{Number: 1, RequestID: text(36)}}}
	switch part {
	case "value":
		head.Sealed = make([]byte, 4000)
	case "older values":
		for range 9 {
			head.Inline = append(head.Inline, make([]byte, 400))
			head.Versions = append(head.Versions, store.Version{RequestID: text(36)})
		}
	case "versions":
		head.Versions = make([]store.Version, 100)
	case "actors and comments":
		for range 9 {
			by := store.Actor{EntityID: text(36), DisplayName: text(200), AccessorHash: text(64)}
			head.Versions = append(head.Versions, store.Version{By: by, DeletedBy: by, Comment: text(500), DeletedID: text(36)})
		}
	case "tags":
		for range 16 {
			head.Tags = append(head.Tags, text(64))
		}
	case "custom metadata":
		head.Metadata = make(map[string]string)
		for n := range 64 {
			head.Metadata[fmt.Sprint(text(100), n)] = text(500)
		}
	case "targets":
		for range 200 {
			head.Versions[0].Targets = append(head.Versions[0].Targets, text(100))
		}
	case "destroyed versions":
		head.Doomed = make([]uint64, 1000)
	}
	return head
}

// The bytes that the cache counts are compared with what the heap grows by.
func TestCacheWeighsWhatItHolds(t *testing.T) {
	const heads = 500
	for _, part := range []string{
		"nothing", "value", "older values", "versions", "actors and comments", "tags", "custom metadata", "targets", "destroyed versions",
	} {
		t.Run(part, func(t *testing.T) {
			var c Cache
			c.Configure(1 << 30)
			env := store.NewID()
			before := heap()
			for i := range heads {
				c.Put(Key{env, fmt.Sprint("SECRET_", i)}, large(part, i))
			}
			grown := int(heap() - before)
			if c.bytes < grown*8/10 || c.bytes > grown*2 {
				t.Errorf("%d heads count as %d bytes, and the heap has grown by %d", heads, c.bytes, grown)
			}
			runtime.KeepAlive(&c)
		})
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// While the heads of a large environment are dropped, other readers get the lock. The drop is held
// up after its first part, by a reader that has the lock.
func TestOthersReadWhileALargeEnvironmentIsDropped(t *testing.T) {
	var c Cache
	c.Configure(1 << 30)
	env := store.NewID()
	head := &store.Head{Sealed: []byte{1}, Versions: []store.Version{{Number: 1}}}
	names := make([]string, 100_000)
	for i := range names {
		names[i] = fmt.Sprint("SECRET_", i)
		c.Put(Key{env, names[i]}, head)
	}
	done := make(chan struct{})
	c.mu.Lock()
	go func() {
		defer close(done)
		c.DropEnvironment(env, names)
	}()
	seen := 0 // states in which some heads are dropped and others are not
	for running := true; running; {
		c.mu.Unlock()
		runtime.Gosched()
		c.mu.Lock()
		if left := c.lru.Len(); left > 0 && left < len(names) {
			seen++
		}
		select {
		case <-done:
			running = false
		default:
		}
	}
	c.mu.Unlock()
	if seen == 0 {
		t.Error("the lock was held until all heads were dropped")
	}
}
