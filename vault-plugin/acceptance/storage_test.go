package acceptance_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"github.com/stashbase/vault-stashbase/shared/vaulttest"
)

// storageTest is a server whose storage a test changes directly, and the secrets that the test has
// written.
type storageTest struct {
	caller
	server *vaulttest.Server
	values *search
	newest map[string]string // newest value by path workspace/project/environment/NAME
	oldest map[string]string // value of version 1
}

// newStorageTest also mounts the plugin a second time, so that the plugin's process outlives
// reloads of the first mount. When the test ends, it checks that the process has not ended: no
// stored bytes may bring it down.
func newStorageTest(t testing.TB, s *vaulttest.Server) *storageTest {
	t.Helper()
	mounted(t, s, "companion")
	b := &storageTest{root(t, s), s, newSearch(textWindow), map[string]string{}, map[string]string{}}
	before := ends(s)
	t.Cleanup(func() {
		if ends(s) != before {
			t.Error("the plugin's process ended")
		}
	})
	return b
}

// in returns the same storageTest for a subtest.
func (b *storageTest) in(t testing.TB) *storageTest {
	inner := *b
	inner.caller = b.caller.in(t)
	return &inner
}

// ends returns how often the plugin's process has ended unless Vault stopped it.
func ends(s *vaulttest.Server) int {
	log := s.ServerLog()
	n := strings.Count(log, "panic:")
	for line := range strings.Lines(log) {
		if strings.Contains(line, "plugin process exited") && strings.Contains(line, "error=") {
			n++
		}
	}
	return n
}

// put writes three versions of a secret. The second is so large that the first two get entries of
// their own under ver/.
func (b *storageTest) put(env, name string) string {
	b.t.Helper()
	path := env + "/" + name
	for i := range 3 {
		v := b.values.value(path)
		b.newest[path] = v
		if i == 0 {
			b.oldest[path] = v
		}
		if i == 1 {
			v += strings.Repeat("x", 9<<10)
		}
		b.write("secrets/"+path, data{"value": v})
	}
	return path
}

// opens checks that secrets have their own values.
func (b *storageTest) opens(when string, paths ...string) {
	b.t.Helper()
	for _, path := range paths {
		expect(b.t, when+", "+path, b.read("secrets/"+path), data{"value": b.newest[path], "version": 3})
		expect(b.t, when+", version 1 of "+path, b.read("secrets/"+path+"?version=1"), data{"value": b.oldest[path], "version": 1})
	}
}

// closed checks that a request fails with the error for damaged storage, and that the error
// contains no value.
func (b *storageTest) closed(method, path string, body data) {
	b.t.Helper()
	a := b.refused(method, path, body, http.StatusInternalServerError, "unavailable")
	b.values.absent(b.t, path, a.body)
}

// mayNotCreate makes a request that may create, and that has to fail before anything is created.
// Vault replaces the error of an existence check by a text of its own.
func (c caller) mayNotCreate(path string) {
	c.t.Helper()
	if a := c.send("POST", path, data{}); a.status != http.StatusInternalServerError || !strings.Contains(a.body, "internal error") {
		c.t.Errorf("%s\nwant an internal error", a)
	}
}

// swap exchanges two entries and empties the caches.
func (b *storageTest) swap(one, two string) {
	b.t.Helper()
	first, second := b.entry(one), b.entry(two)
	b.server.RawWrite(b.t, one, second)
	b.server.RawWrite(b.t, two, first)
	b.server.ReloadPlugin(b.t)
}

// entry reads an entry and fails the test if there is none.
func (b *storageTest) entry(key string) []byte {
	b.t.Helper()
	raw := b.server.RawRead(b.t, key)
	if raw == nil {
		b.t.Fatalf("entry %s does not exist", key)
	}
	return raw
}

// id returns the id in the record of a workspace, project or environment.
func (b *storageTest) id(key string) string {
	b.t.Helper()
	var record map[int]any
	if err := cbor.Unmarshal(b.entry(key), &record); err != nil {
		b.t.Fatal(err)
	}
	id, _ := record[1].(string)
	if id == "" {
		b.t.Fatalf("%s contains no id", key)
	}
	return id
}

// keys returns the key of the entry of a workspace's wrapped keys.
func (b *storageTest) keys(w string) string {
	b.t.Helper()
	return "keys/" + b.id("ws/"+w)
}

// environmentID returns the id of the environment workspace/project/environment.
func (b *storageTest) environmentID(env string) string {
	b.t.Helper()
	names := strings.Split(env, "/")
	return b.id("env/" + b.id("proj/"+b.id("ws/"+names[0])+"/"+names[1]) + "/" + names[2])
}

// head returns the key of the entry that contains a secret's newest value, its inline older values
// and its history.
func (b *storageTest) head(path string) string {
	b.t.Helper()
	env, name := split(path)
	return "sec/" + b.environmentID(env) + "/" + name
}

// version returns the key of the entry that contains the value of a spilled version.
func (b *storageTest) version(path, number string) string {
	b.t.Helper()
	env, name := split(path)
	return "ver/" + b.environmentID(env) + "/" + name + "/" + number
}

// split splits a path before its last segment.
func split(path string) (parent, last string) {
	i := strings.LastIndex(path, "/")
	return path[:i], path[i+1:]
}
