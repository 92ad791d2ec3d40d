package backend_test

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/backend"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/engine"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
)

type calls = enginetest.Counts

// costs checks the number of storage calls of a request, without the background work that it
// starts. Removals after the response count too.
func costs(t *testing.T, m *enginetest.Mount, what string, req enginetest.Request, want calls) {
	t.Helper()
	m.Settle()
	m.Storage.Reset()
	if _, err := m.Do(req); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	got := m.Storage.Counts()
	m.Settle()
	got.Deletes = m.Storage.Counts().Deletes
	if got != want {
		t.Errorf("%s costs %+v, want %+v", what, got, want)
	}
}

// cold returns a mount with the keyring in memory, but without cached secrets.
func cold(t *testing.T, m *enginetest.Mount) *enginetest.Mount {
	t.Helper()
	m.Settle()
	m = m.Restart()
	if _, err := m.Do(read("secrets/"+dev+"/WARM", nil)); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestStorageCallsOfOneSecret(t *testing.T) {
	m := populated(t)
	m.Write("config", data{"max_versions": 3})
	m.Write("secrets/"+dev+"/WARM", data{"value": "v"})
	value := data{"value": "v"}

	costs(t, m, "the first write", write(secret, value), calls{Puts: 1})
	costs(t, m, "a hot read", read(secret, nil), calls{})
	costs(t, m, "a hot write", write(secret, value), calls{Puts: 1})
	costs(t, m, "a hot read of an old version", read(secret, data{"version": 1}), calls{})
	costs(t, m, "a hot delete", remove(secret, nil), calls{Puts: 1})
	costs(t, m, "a second delete", remove(secret, nil), calls{})
	costs(t, m, "a hot write upon a deleted version", write(secret, value), calls{Puts: 1})
	costs(t, m, "a hot write at max_versions", write(secret, value), calls{Puts: 1})
	costs(t, m, "a hot rollback", write("rollback/"+dev+"/DATABASE_URL", data{"version": 3}), calls{Puts: 1})
	costs(t, m, "a hot destruction", write("destroy/"+dev+"/DATABASE_URL", data{"versions": "3"}), calls{Puts: 1})
	costs(t, m, "a second destruction", write("destroy/"+dev+"/DATABASE_URL", data{"versions": "3"}), calls{Puts: 1})
	costs(t, m, "a refused write", write("secrets/"+dev+"/NEW", data{"value": "v", "cas": 0}), calls{Puts: 1})

	m = cold(t, m)
	costs(t, m, "a cold read", read(secret, nil), calls{Gets: 1})
	costs(t, m, "the read after it", read(secret, nil), calls{})
	m = cold(t, m)
	costs(t, m, "a cold read of an old version", read(secret, data{"version": 4}), calls{Gets: 1})
	m = cold(t, m)
	costs(t, m, "a cold metadata", read("metadata/"+dev+"/DATABASE_URL", nil), calls{Gets: 1})
	costs(t, m, "a hot metadata", read("metadata/"+dev+"/DATABASE_URL", nil), calls{})
	m = cold(t, m)
	costs(t, m, "a cold delete at max_versions", remove(secret, nil), calls{Gets: 1, Puts: 1})
	m = cold(t, m)
	// After a start it is not known whether an interrupted write has put what is pushed out under
	// ver/.
	costs(t, m, "a cold write at max_versions", write(secret, value), calls{Gets: 1, Puts: 1, Deletes: 1})
	costs(t, m, "the write after it", write(secret, value), calls{Puts: 1, Deletes: 1})
	costs(t, m, "the next", write(secret, value), calls{Puts: 1, Deletes: 1})
	costs(t, m, "one that pushes out a version of this process", write(secret, value), calls{Puts: 1})
	m = cold(t, m)
	costs(t, m, "a write of a new secret", write("secrets/"+dev+"/ANOTHER", value), calls{Puts: 1})
	m.Write("config", data{"max_versions": 10})
	m = cold(t, m)
	costs(t, m, "a cold write", write("secrets/"+dev+"/ANOTHER", value), calls{Gets: 1, Puts: 1})
	m = m.Restart()
	costs(t, m, "the first read of all, with the workspace's keys", read(secret, nil), calls{Gets: 2})

	m.Storage.Reset()
	m.Exists(secret)
	m.Exists("secrets/" + dev + "/NONE")
	m.Exists("workspaces/acme")
	m.Exists("environments/" + dev)
	for _, req := range []enginetest.Request{read(secret, data{"version": 99}), write(secret, data{"value": "v", "cas": 99}), read("secrets/"+dev+"/NONE", nil), write(secret, nil)} {
		_ = m.Refuse(req.Op, req.Path, req.Data)
	}
	if n := m.Storage.Calls(); n != 0 {
		t.Errorf("existence checks and rejected requests called storage %d times", n)
	}
}

// callsOf counts what a request and its background work call storage for under some prefixes.
func callsOf(m *enginetest.Mount, prefixes []string, req enginetest.Request) (count calls) {
	m.Settle()
	var mu sync.Mutex
	m.Storage.Hook(func(op, key string) {
		mu.Lock()
		defer mu.Unlock()
		if !slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(key, prefix) }) {
			return
		}
		switch op {
		case "get":
			count.Gets++
		case "put":
			count.Puts++
		case "delete":
			count.Deletes++
		}
	})
	m.Must(req.Op, req.Path, req.Data)
	m.Settle()
	m.Storage.Hook(nil)
	return count
}

