package acceptance_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stashbase/vault-stashbase/shared/vaulttest"
)

const (
	rounds     = 10
	writers    = 3
	mostWrites = 80  // of one secret; below max_versions, so that every version can be read
	bulk       = 30  // secrets in an import
	padding    = 16  // KiB in each secret, so that the redo log of an import needs several entries
	keepAll    = 100 // max_versions
)

// traffic sends requests while processes are killed. It records what was tried and what was
// acknowledged.
type traffic struct {
	caller
	workspace, env, bulkEnv string
	acknowledged            atomic.Int64

	mu       sync.Mutex
	journals []*journal
	imports  struct{ tried, acknowledged int }
	created  []string // environments
	deleted  []string // environments
	hidden   []string // soft-deleted secrets
}

// journal records the writes of one secret by its only writer.
type journal struct {
	name         string
	tried        []string
	acknowledged map[int]string // by version
}

func newTraffic(c caller) *traffic {
	f := &traffic{caller: c, workspace: workspace(c.t, c)}
	c.write("workspaces/"+f.workspace, data{"max_versions": keepAll})
	f.env = c.environment(f.workspace, "api", "development")
	f.bulkEnv = c.environment(f.workspace, "api", "bulk")
	c.write("keys/"+f.workspace+"/rotate", nil)
	return f
}

// attempt makes a request and reports whether it was acknowledged. A killed process may show only
// as an error of the server. Any other status is wrong, with one exception. When Vault finds that
// the plugin is gone, it sends the request again. If the dead process had stored a deletion, the
// second request finds nothing to delete.
func (f *traffic) attempt(method, path string, body data) (response, bool) {
	a, err := f.try(method, path, body)
	switch {
	case err != nil:
		return a, false
	case a.status == http.StatusOK, method == "DELETE" && a.status == http.StatusNoContent:
		f.acknowledged.Add(1)
		return a, true
	case a.status < 500:
		f.t.Errorf("a request during a kill: %s", a)
	}
	return a, false
}

func (f *traffic) write(ctx context.Context, round, writer int) {
	j := &journal{name: fmt.Sprintf("W%d_%d", writer, round), acknowledged: map[int]string{}}
	f.mu.Lock()
	f.journals = append(f.journals, j)
	f.mu.Unlock()
	for n := 0; ctx.Err() == nil && n < mostWrites; n++ {
		v := fmt.Sprint(j.name, "-", n)
		j.tried = append(j.tried, v)
		if a, ok := f.attempt("POST", "secrets/"+f.env+"/"+j.name, data{"value": v}); ok {
			number, _ := a.data["version"].(float64)
			j.acknowledged[int(number)] = v
		}
	}
}

func (f *traffic) imported(ctx context.Context) {
	pad := strings.Repeat("x", padding<<10)
	for ctx.Err() == nil && f.imports.tried < keepAll-1 {
		f.imports.tried++
		secrets := data{}
		for i := range bulk {
			secrets[fmt.Sprint("B", i)] = fmt.Sprint(f.imports.tried, ":", pad)
		}
		if _, ok := f.attempt("POST", "import/"+f.bulkEnv, data{"secrets": secrets}); ok {
			f.imports.acknowledged = f.imports.tried
		}
	}
}

// whole returns the number of the import that an environment contains. It returns an error if the
// environment contains parts of several imports.
func whole(loaded data) (int, error) {
	seen := map[string]bool{}
	number := 0
	for _, v := range loaded {
		which, _, _ := strings.Cut(fmt.Sprint(v), ":")
		seen[which] = true
		if _, err := fmt.Sscan(which, &number); err != nil {
			return 0, err
		}
	}
	if len(seen) > 1 || len(loaded) != bulk && len(loaded) != 0 {
		return 0, fmt.Errorf("%d secrets of %d imports", len(loaded), len(seen))
	}
	return number, nil
}

func (f *traffic) loads(ctx context.Context) {
	for ctx.Err() == nil {
		if a, ok := f.attempt("GET", "load/"+f.bulkEnv, nil); ok {
			if _, err := whole(a.data); err != nil {
				f.t.Errorf("a reader saw a part of an import: %v", err)
			}
		}
	}
}

