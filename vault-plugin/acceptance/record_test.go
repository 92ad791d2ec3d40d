package acceptance_test

import (
	"bytes"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"
)

// A record maps a name to an id. The values are bound to the name, so a moved record delivers
// nothing.
func TestASwappedRecordDeliversNothing(t *testing.T) {
	b := newStorageTest(t, vault.Server(t))
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
			b := b.in(t)
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

func TestDataBehindADamagedRecordIsKept(t *testing.T) {
	b := newStorageTest(t, vault.Server(t))
	kept := b.put(environment(t, b.caller), "KEPT")
	for _, kind := range []string{"workspace", "project", "environment"} {
		t.Run(kind, func(t *testing.T) {
			b := b.in(t)
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
			for _, a := range []response{b.send("GET", "secrets/"+one, nil), b.send("GET", "load/"+env, nil), b.send("POST", remake, data{})} {
				if a.status == http.StatusOK {
					t.Errorf("while the record is damaged: %s", a)
				}
			}
			expect(t, "info", b.read("info"), data{"healthy": false})
			b.opens("meanwhile", kept)
			b.server.RawWrite(t, record, before)
			b.server.ReloadPlugin(t)
			if b.entry(head) != nil {
				b.opens("repaired", one)
			}
			expect(t, "info", b.read("info"), data{"healthy": true})
		})
	}
}

// A new master key would open nothing, and would hide that the old one is missing.
func TestAMountWithoutItsMasterKeyRefusesEverything(t *testing.T) {
	b := newStorageTest(t, vault.Server(t))
	one := b.put(environment(t, b.caller), "ONE")
	const key = "core/master"
	before := b.entry(key)
	t.Cleanup(func() { // also when the test ends early: the server is shared
		b.server.RawWrite(t, key, before)
		b.server.ReloadPlugin(t)
		b.opens("restored", one)
	})
	ring := masterKey(t, b.server)
	// The entry ends with the newest key.
	changed := flipped(before, bytes.Index(before, ring)+len(ring)-1, 0)
	for _, tc := range []struct {
		name  string
		entry []byte
	}{{"missing", nil}, {"empty", []byte{}}, {"cut", before[:len(before)-1]}, {"not a record", []byte("none")}} {
		t.Run(tc.name, func(t *testing.T) {
			b := b.in(t)
			if b.server.RawDelete(t, key); tc.entry != nil {
				b.server.RawWrite(t, key, tc.entry)
			}
			b.server.ReloadPlugin(t)
			for _, path := range []string{"secrets/" + one, "info", "config", "master-key"} {
				b.closed("GET", path, nil)
			}
			b.mayNotCreate("workspaces/never")
			b.closed("POST", "master-key/rotate", data{})
			if now := b.server.RawRead(t, key); !bytes.Equal(now, tc.entry) {
				t.Error("the entry was written")
			}
		})
	}
	t.Run("changed", func(t *testing.T) {
		b := b.in(t)
		b.server.RawWrite(t, key, changed)
		b.server.ReloadPlugin(t)
		b.closed("GET", "secrets/"+one, nil)
	})
}

// A plugin of an older version must not write into a storage layout that it does not know.
func TestStorageOfANewerPluginIsUnchanged(t *testing.T) {
	const future = 99
	s := vault.Server(t)
	c := root(t, s)
	d := openapi(c)
	env := strings.Split(environment(t, c), "/")
	names := envPath{env[0], env[1], env[2]}
	c.write(names.fill("secrets/{workspace}/{project}/{environment}/{name}"), data{"value": "x"})
	now := s.RawRead(t, "core/schema")
	newer, err := cbor.Marshal(map[int]int{1: future})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.RawWrite(t, "core/schema", now)
		s.ReloadPlugin(t)
	})
	s.RawWrite(t, "core/schema", newer)
	s.ReloadPlugin(t)
	before := decrypted(t, s)
	for _, template := range slices.Sorted(maps.Keys(d.Paths)) {
		path := strings.Trim(names.fill(template), "/")
		for method, body := range map[string]data{"GET": nil, "LIST": nil, "DELETE": nil, "POST": {"value": "y"}, "PATCH": {"max_versions": 3}} {
			switch {
			case path == "" && body != nil:
				continue // Vault accepts no write to a mount itself
			case method == "POST" && (path == "config" || d.Paths[template].CreateSupported): // it has an existence check
				c.mayNotCreate(path)
				continue
			}
			a := c.refused(method, path, body, http.StatusServiceUnavailable, "unavailable")
			if !strings.Contains(a.body, "version 99") || !strings.Contains(a.body, "up to 2") {
				t.Errorf("%s\nwant both versions in the error", a)
			}
		}
	}
	if !maps.Equal(before, decrypted(t, s)) {
		t.Error("storage was changed")
	}
	s.RawWrite(t, "core/schema", now)
	s.ReloadPlugin(t)
	expect(t, "restored", c.read(names.fill("load/{workspace}/{project}/{environment}")), data{"DATABASE_URL": "x"})
}