// spills is a value that is larger than all that a head holds of older versions.
var spills = strings.Repeat("v", 9<<10)

func TestStorageCallsOfValuesThatSpill(t *testing.T) {
	m := populated(t)
	m.Write("config", data{"max_versions": 4})
	m.Write("secrets/"+dev+"/WARM", data{"value": "v"})
	small, large := data{"value": "v"}, data{"value": spills}

	costs(t, m, "a large first write", write(secret, large), calls{Puts: 1})
	costs(t, m, "a write upon a large value", write(secret, small), calls{Puts: 2})
	costs(t, m, "a write upon a small one", write(secret, large), calls{Puts: 1})
	costs(t, m, "a hot read of a spilled version", read(secret, data{"version": 1}), calls{Gets: 1})
	costs(t, m, "a hot read of one that is inline", read(secret, data{"version": 2}), calls{})
	costs(t, m, "a write that spills a large value and the older ones", write(secret, small), calls{Puts: 3})
	costs(t, m, "a write that pushes out a spilled value", write(secret, small), calls{Puts: 1, Deletes: 1})
	costs(t, m, "a delete after it", remove(secret, nil), calls{Puts: 1})
	costs(t, m, "a destruction of a spilled value", write("destroy/"+dev+"/DATABASE_URL", data{"versions": "2"}), calls{Puts: 2, Deletes: 1})
	m = cold(t, m)
	costs(t, m, "a cold read of a spilled version", read(secret, data{"version": 3}), calls{Gets: 2})
	costs(t, m, "a rollback to a spilled version", write("rollback/"+dev+"/DATABASE_URL", data{"version": 3}), calls{Gets: 1, Puts: 1, Deletes: 1})
	if got, want := callsOf(m, []string{"sec/", "ver/"}, write("keys/acme/rotate", nil)), (calls{Gets: 1, Puts: 3}); got != want {
		t.Errorf("sealing again 2 heads and 1 spilled version costs %+v, want %+v", got, want)
	}
}

func TestStorageCallsOfAnEnvironment(t *testing.T) {
	m := populated(t)
	const n = 30
	secrets := make(data)
	for i := range n {
		secrets[fmt.Sprint("S", i)] = "v"
	}
	secrets["WARM"] = "v"
	m.Settle()
	m.Storage.Reset()
	m.Write("import/"+dev, data{"secrets": secrets})
	m.Settle()
	if got, want := m.Storage.Counts(), (calls{Gets: n + 1, Puts: n + 2, Deletes: 1}); got != want {
		t.Errorf("with its background work, an import of %d costs %+v, want %+v", n+1, got, want)
	}
	for _, hot := range []enginetest.Request{
		read("load/"+dev, nil), read("metadata/"+dev, nil), listing("secrets/"+dev, nil), listing("workspaces", nil), read("workspaces/acme", nil),
		listing("projects/acme", nil), read("projects/acme/api", nil), listing("environments/acme/api", nil), read("environments/"+dev, nil),
		read("info", nil), read("config", nil), read("keys/acme", nil), read("master-key", nil), listing("policies", nil),
		write("import/"+dev, data{"secrets": secrets}), write("import/"+dev, data{"secrets": data{"NEW": "v"}, "dry_run": true}),
	} {
		costs(t, m, fmt.Sprint(hot.Op, " ", hot.Path, " hot"), hot, calls{})
	}
	for _, req := range []enginetest.Request{read("load/"+dev, nil), read("metadata/"+dev, nil), listing("secrets/"+dev, nil), write("import/"+dev, data{"secrets": secrets})} {
		m = cold(t, m)
		costs(t, m, fmt.Sprint(req.Op, " ", req.Path, " cold"), req, calls{Gets: n}) // WARM is in memory
		costs(t, m, fmt.Sprint(req.Op, " ", req.Path, " after it"), req, calls{})
	}
	// If the sizes of unread secrets could exceed the environment's limit, the first write that
	// adds bytes reads these secrets.
	m = cold(t, m)
	costs(t, m, "the first write of a new secret after a start", write("secrets/"+dev+"/NEW", data{"value": "v"}), calls{Gets: n, Puts: 1})
	costs(t, m, "the next", write("secrets/"+dev+"/NEW2", data{"value": "v"}), calls{Puts: 1})
}