func (f *traffic) rotates(ctx context.Context) {
	for ctx.Err() == nil {
		a, ok := f.attempt("GET", "keys/"+f.workspace, nil)
		if rewrap, _ := a.data["rewrap"].(data); ok && rewrap["state"] == "done" {
			f.attempt("POST", "keys/"+f.workspace+"/rotate", data{})
		}
	}
}

// creates creates environments and secrets. It keeps some and deletes others.
func (f *traffic) creates(ctx context.Context, round int) {
	for n := 0; ctx.Err() == nil; n++ {
		name, kept := fmt.Sprintf("gone%d-%d", round, n), fmt.Sprintf("kept%d-%d", round, n)
		secret := fmt.Sprintf("secrets/%s/D%d_%d", f.env, round, n)
		for _, step := range []struct {
			method, path string
			body         data
			then         *[]string
			what         string
		}{
			{"POST", "environments/" + f.workspace + "/api/" + name, data{}, nil, ""},
			{"POST", "secrets/" + f.workspace + "/api/" + name + "/FOO", data{"value": "x"}, nil, ""},
			{"DELETE", "environments/" + f.workspace + "/api/" + name + "?confirm=" + name, nil, &f.deleted, name},
			{"POST", "environments/" + f.workspace + "/api/" + kept, data{}, &f.created, kept},
			{"POST", secret, data{"value": "x"}, nil, ""},
			{"DELETE", secret, nil, &f.hidden, secret},
		} {
			if _, ok := f.attempt(step.method, step.path, step.body); !ok {
				break // the outcome is unknown; continue with new names
			}
			if step.then != nil {
				*step.then = append(*step.then, step.what)
			}
		}
	}
}

// start starts all traffic. stop ends it and waits for the last request.
func (f *traffic) start(round int) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	for writer := range writers {
		work.Go(func() { f.write(ctx, round, writer) })
	}
	work.Go(func() { f.imported(ctx) })
	work.Go(func() { f.loads(ctx) })
	work.Go(func() { f.rotates(ctx) })
	work.Go(func() { f.creates(ctx, round) })
	return func() {
		cancel()
		work.Wait()
	}
}

// more waits until the given number of further requests was acknowledged.
func (f *traffic) more(s *vaulttest.Server, requests int) {
	f.t.Helper()
	until := f.acknowledged.Load() + int64(requests)
	eventually(f.t, s, "requests to be acknowledged", func() error {
		if n := f.acknowledged.Load(); n < until {
			return &notYet{n}
		}
		return nil
	})
}

// check reads back everything that was acknowledged.
func (f *traffic) check(when string, journals []*journal) {
	f.t.Helper()
	for _, j := range journals {
		f.history(when, j)
	}
	number, err := whole(f.read("load/" + f.bulkEnv))
	if err != nil || number < f.imports.acknowledged || number > f.imports.tried {
		f.t.Errorf("%s: the environment contains import %d (%v); %d was acknowledged, %d tried", when, number, err, f.imports.acknowledged, f.imports.tried)
	}
	left := f.list("environments/" + f.workspace + "/api")
	for _, name := range f.deleted {
		if slices.Contains(left, name) {
			f.t.Errorf("%s: deleted environment %s exists again", when, name)
		}
	}
	for _, name := range f.created {
		if !slices.Contains(left, name) {
			f.t.Errorf("%s: created environment %s is missing", when, name)
		}
	}
	for _, path := range f.hidden {
		if a := f.send("GET", path, nil); a.status != http.StatusNotFound || a.data["version"] != 1.0 || a.data["deletion_time"] == "" {
			f.t.Errorf("%s: a deleted secret: %s", when, a)
		}
	}
}

