package crashtest

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
)

// concurrentLength is the duration of TestConcurrentOperations.
const concurrentLength = 3 * time.Second

// concurrent runs goroutines that use one mount at the same time. The mount is restarted only while
// none of them has a request in progress.
type concurrent struct {
	t     *testing.T
	mount *mount
	using sync.RWMutex // exclusive for a restart
	stop  atomic.Bool
	ids   atomic.Int64
	all   sync.WaitGroup
}

func (b *concurrent) do(req request) (data, int) {
	b.using.RLock()
	defer b.using.RUnlock()
	req.ID = fmt.Sprintf("concurrent-%d", b.ids.Add(1))
	got, err := b.mount.Do(req)
	var refused *enginetest.Refused
	if errors.As(err, &refused) {
		// 503 asks for a retry, for example after a deletion of the environment.
		if refused.Status == 500 {
			b.t.Errorf("%s %s: %v", req.Op, req.Path, err)
		}
		return got, refused.Status
	}
	return got, 0
}

func (b *concurrent) restart(settle bool) {
	b.using.Lock()
	defer b.using.Unlock()
	if settle {
		b.mount.Settle()
	}
	b.mount = b.mount.Restart()
}

func (b *concurrent) loop(work func(round int)) {
	b.all.Go(func() {
		for round := 1; !b.stop.Load() && !b.t.Failed(); round++ {
			work(round)
		}
	})
}

// TestConcurrentOperations runs writers, importers, loaders, rotations, rewraps, deletions and
// restarts on one mount at the same time. No acknowledged write is lost, versions have no gaps, and
// readers see all or none of an import.
func TestConcurrentOperations(t *testing.T) {
	m := world(t)
	m.Write("workspaces/acme", data{"max_versions": 100})
	b := &concurrent{t: t, mount: m}
	const env = "acme/api/dev"
	written := b.writers(env)
	b.importers(env)
	b.loop(func(int) { b.checkLoad(env) })
	b.loop(func(round int) { b.keys(round) })
	b.loop(func(int) { b.recreate("acme/web/short") })
	for round, end := 1, time.Now().Add(concurrentLength); time.Now().Before(end) && !t.Failed(); round++ {
		for range 30 {
			b.checkLoad(env)
		}
		b.restart(round%3 == 0)
	}
	b.stop.Store(true)
	b.all.Wait()
	b.mount.Settle()
	b.mount = b.mount.Restart()
	b.mount.Settle()
	for name, count := range written {
		history := b.mount.Read("metadata/" + env + "/" + name)
		if got := enginetest.Version(history); int64(got) != count.Load() {
			t.Errorf("%s is at version %d after %d acknowledged writes", name, got, count.Load())
		}
		if versions, _ := history["versions"].(data); len(versions) != min(100, int(count.Load())) {
			t.Errorf("%s keeps %d versions of %d", name, len(versions), count.Load())
		}
	}
	checkClean(t, b.mount.Storage)
	t.Logf("%d requests", b.ids.Load())
}

// writers starts two goroutines for each of three secrets, and returns the counts of acknowledged
// writes.
func (b *concurrent) writers(env string) map[string]*atomic.Int64 {
	written := map[string]*atomic.Int64{"ONE": {}, "TWO": {}, "THREE": {}}
	for name, count := range written {
		for range 2 {
			b.loop(func(round int) {
				path := "secrets/" + env + "/" + name
				if _, status := b.do(request{Op: write, Path: path, Data: data{"value": strconv.Itoa(round)}}); status == 0 {
					count.Add(1)
				}
				if round%7 == 0 {
					b.do(request{Op: destroy, Path: path})
				}
				b.do(request{Op: read, Path: path})
			})
		}
	}
	return written
}

// importers starts goroutines that write one value to all names of a set at the same time.
func (b *concurrent) importers(env string) {
	for set := range 2 {
		b.loop(func(round int) {
			values := make(data)
			for i := range 70 {
				values[fmt.Sprintf("SET%d_%d", set, i)] = strconv.Itoa(round)
			}
			b.do(request{Op: write, Path: "import/" + env, Data: data{"secrets": values}})
		})
	}
}

func (b *concurrent) checkLoad(env string) {
	all, status := b.do(request{Op: read, Path: "load/" + env})
	if status != 0 {
		b.t.Errorf("load failed with status %d", status)
	}
	for set := range 2 {
		first, exists := all[fmt.Sprintf("SET%d_0", set)]
		for i := range 70 {
			if got, has := all[fmt.Sprintf("SET%d_%d", set, i)]; has != exists || got != first {
				b.t.Errorf("load mixes imports: %v and %v", first, got)
				return
			}
		}
	}
}

func (b *concurrent) keys(round int) {
	if round > 150 {
		return // a key has at most 500 versions
	}
	switch round % 4 {
	case 0:
		b.do(request{Op: write, Path: "master-key/rotate"})
	case 1:
		b.do(request{Op: write, Path: "keys/acme/rewrap"})
	default:
		b.do(request{Op: write, Path: "keys/acme/rotate"})
	}
}

// recreate creates an environment, fills it and deletes it, while a goroutine reads it. The reader
// must get all of its secrets or an error.
func (b *concurrent) recreate(env string) {
	b.do(request{Op: write, Path: "environments/" + env})
	b.do(request{Op: write, Path: "import/" + env, Data: data{"secrets": data{"A": "a", "B": "b"}}})
	var reader sync.WaitGroup
	reader.Go(func() {
		if got, status := b.do(request{Op: read, Path: "load/" + env}); status == 0 && len(got) != 2 {
			b.t.Errorf("load of an environment during its deletion returned %v, want 2 secrets", got)
		}
	})
	b.do(request{Op: destroy, Path: "environments/" + env, Data: data{"confirm": "short"}})
	reader.Wait()
}
