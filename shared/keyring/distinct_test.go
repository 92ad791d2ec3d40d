package keyring

import (
	"fmt"
	"testing"
)

// Names that run together, hold one another or look like an encoding.
var awkward = []string{"", "a", "b", "ab", "ba", "aa", "a/b", "a\x00", "\x00\x01a", "secret", "stash/v1"}

func TestEveryPairOfContextsHasDifferentKeys(t *testing.T) {
	master := must(newTestMaster(t).Rotate(day))(t)
	seen := make(map[[keySize]byte]string)
	note := func(name string, use func(uint32, func(*[keySize]byte) error) error, versions []VersionInfo) {
		for _, v := range versions {
			err := use(v.Version, func(key *[keySize]byte) error {
				of := fmt.Sprintf("%s, version %d", name, v.Version)
				if other, ok := seen[*key]; ok {
					t.Errorf("the keys of %q and %q are equal", of, other)
				}
				seen[*key] = of
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	note("master", master.keys.use, master.Versions())
	note("engine activity", must(master.EngineActivity())(t).keys.use, master.Versions())
	for range 2 {
		w := rotated(t, newTestWorkspace(t, master), 1)
		versions := w.Versions()
		note(fmt.Sprint(w), w.keys.use, versions)
		for _, v := range master.Versions() {
			kek := must(master.kek(v.Version, w.id))(t)
			wrapping := &ring{versions: []keyVersion{{number: 1, key: kek}}}
			note(fmt.Sprintf("%v wrapping %d", w, v.Version), wrapping.use, wrapping.infos())
		}
		note(fmt.Sprintf("%v tokens", w), must(w.AccessTokens())(t).keys.use, versions)
		note(fmt.Sprintf("%v activity", w), must(w.Activity())(t).keys.use, versions)
		for _, a := range awkward {
			note(fmt.Sprintf("%v application %q", w, a), must(w.Application(a))(t).keys.use, versions)
			note(fmt.Sprintf("%v hmac %q", w, a), must(w.ApplicationHMAC(a))(t).keys.use, versions)
			for _, b := range awkward {
				note(fmt.Sprintf("%v secrets %q %q", w, a, b), must(w.Secrets(a, b))(t).keys.use, versions)
				note(fmt.Sprintf("%v integration %q %q", w, a, b), must(w.Integration(a, b))(t).keys.use, versions)
				note(fmt.Sprintf("%v sync %q %q", w, a, b), must(w.SyncMetadata(a, b))(t).keys.use, versions)
				note(fmt.Sprintf("%v fingerprints %q %q", w, a, b), must(w.Fingerprints(a, b))(t).keys.use, versions)
			}
		}
	}
	if want := 2 + 2 + 2*(2+2+2*(2+2*len(awkward)+4*len(awkward)*len(awkward))); len(seen) != want {
		t.Errorf("saw %d keys, want %d", len(seen), want)
	}
}
