package acceptance_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"github.com/stashbase/vault-stashbase/shared/vaulttest"
)

// barn is a server whose storage is changed beneath the engine, and the secrets that were put there.
type barn struct {
	caller
	server *vaulttest.Server
	values *search
	newest map[string]string // by path workspace/project/environment/NAME
	oldest map[string]string // version 1
}

// newBarn also holds a second mount, so that the plugin's process outlives the reloads of the first, and sees at the end that it
// did: nothing that stands in storage may bring it down.
func newBarn(t testing.TB, s *vaulttest.Server) *barn {
	t.Helper()
	mounted(t, s, "companion")
	b := &barn{root(t, s), s, newSearch(textWindow), map[string]string{}, map[string]string{}}
	before := ends(s)
	t.Cleanup(func() {
		if ends(s) != before {
			t.Error("the plugin's process ended")
		}
	})
	return b
}

// in is the same barn in a subtest.
func (b *barn) in(t testing.TB) *barn {
	inner := *b
	inner.caller = b.caller.in(t)
	return &inner
}

// ends counts how often the plugin's process has ended other than by Vault's wish.
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
func (b *barn) put(env, name string) string {
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

// opens sees that secrets have their own values.
func (b *barn) opens(when string, paths ...string) {
	b.t.Helper()
	for _, path := range paths {
		expect(b.t, when+", "+path, b.read("secrets/"+path), data{"value": b.newest[path], "version": 3})
		expect(b.t, when+", version 1 of "+path, b.read("secrets/"+path+"?version=1"), data{"value": b.oldest[path], "version": 1})
	}
}

// closed sees that a request is answered with the error for damaged storage, and with nobody's value.
func (b *barn) closed(method, path string, body data) {
	b.t.Helper()
	a := b.refused(method, path, body, http.StatusInternalServerError, "unavailable")
	b.values.absent(b.t, path, a.body)
}

// swap exchanges two entries, and makes caches cold.
func (b *barn) swap(one, two string) {
	b.t.Helper()
	first, second := b.entry(one), b.entry(two)
	b.server.RawWrite(b.t, one, second)
	b.server.RawWrite(b.t, two, first)
	b.server.ReloadPlugin(b.t)
}

// entry reads an entry that must be there.
func (b *barn) entry(key string) []byte {
	b.t.Helper()
	raw := b.server.RawRead(b.t, key)
	if raw == nil {
		b.t.Fatalf("there is no entry %s", key)
	}
	return raw
}

// id reads the id of the workspace, project or environment whose record stands at a key.
func (b *barn) id(key string) string {
	b.t.Helper()
	var record map[int]any
	if err := cbor.Unmarshal(b.entry(key), &record); err != nil {
		b.t.Fatal(err)
	}
	id, _ := record[1].(string)
	if id == "" {
		b.t.Fatalf("%s holds no id", key)
	}
	return id
}

// keys answers where the wrapped keys of a workspace stand.
func (b *barn) keys(w string) string {
	b.t.Helper()
	return "keys/" + b.id("ws/"+w)
}

// environmentID answers the id of an environment given as workspace/project/environment.
func (b *barn) environmentID(env string) string {
	b.t.Helper()
	at := strings.Split(env, "/")
	return b.id("env/" + b.id("proj/"+b.id("ws/"+at[0])+"/"+at[1]) + "/" + at[2])
}

// head answers where a secret's newest value, the inline ones before it and its history stand.
func (b *barn) head(path string) string {
	b.t.Helper()
	env, name := split(path)
	return "sec/" + b.environmentID(env) + "/" + name
}

// version answers where the value of a spilled version stands.
func (b *barn) version(path, number string) string {
	b.t.Helper()
	env, name := split(path)
	return "ver/" + b.environmentID(env) + "/" + name + "/" + number
}

// split cuts the last segment off.
func split(path string) (parent, last string) {
	i := strings.LastIndex(path, "/")
	return path[:i], path[i+1:]
}