func TestStorageCallsBeforeTheResponseOfRequestsWithBackgroundWork(t *testing.T) {
	m := populated(t)
	const n = 50
	secrets := make(data)
	for i := range n {
		secrets[fmt.Sprint("S", i)] = strings.Repeat("v", 20_000)
	}
	// Storage keys under behind belong to background work, which is blocked until the response
	// arrives.
	until := func(path, behind string, d data) (ahead []string) {
		t.Helper()
		m.Settle()
		var mu sync.Mutex
		responded := make(chan struct{})
		m.Storage.Hook(func(op, key string) {
			if strings.HasPrefix(key, behind) {
				<-responded
				return
			}
			mu.Lock()
			defer mu.Unlock()
			family, _, _ := strings.Cut(key, "/")
			ahead = append(ahead, op+" "+family)
		})
		m.Write(path, d)
		mu.Lock()
		defer mu.Unlock()
		defer close(responded)
		m.Storage.Hook(nil)
		return slices.Clone(ahead)
	}
	if got := until("import/"+dev, "sec/", data{"secrets": secrets}); !slices.Equal(got, []string{"put log", "put log", "put log"}) {
		t.Errorf("an import of %d new secrets, 1 MB in all, calls %v", n, got)
	}
	if got := until("keys/acme/rotate", "sec/", nil); !slices.Equal(got, []string{"get keys", "put keys"}) {
		t.Errorf("a rotation of a workspace with %d secrets calls %v", n, got)
	}
	costs(t, m, "a read after it", read("secrets/"+dev+"/S1", nil), calls{})
	if got := until("master-key/rotate", "keys/", nil); !slices.Equal(got, []string{"put core"}) {
		t.Errorf("a rotation of the master key calls %v", got)
	}
	costs(t, m, "a read after that", read("secrets/"+dev+"/S1", nil), calls{})
}

// Regression: a write at max_versions waited until storage had removed the evicted value. That was
// a third call under the lock of the secret.
func TestNoWriterWaitsForTheRemovalOfEvictedValues(t *testing.T) {
	m := populated(t)
	m.Write("config", data{"max_versions": 2})
	for range 2 {
		m.Write(secret, data{"value": spills})
	}
	m.Settle()
	release := make(chan struct{})
	m.Storage.Hook(func(op, _ string) {
		if op == "delete" {
			<-release
		}
	})
	for range 3 {
		m.Write(secret, data{"value": spills})
	}
	has(t, m.Read(secret), data{"version": 5})
	close(release)
	m.Settle()
	left := 0
	for _, key := range m.Storage.Keys() {
		if strings.HasPrefix(key, "ver/") {
			left++
		}
	}
	if left != 1 {
		t.Errorf("%d old values are left in storage, not 1", left)
	}
}

// Vault also creates a backend only to read its type and version. Such a backend has no storage and
// no system view and, before it is mounted, no id.
func TestTheFactoryTouchesNothingAndStartsNothing(t *testing.T) {
	before := runtime.NumGoroutine()
	for _, conf := range []*logical.BackendConfig{
		{}, {Logger: hclog.NewNullLogger(), System: logical.TestSystemView()}, {BackendUUID: "test", Config: map[string]string{}},
	} {
		b, err := backend.Factory(engine.Options{Version: "v0.0.0-test", Clock: enginetest.NewClock(), Providers: &provider.Registry{}})(t.Context(), conf)
		if err != nil {
			t.Fatalf("%+v: %v", conf, err)
		}
		if b.Type() != logical.TypeLogical || len(b.SpecialPaths().SealWrapStorage) == 0 {
			t.Error("the backend does not report its type")
		}
		if after := runtime.NumGoroutine(); after > before {
			t.Errorf("%d goroutines were started", after-before)
		}
		b.Cleanup(t.Context())
	}
	m := enginetest.Factory(t, enginetest.NewStorage(), enginetest.NewClock())
	if n := m.Storage.Calls(); n != 0 {
		t.Errorf("the factory called storage %d times", n)
	}
}

// Regression: a removal after a write lost its result if another write was running. With many
// writers that was always the case, so every removal processed all values that had ever been
// evicted.
func TestEvictedValuesAreRemovedOnce(t *testing.T) {
	m := populated(t)
	m.Write("config", data{"max_versions": 2})
	for range 2 {
		m.Write(secret, data{"value": spills})
	}
	m.Settle()
	m.Storage.Reset()
	remove, underWay, commit, written := make(chan struct{}), make(chan struct{}), make(chan struct{}), make(chan struct{})
	m.Storage.Hook(func(op, _ string) {
		if op == "delete" {
			<-remove
		}
	})
	m.Write(secret, data{"value": spills})
	m.Storage.Hook(func(op, key string) {
		if op == "put" && strings.HasPrefix(key, "sec/") {
			close(underWay)
			<-commit
		}
	})
	go func() {
		defer close(written)
		m.Write(secret, data{"value": spills})
	}()
	<-underWay
	close(remove)
	m.Settle()
	close(commit)
	<-written
	m.Settle()
	if n := m.Storage.Counts().Deletes; n != 2 {
		t.Errorf("two values were evicted, and %d removed", n)
	}
}
