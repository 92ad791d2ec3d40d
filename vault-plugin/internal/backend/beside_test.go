package backend_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
)

// through sends requests that must complete while another request waits for storage.
func through(t *testing.T, m *enginetest.Mount, requests ...enginetest.Request) {
	t.Helper()
	for _, req := range requests {
		done := make(chan error, 1)
		go func() {
			_, err := m.Do(req)
			done <- err
		}()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("%s %s: %v", req.Op, req.Path, err)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%s %s waits for an unrelated request", req.Op, req.Path)
		}
	}
}

// holdUp sends a request and returns when its storage call is blocked. release unblocks the call
// and waits for the response.
func holdUp(t *testing.T, m *enginetest.Mount, op, prefix string, req enginetest.Request) (release func()) {
	t.Helper()
	held, goOn, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	var once sync.Once
	m.Storage.Hook(func(o, key string) {
		if o == op && strings.HasPrefix(key, prefix) {
			first := false
			once.Do(func() { first = true })
			if first {
				close(held)
				<-goOn
			}
		}
	})
	go func() {
		_, err := m.Do(req)
		done <- err
	}()
	select {
	case <-held:
	case err := <-done:
		t.Fatalf("%s %s was not blocked: %v", req.Op, req.Path, err)
	}
	return func() {
		t.Helper()
		close(goOn)
		if err := <-done; err != nil {
			t.Errorf("%s %s, after it was blocked: %v", req.Op, req.Path, err)
		}
		m.Storage.Hook(nil)
	}
}

func TestRequestsDoNotWaitForUnrelatedStorageCalls(t *testing.T) {
	prepare := func(t *testing.T) *enginetest.Mount {
		m := populated(t)
		m.Populate("other", "api", "development")
		m.Write("environments/acme/api/staging", nil)
		m.Write("projects/acme/web", nil)
		for _, at := range []string{dev, "acme/api/staging", "other/api/development"} {
			m.Write("import/"+at, data{"secrets": data{"A": "1", "B": "2", "DATABASE_URL": "3"}})
		}
		m.Settle()
		m = m.Restart()
		for _, at := range []string{dev, "acme/api/staging", "other/api/development"} {
			m.Read("secrets/" + at + "/A")
		}
		return m
	}
	elsewhere := func(at string) []enginetest.Request {
		return []enginetest.Request{
			read("secrets/"+at+"/B", nil), write("secrets/"+at+"/B", data{"value": "new"}), write("secrets/"+at+"/NEW", data{"value": "new"}),
			remove("secrets/"+at+"/B", nil), read("load/"+at, nil), read("metadata/"+at, nil), listing("secrets/"+at, nil),
			write("import/"+at, data{"secrets": data{"C": "3"}}),
		}
	}
	reads := []enginetest.Request{read("secrets/"+dev+"/B", nil), read("load/"+dev, nil), read("metadata/"+dev, nil), listing("secrets/"+dev, nil)}
	other := slices.Concat(elsewhere("other/api/development"), []enginetest.Request{
		write("environments/other/api/new", nil), write("projects/other/new", nil), write("workspaces/other", data{"deletion_allowed": true}),
		write("workspaces/third", nil), read("info", nil), read("config", nil), listing("workspaces", nil), write("keys/other/rotate", nil),
		remove("environments/other/api/new", nil), remove("projects/other/new", nil),
	})
	beside := []enginetest.Request{
		write("secrets/"+dev+"/B", data{"value": "new"}), write("secrets/"+dev+"/NEW", data{"value": "new"}), remove("secrets/"+dev+"/B", nil),
	}
	cases := []struct {
		name, op, prefix string
		request          enginetest.Request
		pass             []enginetest.Request
	}{
		{"a write", "put", "sec/", write(secret, data{"value": "x"}), slices.Concat(reads, beside, elsewhere("acme/api/staging"), other)},
		{"a cold read", "get", "sec/", read(secret, nil), slices.Concat(beside, elsewhere("acme/api/staging"), other)},
		{"a delete", "put", "sec/", remove(secret, nil), slices.Concat(reads, beside, elsewhere("acme/api/staging"), other)},
		{"an import", "put", "log/", write("import/"+dev, data{"secrets": data{"B": "x"}}), slices.Concat(reads, elsewhere("acme/api/staging"), other)},
		{"a rotation", "put", "keys/", write("keys/acme/rotate", nil), slices.Concat(reads, beside, elsewhere("acme/api/staging"), other)},
		{"locking an environment", "put", "env/", write("environments/acme/api/staging", data{"locked": true}), slices.Concat(reads, beside, other)},
		{"creating a project", "put", "proj/", write("projects/acme/new", nil), slices.Concat(reads, beside, elsewhere("acme/api/staging"), other)},
		{"deleting a project", "delete", "proj/", remove("projects/acme/web", nil), slices.Concat(reads, beside, other)},
		// New workspaces and uncached keyrings wait for the rotation, because they must be wrapped
		// under the new version.
		{"a rotation of the master key", "put", "core/master", write("master-key/rotate", nil), slices.Concat(reads, beside, elsewhere("other/api/development"))},
		{"creating a workspace", "put", "keys/", write("workspaces/new", nil), slices.Concat(reads, beside, elsewhere("acme/api/staging"), other)},
		{"changing the configuration", "put", "core/config", write("config", data{"max_versions": 5}), slices.Concat(reads, beside, elsewhere("other/api/development"))},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m := prepare(t)
			release := holdUp(t, m, c.op, c.prefix, c.request)
			through(t, m, c.pass...)
			release()
		})
	}
}

