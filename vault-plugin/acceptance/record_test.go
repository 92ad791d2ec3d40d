package acceptance_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
)

// A record says by its id what a name stands for. The values are bound to the names, so a record that was moved delivers nothing.
func TestASwappedRecordDeliversNothing(t *testing.T) {
	b := newBarn(t, vault.Server(t))
	w := workspace(t, b.caller)
	one := b.put(b.environment(w, "api", "development"), "ONE")
	for _, tc := range []struct {
		name, with string
		records    func() (string, string)
	}{
		{"environment", b.put(b.environment(w, "api", "production"), "ONE"), func() (string, string) {
			project := "env/" + b.id("proj/"+b.id("ws/"+w)+"/api")
			return project + "/development", project + "/production"
		}},
		{"project", b.put(b.environment(w, "web", "development"), "ONE"), func() (string, string) {
			ws := "proj/" + b.id("ws/"+w)
			return ws + "/api", ws + "/web"
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			first, second := tc.records()
			b.swap(first, second)
			for _, path := range []string{one, tc.with} {
				env, _ := split(path)
				b.closed("GET", "secrets/"+path, nil)
				b.closed("GET", "load/"+env, nil)
			}
			b.swap(first, second)
			b.opens("moved back", one, tc.with)
		})
	}
}

func TestWhatHasADamagedRecordIsKept(t *testing.T) {
	b := newBarn(t, vault.Server(t))
	kept := b.put(environment(t, b.caller), "KEPT")
	for _, kind := range []string{"workspace", "project", "environment"} {
		t.Run(kind, func(t *testing.T) {
			env := environment(t, b.caller)
			one := b.put(env, "ONE")
			w, _, _ := strings.Cut(env, "/")
			ws := b.id("ws/" + w)
			project := b.id("proj/" + ws + "/api")
			record := map[string]string{"workspace": "ws/" + w, "project": "proj/" + ws + "/api", "environment": "env/" + project + "/development"}[kind]
			remake := map[string]string{"workspace": "workspaces/" + w, "project": "projects/" + w + "/api", "environment": "environments/" + env}[kind]
			head, before := b.head(one), b.entry(record)
			b.server.RawWrite(t, record, before[:len(before)/2])
			b.server.ReloadPlugin(t)
			for _, a := range []answer{b.send("GET", "secrets/"+one, nil), b.send("GET", "load/"+env, nil), b.send("POST", remake, data{})} {
				if a.status == http.StatusOK {
					t.Errorf("while the record is damaged: %s", a)
				}
			}
			expect(t, "info", b.read("info"), data{"healthy": false})
			b.opens("meanwhile", kept)
			b.server.RawWrite(t, record, before)
			b.server.ReloadPlugin(t)
			if b.entry(head) != nil {
				b.opens("mended", one)
			}
			expect(t, "info", b.read("info"), data{"healthy": true})
		})
	}
}

// A new master key would open nothing, and hide that the old one is gone.
func TestWithoutItsMasterKeyTheMountIsClosed(t *testing.T) {
	b := newBarn(t, vault.Server(t))
	one := b.put(environment(t, b.caller), "ONE")
	const key = "core/master"
	before := b.entry(key)
	t.Cleanup(func() { // also when the test ends early: the server is shared
		b.server.RawWrite(t, key, before)
		b.server.ReloadPlugin(t)
		b.opens("restored", one)
	})
	ring := masterKey(t, b.server)
	changed := flipped(before, bytes.Index(before, ring)+len(ring)-1, 0) // the entry ends with the newest key
	for _, tc := range []struct {
		name  string
		entry []byte
	}{{"missing", nil}, {"empty", []byte{}}, {"cut", before[:len(before)-1]}, {"of no format", []byte("none")}} {
		t.Run(tc.name, func(t *testing.T) {
			if b.server.RawDelete(t, key); tc.entry != nil {
				b.server.RawWrite(t, key, tc.entry)
			}
			b.server.ReloadPlugin(t)
			for _, path := range []string{"secrets/" + one, "info", "config", "master-key"} {
				b.closed("GET", path, nil)
			}
			b.closed("POST", "workspaces/never", data{})
			b.closed("POST", "master-key/rotate", data{})
			if now := b.server.RawRead(t, key); !bytes.Equal(now, tc.entry) {
				t.Error("the entry was written")
			}
		})
	}
	t.Run("changed", func(t *testing.T) {
		b.server.RawWrite(t, key, changed)
		b.server.ReloadPlugin(t)
		b.closed("GET", "secrets/"+one, nil)
	})
}