// history compares the versions of a secret with its journal: none is missing or duplicated, and
// they are in the order of their writes.
func (f *traffic) history(when string, j *journal) {
	f.t.Helper()
	if len(j.acknowledged) == 0 {
		return // it may not exist
	}
	about := f.read("metadata/" + f.env + "/" + j.name)
	versions, _ := about["versions"].(data)
	newest, _ := about["version"].(float64)
	if about["oldest_version"] != 1.0 || len(versions) != int(newest) {
		f.t.Errorf("%s: %s has %d versions from %v to %v", when, j.name, len(versions), about["oldest_version"], newest)
	}
	last := -1
	for n := 1; n <= int(newest); n++ {
		v := fmt.Sprint(f.read(fmt.Sprintf("secrets/%s/%s?version=%d", f.env, j.name, n))["value"])
		attempt := slices.Index(j.tried, v)
		if attempt <= last {
			f.t.Errorf("%s: version %d of %s is %q, which was attempt %d, after attempt %d", when, n, j.name, v, attempt, last)
		}
		if was, ok := j.acknowledged[n]; ok && was != v {
			f.t.Errorf("%s: version %d of %s is %q; %q was acknowledged", when, n, j.name, v, was)
		}
		last = attempt
	}
	for n := range j.acknowledged {
		if n > int(newest) {
			f.t.Errorf("%s: version %d of %s was acknowledged, but the newest is %v", when, n, j.name, newest)
		}
	}
}

func TestAcknowledgedChangesSurviveEveryKill(t *testing.T) {
	s := vaulttest.Start(t, vaulttest.Options{Storage: vaulttest.Raft})
	f := newTraffic(root(t, s))
	interrupted := 0 // rewraps that continued after the kill
	for round := range rounds {
		before := len(f.journals)
		stop := f.start(round)
		f.more(s, 20+rand.IntN(60))
		if round%2 == 0 {
			died := ends(s)
			s.KillPlugin(t)
			if ends(s) == died {
				t.Error("the log does not show that the plugin died, so tests that read it show nothing")
			}
			f.more(s, 20) // acknowledged by the next process
			stop()
		} else {
			s.Kill(t)
			stop()
			s.Restart(t)
		}
		when := fmt.Sprintf("round %d", round)
		eventually(t, s, "the mount to be healthy", func() error {
			if a := f.send("GET", "info", nil); a.data["healthy"] != true {
				return &notYet{a}
			}
			return nil
		})
		if rewrap, _ := f.read("keys/" + f.workspace)["rewrap"].(data); rewrap["state"] == "running" {
			interrupted++
		}
		f.check(when+", at once", f.journals[before:])
		rewrapped(t, s, f.caller, f.workspace, -1)
		f.check(when+", rewrapped", f.journals[before:])
	}
	s.ReloadPlugin(t)
	f.check("at the end", f.journals)
	t.Logf("%d requests acknowledged, %d of %d imports, %d environments and %d secrets deleted, %d rewraps interrupted",
		f.acknowledged.Load(), f.imports.acknowledged, f.imports.tried, len(f.deleted), len(f.hidden), interrupted)
}

func TestEverythingReadsAfterSealAndRestart(t *testing.T) {
	s := vaulttest.Start(t, vaulttest.Options{Storage: vaulttest.Raft})
	b := newStorageTest(t, s)
	env := environment(t, b.caller)
	w, _, _ := strings.Cut(env, "/")
	one, two := b.put(env, "ONE"), b.put(b.environment(w, "web", "production"), "TWO")
	b.write("keys/"+w+"/rotate", nil)
	b.write("import/"+env, data{"secrets": data{"IMPORTED": "x"}})
	b.write("secrets/"+env+"/GONE", data{"value": "x"})
	b.must("DELETE", "secrets/"+env+"/GONE", nil)
	b.write("config", data{"max_versions": 7})
	before := b.read("metadata/" + env)
	reads := func(when string) {
		t.Helper()
		b.opens(when, one, two)
		expect(t, when+", load", b.read("load/"+env), data{"ONE": b.newest[one], "IMPORTED": "x", "GONE": nil})
		expect(t, when+", metadata", b.read("metadata/"+env), before)
		expect(t, when+", keys", b.read("keys/"+w), data{"latest_version": 2})
		expect(t, when+", config", b.read("config"), data{"max_versions": 7})
		expect(t, when+", info", b.read("info"), data{"healthy": true, "environments": 2, "secrets": 4})
		rewrapped(t, s, b.caller, w, -1)
	}
	reads("before")
	s.Seal(t)
	if a := b.send("GET", "secrets/"+one, nil); a.status != 503 {
		t.Errorf("a sealed Vault responds %s", a)
	}
	s.Unseal(t)
	reads("unsealed")
	s.Restart(t)
	reads("restarted")
	b.put(env, "MORE")
}
