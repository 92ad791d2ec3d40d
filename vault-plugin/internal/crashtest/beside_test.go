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

// besideLength is how long the test of everything beside everything goes on.
const besideLength = 3 * time.Second

// beside is goroutines that use one mount at once. The mount is restarted while none of them has a request under way.
type beside struct {
	t     *testing.T
	mount *mount
	using sync.RWMutex // exclusive for a restart
	stop  atomic.Bool
	ids   atomic.Int64
	all   sync.WaitGroup
}

func (b *beside) do(req request) (data, int) {
	b.using.RLock()
	defer b.using.RUnlock()
	req.ID = fmt.Sprintf("beside-%d", b.ids.Add(1))
	got, err := b.mount.Do(req)
	var refused *enginetest.Refused
	if errors.As(err, &refused) {
		if refused.Status == 500 { // 503 asks to try again, as where an environment was deleted meanwhile
			b.t.Errorf("%s %s: %v", req.Op, req.Path, err)
		}
		return got, refused.Status
	}
	return got, 0
}

func (b *beside) restart(settle bool) {
	b.using.Lock()
	defer b.using.Unlock()
	if settle {
		b.mount.Settle()
	}
	b.mount = b.mount.Restart()
}

func (b *beside) loop(work func(round int)) {
	b.all.Go(func() {
		for round := 1; !b.stop.Load() && !b.t.Failed(); round++ {
			work(round)
		}
	})
}

// TestEverythingBesideEverything has writers, importers, loaders, rotations, rewraps, deletions and restarts at one mount at once:
// no acknowledged write is lost, versions have no gaps, and what an import wrote is seen whole or not at all.
func TestEverythingBesideEverything(t *testing.T) {
	m := world(t)
	m.Write("workspaces/acme", data{"max_versions": 100})
	b := &beside{t: t, mount: m}
	const env = "acme/api/dev"
	written := b.writers(env)
	b.importers(env)
	b.loop(func(int) { b.checkLoad(env) })
	b.loop(func(round int) { b.keys(round) })
	b.loop(func(int) { b.remade("acme/web/short") })
	for round, end := 1, time.Now().Add(besideLength); time.Now().Before(end) && !t.Failed(); round++ {
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

// writers has two goroutines write each of three secrets, and counts what was acknowledged.
func (b *beside) writers(env string) map[string]*atomic.Int64 {
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

// importers write the same value to all names of a set at once.
func (b *beside) importers(env string) {
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

func (b *beside) checkLoad(env string) {
	all, status := b.do(request{Op: read, Path: "load/" + env})
	if status != 0 {
		b.t.Errorf("load: status %d", status)
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

func (b *beside) keys(round int) {
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

// remade makes an environment, fills it and deletes it, with a reader beside it: whoever reads finds all of it or an error.
func (b *beside) remade(env string) {
	b.do(request{Op: write, Path: "environments/" + env})
	b.do(request{Op: write, Path: "import/" + env, Data: data{"secrets": data{"A": "a", "B": "b"}}})
	var reader sync.WaitGroup
	reader.Go(func() {
		if got, status := b.do(request{Op: read, Path: "load/" + env}); status == 0 && len(got) != 2 {
			b.t.Errorf("an environment that is being deleted reads %v", got)
		}
	})
	b.do(request{Op: destroy, Path: "environments/" + env, Data: data{"confirm": "short"}})
	reader.Wait()
}
