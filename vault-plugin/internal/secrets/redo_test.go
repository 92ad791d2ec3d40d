package secrets_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
)

type data = enginetest.Data

const (
	env     = "acme/api/development"
	aSecret = env + "/A"
)

// twoSecrets returns a mount with two secrets: A with the versions 1 and 2, and B with version 1.
func twoSecrets(t *testing.T) *enginetest.Mount {
	t.Helper()
	m := enginetest.New(t)
	m.Populate("acme", "api", "development")
	for _, value := range []string{"a1", "a2"} {
		m.Write("secrets/"+aSecret, data{"value": value})
	}
	m.Write("secrets/"+env+"/B", data{"value": "b1"})
	m.Settle() // no background work calls storage while a test counts calls
	return m
}

// unapplied imports secrets and makes storage fail after the commit, so that the change of each
// secret waits in the redo log.
func unapplied(t *testing.T, m *enginetest.Mount, body data) {
	t.Helper()
	m.Read("load/" + env) // all heads are in memory, so the commit is the first storage call
	m.Storage.FailFrom(2, false)
	m.Write("import/"+env, body)
	m.Settle()
	m.Storage.Reset()
	if len(logs(m)) != 1 {
		t.Fatalf("storage has the redo logs %v, so the test would prove nothing", logs(m))
	}
}

func logs(m *enginetest.Mount) (keys []string) {
	for _, key := range m.Storage.Keys() {
		if strings.HasPrefix(key, "log/") {
			keys = append(keys, key)
		}
	}
	return keys
}

// wantVersions reads versions of A by their numbers, from 1 on. An empty value means that the
// version is deleted, destroyed or not kept.
func wantVersions(t *testing.T, m *enginetest.Mount, values ...string) {
	t.Helper()
	for i, want := range values {
		got, err := m.Do(enginetest.Request{Op: logical.ReadOperation, Path: "secrets/" + aSecret, Data: data{"version": i + 1}})
		value, _ := got["value"].(string)
		if value != want || (err == nil) != (want != "") {
			t.Errorf("version %d is %q (%v), want %q", i+1, value, err, want)
		}
	}
}

// settled yields a mount at once, after its background work, and after a restart.
func settled(m *enginetest.Mount) func(func(when string, m *enginetest.Mount) bool) {
	return func(yield func(string, *enginetest.Mount) bool) {
		if !yield("at once", m) {
			return
		}
		m.Settle()
		if !yield("after the background work", m) {
			return
		}
		m = m.Restart()
		m.Settle()
		yield("after a restart", m)
	}
}

// Every operation on one secret must find the change of an import that waits in the redo log. Each
// version is read: a version that was skipped or overwritten would otherwise go unnoticed.
func TestAnOperationFollowsTheImportThatWaits(t *testing.T) {
	cases := []struct {
		name   string
		do     func(m *enginetest.Mount)
		values []string
	}{
		{"write", func(m *enginetest.Mount) { m.Write("secrets/"+aSecret, data{"value": "a4"}) }, []string{"a1", "a2", "a3", "a4"}},
		{"write with cas", func(m *enginetest.Mount) { m.Write("secrets/"+aSecret, data{"value": "a4", "cas": 3}) }, []string{"a1", "a2", "a3", "a4"}},
		{"patch", func(m *enginetest.Mount) { m.Patch("secrets/"+aSecret, data{"comment": "x"}) }, []string{"a1", "a2", "a3", "a3"}},
		{"rollback", func(m *enginetest.Mount) { m.Write("rollback/"+aSecret, data{"version": 1}) }, []string{"a1", "a2", "a3", "a1"}},
		{"delete", func(m *enginetest.Mount) { m.Delete("secrets/"+aSecret, nil) }, []string{"a1", "a2", ""}},
		{"delete of an older version", func(m *enginetest.Mount) { m.Delete("secrets/"+aSecret, data{"versions": 2}) }, []string{"a1", "", "a3"}},
		{"metadata", func(m *enginetest.Mount) { m.Write("metadata/"+aSecret, data{"tags": "x"}) }, []string{"a1", "a2", "a3"}},
		{"destroy", func(m *enginetest.Mount) { m.Write("destroy/"+aSecret, data{"versions": 3}) }, []string{"a1", "a2", ""}},
		{"another import", func(m *enginetest.Mount) { m.Write("import/"+env, data{"secrets": data{"A": "a4"}}) }, []string{"a1", "a2", "a3", "a4"}},
		{"two writes", func(m *enginetest.Mount) {
			m.Write("secrets/"+aSecret, data{"value": "a4"})
			m.Write("secrets/"+aSecret, data{"value": "a5"})
		}, []string{"a1", "a2", "a3", "a4", "a5"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m := twoSecrets(t)
			unapplied(t, m, data{"secrets": data{"A": "a3", "B": "b2", "NEW": "n1"}})
			wantVersions(t, m, "a1", "a2", "a3")
			c.do(m)
			for when, m := range settled(m) {
				wantVersions(t, m, c.values...)
				if got := m.Read("load/" + env); got["B"] != "b2" || got["NEW"] != "n1" {
					t.Errorf("%s: the rest of the import is %v", when, got)
				}
			}
		})
	}
}

