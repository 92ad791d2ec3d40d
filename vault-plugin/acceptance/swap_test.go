package acceptance_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"
)

func TestASwappedHeadDoesNotOpen(t *testing.T) {
	b := newStorageTest(t, vault.Server(t))
	w, other := workspace(t, b.caller), workspace(t, b.caller)
	env := b.environment(w, "api", "development")
	one := b.put(env, "ONE")
	neighbours := []string{b.put(env, "KEPT"), b.put(b.environment(w, "api", "staging"), "KEPT")}
	for _, tc := range []struct{ name, with string }{
		{"name", b.put(env, "TWO")},
		{"environment", b.put(b.environment(w, "api", "production"), "ONE")},
		{"project", b.put(b.environment(w, "web", "development"), "ONE")},
		{"workspace", b.put(b.environment(other, "api", "development"), "ONE")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := b.in(t)
			heads := [2]string{b.head(one), b.head(tc.with)}
			b.swap(heads[0], heads[1])
			for _, path := range []string{one, tc.with} {
				in, _ := split(path)
				b.closed("GET", "secrets/"+path, nil)
				b.closed("GET", "load/"+in, nil)
				b.closed("POST", "import/"+in, data{"secrets": data{"ONE": b.newest[path], "TWO": b.newest[path]}})
				expect(t, "version 1, which was not moved", b.read("secrets/"+path+"?version=1"), data{"value": b.oldest[path]})
			}
			b.opens("meanwhile", neighbours...)
			b.swap(heads[0], heads[1])
			b.opens("moved back", one, tc.with)
		})
	}
}

func TestASwappedOldVersionDoesNotOpen(t *testing.T) {
	b := newStorageTest(t, vault.Server(t))
	w := workspace(t, b.caller)
	env := b.environment(w, "api", "development")
	one, two, elsewhere := b.put(env, "ONE"), b.put(env, "TWO"), b.put(b.environment(w, "api", "production"), "ONE")
	for _, tc := range []struct{ name, with, number string }{
		{"number", one, "2"},
		{"name", two, "1"},
		{"environment", elsewhere, "1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := b.in(t)
			entries := [2]string{b.version(one, "1"), b.version(tc.with, tc.number)}
			b.swap(entries[0], entries[1])
			b.closed("GET", "secrets/"+one+"?version=1", nil)
			b.closed("GET", "secrets/"+tc.with+"?version="+tc.number, nil)
			expect(t, "the newest version", b.read("secrets/"+one), data{"value": b.newest[one]})
			b.swap(entries[0], entries[1])
			b.opens("moved back", one, tc.with)
		})
	}
}

// Whoever can write to storage might put an old value into the current head.
func TestAnOldValueInAHeadDoesNotOpen(t *testing.T) {
	b := newStorageTest(t, vault.Server(t))
	one := b.put(environment(t, b.caller), "ONE")
	key := b.head(one)
	before := b.entry(key)
	var head, old map[int]any
	if err := cbor.Unmarshal(before, &head); err != nil {
		t.Fatal(err)
	}
	if err := cbor.Unmarshal(b.entry(b.version(one, "1")), &old); err != nil {
		t.Fatal(err)
	}
	newest := head[1]
	for _, tc := range []struct {
		name   string
		sealed any
		opens  bool
	}{{"its own", newest, true}, {"an old one", old[1], false}} {
		t.Run(tc.name, func(t *testing.T) {
			b := b.in(t)
			head[1] = tc.sealed
			forged, err := cbor.Marshal(head)
			if err != nil {
				t.Fatal(err)
			}
			b.server.RawWrite(t, key, forged)
			b.server.ReloadPlugin(t)
			if tc.opens {
				b.opens("written again", one)
				return
			}
			b.closed("GET", "secrets/"+one, nil)
		})
	}
	b.server.RawWrite(t, key, before)
	b.server.ReloadPlugin(t)
	b.opens("restored", one)
}

func TestSwappedKeysOpenNothing(t *testing.T) {
	b := newStorageTest(t, vault.Server(t))
	w, other, third := workspace(t, b.caller), workspace(t, b.caller), workspace(t, b.caller)
	one := b.put(b.environment(w, "api", "development"), "ONE")
	two := b.put(b.environment(other, "api", "development"), "ONE")
	kept := b.put(b.environment(third, "api", "development"), "ONE")
	entries := [2]string{b.keys(w), b.keys(other)}
	b.swap(entries[0], entries[1])
	for _, path := range []string{one, two} {
		env, _ := split(path)
		owner, _, _ := strings.Cut(env, "/")
		b.closed("GET", "secrets/"+path, nil)
		b.closed("GET", "secrets/"+path+"?version=1", nil)
		b.closed("GET", "load/"+env, nil)
		b.closed("POST", "secrets/"+path, data{"value": b.values.value("write under swapped keys")})
		b.closed("POST", "keys/"+owner+"/rotate", data{})
	}
	b.opens("meanwhile", kept)
	b.swap(entries[0], entries[1])
	b.opens("moved back", one, two, kept)
}

// damage is one way to damage the bytes of an entry. sealed is the authenticated part of the entry.
type damage struct {
	name string
	do   func(entry, sealed []byte) []byte
	// sure reports that the entry never opens. Otherwise the damage may miss the sealed part, and
	// the entry may open unchanged.
	sure bool
}