func TestClientsWritingOneSecretLoseNoVersionAndLeaveNoGap(t *testing.T) {
	const clients, writes = 10, 10
	for _, withCAS := range []bool{false, true} {
		t.Run(fmt.Sprint("cas=", withCAS), func(t *testing.T) {
			m := populated(t)
			m.Write("config", data{"max_versions": 100})
			m.Write(secret, data{"value": "first"}) // of concurrent creates of one secret, only one succeeds
			var mu sync.Mutex
			written := make(map[int]string) // acknowledged values by version
			var wg sync.WaitGroup
			for client := range clients {
				wg.Go(func() {
					for n := 0; n < writes; {
						value := fmt.Sprint("client ", client, " write ", n)
						d := data{"value": value}
						if withCAS {
							current, err := m.Do(read(secret, nil))
							d["cas"] = 0
							if err == nil {
								d["cas"] = enginetest.Version(current)
							}
						}
						resp, err := m.Do(write(secret, d))
						var refused *enginetest.Refused
						if errors.As(err, &refused) && withCAS && refused.Status == 409 {
							continue
						}
						if err != nil {
							t.Error(err)
							return
						}
						mu.Lock()
						if before, twice := written[enginetest.Version(resp)]; twice {
							t.Errorf("version %d was returned for both %q and %q", enginetest.Version(resp), before, value)
						}
						written[enginetest.Version(resp)] = value
						mu.Unlock()
						n++
					}
				})
			}
			wg.Wait()
			if got := slices.Sorted(maps.Keys(written)); len(got) != clients*writes || got[0] != 2 || got[len(got)-1] != clients*writes+1 {
				t.Fatalf("%d versions from %d to %d", len(got), got[0], got[len(got)-1])
			}
			for m := range restarting(&m) {
				for version := 2; version <= clients*writes+1; version++ {
					has(t, m.Must("read", secret, data{"version": version}), data{"value": written[version]})
				}
			}
		})
	}
}

func TestAReaderSeesAllOfAnImportOrNothing(t *testing.T) {
	m := populated(t)
	sets := [2]data{{}, {}}
	for i := range 25 {
		sets[0][fmt.Sprint("S", i)], sets[1][fmt.Sprint("S", i)] = "even", "odd"
	}
	delete(sets[1], "S7")                               // the import with mode=replace deletes it
	delete(sets[0], "S23")                              // the import creates it again
	m.Write("config", data{"secret_cache_bytes": 6000}) // small, so that readers also use storage
	m.Write("import/"+dev, data{"secrets": sets[0]})
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				got, err := m.Do(read("load/"+dev, nil))
				if err != nil {
					t.Error(err)
					return
				}
				if !maps.Equal(got, sets[0]) && !maps.Equal(got, sets[1]) {
					t.Errorf("load returned a mixture of %d secrets from two imports", len(got))
					return
				}
			}
		})
	}
	for round := 1; round <= 16; round++ {
		if _, err := m.Do(write("import/"+dev, data{"mode": "replace", "confirm": "development", "secrets": sets[round%2]})); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	wg.Wait()
	m.Settle()
	m = m.Restart()
	if got := m.Read("load/" + dev); !maps.Equal(got, sets[0]) {
		t.Errorf("after a restart, load returned %d secrets", len(got))
	}
}