// An import that waits in the redo log has deleted A. What follows must not be undone by the
// replay of the log.
func TestAnOperationFollowsTheDeletionThatWaits(t *testing.T) {
	cases := []struct {
		name   string
		do     func(m *enginetest.Mount)
		values []string
	}{
		{"nothing", func(*enginetest.Mount) {}, []string{"a1", ""}},
		{"undelete", func(m *enginetest.Mount) { m.Write("undelete/"+aSecret, data{"versions": 2}) }, []string{"a1", "a2"}},
		{"write", func(m *enginetest.Mount) { m.Write("secrets/"+aSecret, data{"value": "a3"}) }, []string{"a1", "", "a3"}},
		{"rollback", func(m *enginetest.Mount) { m.Write("rollback/"+aSecret, data{"version": 1}) }, []string{"a1", "", "a1"}},
		{"destroy", func(m *enginetest.Mount) { m.Write("destroy/"+aSecret, data{"versions": 1}) }, []string{"", ""}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m := twoSecrets(t)
			unapplied(t, m, data{"mode": "replace", "secrets": data{"B": "b2"}})
			wantVersions(t, m, "a1", "")
			c.do(m)
			for _, m := range settled(m) {
				wantVersions(t, m, c.values...)
			}
		})
	}
}

// What destroys or restores must remove the redo log before it returns. The log holds the sealed
// value of the destroyed version, and a start would replay it over an undelete or a purge.
func TestTheRedoLogIsGoneBeforeAVersionIs(t *testing.T) {
	for name, do := range map[string]func(m *enginetest.Mount){
		"undelete": func(m *enginetest.Mount) { m.Write("undelete/"+aSecret, data{"versions": 3}) },
		"destroy":  func(m *enginetest.Mount) { m.Write("destroy/"+aSecret, data{"versions": 3}) },
		"purge":    func(m *enginetest.Mount) { m.Delete("metadata/"+aSecret, nil) },
		"rotate":   func(m *enginetest.Mount) { m.Write("keys/acme/rotate", nil); m.Settle() },
	} {
		t.Run(name, func(t *testing.T) {
			m := twoSecrets(t)
			unapplied(t, m, data{"secrets": data{"A": "a3"}})
			do(m)
			if left := logs(m); len(left) != 0 {
				t.Errorf("after the %s, storage still has %v", name, left)
			}
		})
	}
}