func damages() []damage {
	all := []damage{{"emptied", func([]byte, []byte) []byte { return []byte{} }, true}}
	for _, part := range []int{1, 10, 50, 90} {
		all = append(all, damage{fmt.Sprintf("cut to %d%%", part), func(e, _ []byte) []byte { return e[:max(1, len(e)*part/100)] }, true})
	}
	all = append(all,
		damage{"cut by a byte", func(e, _ []byte) []byte { return e[:len(e)-1] }, true},
		damage{"longer by a byte", func(e, _ []byte) []byte { return append(bytes.Clone(e), 0) }, true},
		damage{"sealed part cut by its tag", func(e, s []byte) []byte { return bytes.Replace(e, s, s[:len(s)-16], 1) }, true},
	)
	for part := range 25 { // header, salt, commitment, nonce, ciphertext, tag
		all = append(all, damage{fmt.Sprintf("bit flipped at %d%% of the sealed part", part*4), func(e, s []byte) []byte {
			return flipped(e, bytes.Index(e, s)+len(s)*part/25, part%8)
		}, true})
	}
	for part := range 25 {
		all = append(all, damage{fmt.Sprintf("bit flipped at %d%%", part*4), func(e, _ []byte) []byte { return flipped(e, len(e)*part/25, part%8) }, false})
	}
	return all
}

func flipped(entry []byte, at, bit int) []byte {
	out := bytes.Clone(entry)
	out[at] ^= 1 << bit
	return out
}

// envelope returns the sealed bytes of a stored record. They are the last size bytes of field 1, or
// the whole field if size is 0.
func (b *storageTest) envelope(entry []byte, size int) []byte {
	b.t.Helper()
	var record map[int]any
	if err := cbor.Unmarshal(entry, &record); err != nil {
		b.t.Fatal(err)
	}
	sealed, _ := record[1].([]byte)
	if len(sealed) < max(size, 84) {
		b.t.Fatalf("the envelope has only %d bytes", len(sealed))
	}
	if size > 0 {
		return sealed[len(sealed)-size:]
	}
	return sealed
}

// spoiled is a damaged entry with its original bytes.
type spoiled struct {
	damage
	path, key string
	before    []byte
}

// spoil damages the entry of one secret for each kind of damage, then reloads the plugin once. size
// is the size of the envelope in the entry.
func (b *storageTest) spoil(size int, put func(i int) (path, key string)) []spoiled {
	b.t.Helper()
	var all []spoiled
	for i, d := range damages() {
		path, key := put(i)
		before := b.entry(key)
		b.server.RawWrite(b.t, key, d.do(before, b.envelope(before, size)))
		all = append(all, spoiled{d, path, key, before})
	}
	b.server.ReloadPlugin(b.t)
	return all
}

// check checks that no damaged entry opens, or that it opens with its own value.
func (b *storageTest) check(all []spoiled) {
	b.t.Helper()
	for _, s := range all {
		a := b.send("GET", "secrets/"+s.path, nil)
		if !s.sure && a.status == http.StatusOK && a.data["value"] == b.newest[s.path] {
			continue
		}
		if a.status != http.StatusInternalServerError || a.word() != "unavailable" {
			b.t.Errorf("%s: %s\nwant 500 unavailable", s.name, a)
		}
		b.values.absent(b.t, s.name, a.body)
	}
}

func (b *storageTest) repair(all []spoiled) {
	b.t.Helper()
	for _, s := range all {
		b.server.RawWrite(b.t, s.key, s.before)
	}
	b.server.ReloadPlugin(b.t)
	for _, s := range all {
		b.opens("repaired after "+s.name, s.path)
	}
}

func TestADamagedHeadIsAnErrorAndAffectsNoOther(t *testing.T) {
	b := newStorageTest(t, vault.Server(t))
	env := environment(t, b.caller)
	kept := b.put(env, "KEPT")
	all := b.spoil(0, func(i int) (path, key string) {
		path = b.put(env, fmt.Sprintf("S%d", i))
		return path, b.head(path)
	})
	b.check(all)
	b.opens("meanwhile", kept)
	b.closed("GET", "load/"+env, nil)
	about, _ := b.read("metadata/" + env)["secrets"].(data)
	for name, state := range map[string]string{"KEPT": "live", "S0": "damaged"} {
		one, _ := about[name].(data)
		expect(t, "metadata of "+name, one, data{"state": state})
	}
	b.repair(all)
}

// wrappedKey is the size of one sealed key version. It is the end of the entry of a workspace with
// one key version. The bytes before it are not authenticated: the number and time of the version,
// and the minimum version for decryption.
const wrappedKey = 84 + 32

func TestDamagedKeysAffectOnlyTheirWorkspace(t *testing.T) {
	b := newStorageTest(t, vault.Server(t))
	kept := b.put(environment(t, b.caller), "KEPT")
	all := b.spoil(wrappedKey, func(int) (path, key string) {
		env := environment(t, b.caller)
		w, _, _ := strings.Cut(env, "/")
		return b.put(env, "ONE"), b.keys(w)
	})
	b.check(all)
	b.opens("meanwhile", kept)
	expect(t, "info", b.read("info"), data{"healthy": false})
	b.repair(all)
	expect(t, "info", b.read("info"), data{"healthy": true})
}
