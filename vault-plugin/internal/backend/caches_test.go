package backend_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestTheSecretCacheStaysWithinItsSize(t *testing.T) {
	m := populated(t)
	const n, size = 10, 10_000
	name := func(i int) string { return fmt.Sprint("secrets/", dev, "/S", i%n) }
	for i := range n {
		m.Write(name(i), data{"value": strings.Repeat("v", size)})
	}
	misses := func() int {
		m.Storage.Reset()
		for i := range n {
			m.Read(name(i))
		}
		return m.Storage.Counts().Gets
	}
	if got := misses(); got != 0 {
		t.Errorf("with a large cache, %d reads called storage", got)
	}
	m.Write("config", data{"secret_cache_bytes": 0})
	for range 2 {
		if got := misses(); got != n {
			t.Errorf("with secret_cache_bytes=0, %d of %d reads called storage", got, n)
		}
	}
	m.Write("config", data{"secret_cache_bytes": 5 * (size + 1000)})
	misses()
	for i := n - 5; i < n; i++ { // the five most recently read
		costs(t, m, name(i), read(name(i), nil), calls{})
	}
	costs(t, m, "a sixth", read(name(0), nil), calls{Gets: 1})
	m.Write("config", data{"secret_cache_bytes": size + 1000})
	costs(t, m, "what is the newest in a cache that has shrunk", read(name(0), nil), calls{})
	costs(t, m, "what had to go at once", read(name(n-1), nil), calls{Gets: 1})

	// A secret too large for the cache must not evict all others.
	m.Write("config", data{"max_value_bytes": 10 * size})
	m.Read(name(1))
	m.Write("secrets/"+dev+"/LARGE", data{"value": strings.Repeat("v", 5*size)})
	costs(t, m, "what is too large for the cache", read("secrets/"+dev+"/LARGE", nil), calls{Gets: 1})
	costs(t, m, "what was there before it", read(name(1), nil), calls{})
}

func TestKeyringsAreEvictedByNumberAndByAge(t *testing.T) {
	m := populated(t)
	m.Populate("other", "api", "development")
	mine, theirs := secret, "secrets/other/api/development/A"
	m.Write(mine, data{"value": "v"})
	m.Write(theirs, data{"value": "v"})
	hot, loaded := calls{}, calls{Gets: 1} // one Get of the key entry; the secrets are in memory

	costs(t, m, "at first", read(mine, nil), hot)
	m.Clock.Advance(5*time.Minute - time.Second)
	costs(t, m, "just before the end of its time", read(mine, nil), hot)
	m.Clock.Advance(time.Second)
	costs(t, m, "at the end of its time", read(mine, nil), loaded)
	costs(t, m, "after it was loaded again", read(mine, nil), hot)

	m.Write("config", data{"keyring_cache_ttl": "24h"})
	costs(t, m, "with a longer time", read(mine, nil), hot)
	m.Clock.Advance(time.Hour)
	costs(t, m, "within it", read(mine, nil), hot)
	m.Write("config", data{"keyring_cache_ttl": "1m"})
	costs(t, m, "with a time that has been shortened to less than its age", read(mine, nil), loaded)
	m.Clock.Advance(time.Minute)
	m.Tick()
	m.Clock.Advance(-time.Minute) // what the periodic call evicted is not cached again
	costs(t, m, "after the minute's call has found it expired", read(mine, nil), loaded)

	costs(t, m, "another workspace's", read(theirs, nil), loaded)
	costs(t, m, "both at once", read(mine, nil), hot)
	m.Write("config", data{"keyring_cache_size": 1})
	costs(t, m, "the last used, in a cache that has shrunk", read(mine, nil), hot)
	costs(t, m, "the other one", read(theirs, nil), loaded)
	costs(t, m, "which took its place", read(mine, nil), loaded)
}

func TestAKeyringThatIsEvictedInUseBreaksNoRead(t *testing.T) {
	m := populated(t)
	m.Populate("other", "api", "development")
	m.Populate("third", "api", "development")
	m.Write("config", data{"keyring_cache_size": 1})
	paths := []string{dev, "other/api/development", "third/api/development"}
	for _, at := range paths {
		m.Write("import/"+at, data{"secrets": data{"A": "1", "B": "2", "C": "3"}})
	}
	m.Settle()
	var wg sync.WaitGroup
	for client := range 12 {
		wg.Go(func() {
			at := paths[client%len(paths)]
			for n := range 150 {
				req := read("secrets/"+at+"/A", nil)
				switch n % 3 {
				case 1:
					req = read("load/"+at, nil)
				case 2:
					req = write("secrets/"+at+"/B", data{"value": "x"})
				}
				if _, err := m.Do(req); err != nil {
					t.Errorf("%s %s: %v", req.Op, req.Path, err)
					return
				}
			}
		})
	}
	wg.Wait()
}
