package backend_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
)

// A mount whose storage another node has changed is loaded again. The existence check runs before
// the request. If it used an empty mount, a role that may only create could overwrite existing
// records.
func TestAnOutdatedMountIsLoadedBeforeAnExistenceCheck(t *testing.T) {
	m := populated(t)
	value := planted()
	m.Write(secret, data{"value": value})
	for _, path := range []string{secret, "workspaces/acme", "projects/acme/api", "environments/" + dev, "config"} {
		m.Backend.InvalidateKey(t.Context(), "any")
		if !m.Exists(path) {
			t.Errorf("%s does not exist", path)
		}
	}
	has(t, m.Read(secret), data{"value": value})
	// Another node has written: reads return its data.
	other := enginetest.Open(t, m.Storage, m.Clock)
	other.Write("secrets/"+dev+"/THEIRS", data{"value": value})
	m.Backend.InvalidateKey(t.Context(), "any")
	has(t, m.Read("load/"+dev), data{"DATABASE_URL": value, "THEIRS": value})
}

func TestAMountIsLoadedWhenStorageWorksAgain(t *testing.T) {
	made := populated(t)
	value := planted()
	made.Write(secret, data{"value": value})
	storage := made.Storage.Clone()
	calls := 0
	for n := 1; ; n++ {
		storage.FailFrom(n, false)
		m := enginetest.Open(t, storage, made.Clock)
		storage.FailFrom(1, false)
		got, err := m.Do(read(secret, nil))
		if err == nil {
			has(t, got, data{"value": value})
			t.Fatal("a read succeeded without storage")
		}
		storage.Reset()
		has(t, m.Read(secret), data{"value": value})
		if n > 12 {
			calls = n
			break
		}
	}
	if changed := made.Storage.Diff(storage); changed != nil {
		t.Errorf("after %d starts, storage has changed: %v", calls, changed)
	}
}

func TestRequestsDuringACleanSucceedOrReturn503(t *testing.T) {
	m := populated(t)
	m.Write("import/"+dev, data{"secrets": data{"A": "1", "B": "2"}})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for n := range 100 {
				req := read("load/"+dev, nil)
				if n%5 == 0 {
					req = write(secret, data{"value": "v"})
				}
				_, err := m.Do(req)
				var refused *enginetest.Refused
				if errors.As(err, &refused) && refused.Status == 503 && refused.Word() == "unavailable" {
					continue
				}
				if err != nil {
					t.Errorf("%s %s: %v", req.Op, req.Path, err)
				}
			}
		})
	}
	for range 20 {
		m.Backend.InvalidateKey(t.Context(), "any")
	}
	m.Backend.Cleanup(t.Context())
	wg.Wait()
	expect(t, m.Refuse(logical.ReadOperation, secret, nil), 503, "unavailable", "try again")
}

func TestDeletedRecordsAreSweptFromStorage(t *testing.T) {
	fill := func(m *enginetest.Mount, at string) {
		for n := range 3 {
			m.Write("import/"+at, data{"secrets": data{"A": fmt.Sprint(n), "B": fmt.Sprint(n)}})
		}
		m.Settle()
	}
	cases := []struct{ name, path, confirm string }{
		{"an environment", "environments/acme/api/staging", "staging"},
		{"a project", "projects/acme/web", "web"},
		{"a workspace", "workspaces/other", "other"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m := populated(t)
			fill(m, dev)
			before := m.Storage.Keys()
			switch c.name {
			case "an environment":
				m.Write(c.path, nil)
				fill(m, "acme/api/staging")
			case "a project":
				m.Write(c.path, nil)
				for _, e := range []string{"one", "two"} {
					m.Write("environments/acme/web/"+e, nil)
					fill(m, "acme/web/"+e)
				}
			case "a workspace":
				m.Populate("other", "api", "development", "staging")
				m.Populate("other", "web", "development")
				fill(m, "other/api/staging")
				fill(m, "other/web/development")
				m.Write(c.path, data{"deletion_allowed": true})
			}
			m.Delete(c.path, data{"confirm": c.confirm})
			m.Settle()
			if after := m.Storage.Keys(); !slices.Equal(after, before) {
				t.Errorf("storage has\n%s\nwant\n%s", strings.Join(after, "\n"), strings.Join(before, "\n"))
			}
			has(t, m.Read("load/"+dev), data{"A": "2", "B": "2"})
		})
	}
}

func TestAnInterruptedSweepContinuesAtTheNextStart(t *testing.T) {
	m := populated(t)
	before := m.Storage.Keys()
	m.Write("environments/acme/api/staging", nil)
	m.Write("import/acme/api/staging", data{"secrets": data{"A": "1", "B": "2"}})
	m.Write("import/acme/api/staging", data{"secrets": data{"A": "2", "B": "3"}})
	m.Settle()
	for n := 3; n < 9; n++ { // the first call marks the deletion, the second is its commit
		t.Run(fmt.Sprint("from call ", n, " on"), func(t *testing.T) {
			dying := enginetest.Open(t, m.Storage.Clone(), m.Clock)
			dying.Settle() // a start also sweeps
			dying.Storage.FailFrom(n, false)
			dying.Delete("environments/acme/api/staging", data{"confirm": "staging"})
			dying.Settle()
			if slices.Equal(dying.Storage.Keys(), before) {
				t.Error("nothing was left to sweep")
			}
			again := dying.Restart()
			again.Settle()
			if got := again.Storage.Keys(); !slices.Equal(got, before) {
				t.Errorf("storage has %v, want %v", got, before)
			}
		})
	}
}

// A deletion beside a damaged record is swept: what the damaged one leads to has no mark, and is
// kept.
func TestWhatADamagedRecordLeadsToIsNotSwept(t *testing.T) {
	for _, damaged := range []string{"ws/", "proj/", "env/"} {
		t.Run(damaged, func(t *testing.T) {
			m := populated(t)
			m.Write(secret, data{"value": "1"})
			m.Write(secret, data{"value": "2"})
			key := stored(m, damaged)[0]
			good := m.Storage.Raw(key)
			m.Populate("other", "api", "development")
			m.Write("secrets/other/api/development/A", data{"value": "v"})
			m.Storage.SetRaw(key, []byte{0xa0})
			m = m.Restart()
			m.Delete("environments/other/api/development", data{"confirm": "development"})
			m.Tick()
			m.Settle()
			has(t, m.Read("info"), data{"healthy": false})
			if health := fmt.Sprint(m.Read("info")["health"]); !strings.Contains(health, key) || strings.Count(health, "restore") != 1 {
				t.Errorf("info returned %s", health)
			}
			if got := stored(m, "sec/"); len(got) != 1 || len(stored(m, "undone/")) != 0 {
				t.Errorf("storage has the secrets %v", got)
			}
			m.Storage.SetRaw(key, good)
			m = m.Restart()
			m.Settle()
			has(t, m.Read("info"), data{"healthy": true})
			has(t, m.Read(secret), data{"value": "2"})
			if got := stored(m, "sec/"); len(got) != 1 {
				t.Errorf("after the record was restored, storage has the secrets %v", got)
			}
		})
	}
}