func TestAPurgeFollowsTheImportThatWaits(t *testing.T) {
	m := twoSecrets(t)
	unapplied(t, m, data{"secrets": data{"A": "a3", "B": "b2"}})
	m.Delete("metadata/"+aSecret, nil)
	for when, m := range settled(m) {
		if got := m.Refuse(logical.ReadOperation, "secrets/"+aSecret, nil); got.Status != 404 {
			t.Errorf("%s: a purged secret reads %v", when, got)
		}
		if got := m.Read("load/" + env); len(got) != 1 || got["B"] != "b2" {
			t.Errorf("%s: load returns %v", when, got)
		}
	}
	m = m.Restart()
	if got := enginetest.Version(m.Write("secrets/"+aSecret, data{"value": "again"})); got != 4 {
		t.Errorf("the purged secret comes back with version %d", got)
	}
}

// Without its tombstone, a purged secret would start again at version 1, and an old ciphertext
// would fit the new version. A tombstone that is lost while the engine runs is noticed.
func TestALostTombstoneStopsANewSecret(t *testing.T) {
	m := twoSecrets(t)
	m.Delete("metadata/"+aSecret, nil)
	tombs := 0
	for _, key := range m.Storage.Keys() {
		if strings.HasPrefix(key, "tomb/") {
			m.Storage.SetRaw(key, nil)
			tombs++
		}
	}
	if tombs != 1 {
		t.Fatalf("storage had %d tombstones, want 1", tombs)
	}
	now := m.Clock.Now().Format("2006-01-02T15:04:05Z07:00")
	for _, req := range []enginetest.Request{
		{Op: logical.UpdateOperation, Path: "secrets/" + aSecret, Data: data{"value": "again"}},
		{Op: logical.UpdateOperation, Path: "import/" + env, Data: data{"secrets": data{"A": "again"}}},
		{Op: logical.ReadOperation, Path: "load/" + env, Data: data{"version_at": now}},
	} {
		got := m.Refuse(req.Op, req.Path, req.Data)
		if got.Status != 500 || !strings.Contains(got.Text, "tomb/") || !strings.Contains(got.Text, "restore it") {
			t.Errorf("%s is refused with %v", req.Path, got)
		}
	}
	if got := m.Read("load/" + env); got["B"] != "b1" {
		t.Errorf("load returns %v", got)
	}
}

// A crash at any call of a purge leaves the number of the last version known.
func TestAPurgeKeepsTheNumberAtEveryCrash(t *testing.T) {
	for calls := 1; calls <= 6; calls++ {
		for _, stored := range []bool{false, true} {
			t.Run(fmt.Sprintf("call %d, stored %t", calls, stored), func(t *testing.T) {
				m := twoSecrets(t)
				m.Storage.FailFrom(calls, stored)
				_, _ = m.Do(enginetest.Request{Op: logical.DeleteOperation, Path: "metadata/" + aSecret})
				m.Settle()
				m = m.Restart()
				if got := enginetest.Version(m.Write("secrets/"+aSecret, data{"value": "next"})); got != 3 {
					t.Errorf("the next version is %d, want 3", got)
				}
			})
		}
	}
}

// A write fails while the change of an import waits. Its outcome is unknown, so memory must show
// what storage has, and not the head of the import that was in memory before.
func TestAFailedWriteUponAnImportIsReadFromStorage(t *testing.T) {
	for calls := 1; calls <= 4; calls++ {
		for _, stored := range []bool{false, true} {
			t.Run(fmt.Sprintf("call %d, stored %t", calls, stored), func(t *testing.T) {
				m := twoSecrets(t)
				unapplied(t, m, data{"secrets": data{"A": "a3"}})
				m.Storage.FailFrom(calls, stored)
				_, err := m.Do(enginetest.Request{Op: logical.UpdateOperation, Path: "secrets/" + aSecret, Data: data{"value": "a4"}})
				m.Storage.Reset()
				got := m.Read("secrets/" + aSecret)
				if err == nil && got["value"] != "a4" {
					t.Errorf("a write that was acknowledged reads %v", got["value"])
				}
				again := m.Restart()
				if other := again.Read("secrets/" + aSecret); other["value"] != got["value"] || other["version"] != got["version"] {
					t.Errorf("memory has version %v, %v, and storage has version %v, %v", got["version"], got["value"], other["version"], other["value"])
				}
			})
		}
	}
}
