package keyring

import (
	"fmt"
	"testing"
)

// awkward are names that contain one another, that are equal when joined, or that look like an
// encoding.
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
			for _, name := range append([]string{w.scope.Name}, awkward...) {
				kek := must(master.kek(v.Version, WorkspaceScope{name, w.scope.ID}))(t)
				wrapping := &ring{versions: []keyVersion{{number: 1, key: kek}}}
				note(fmt.Sprintf("%v named %q wrapping %d", w, name, v.Version), wrapping.use, wrapping.infos())
			}
		}
		note(fmt.Sprintf("%v tokens", w), must(w.AccessTokens())(t).keys.use, versions)
		note(fmt.Sprintf("%v activity", w), must(w.Activity())(t).keys.use, versions)
		for _, a := range awkward {
			note(fmt.Sprintf("%v application %q", w, a), must(w.Application(a))(t).keys.use, versions)
			note(fmt.Sprintf("%v hmac %q", w, a), must(w.ApplicationHMAC(a))(t).keys.use, versions)
			for _, id := range ids {
				noteScopes(t, w, a, id, func(name string, d *derived) { note(fmt.Sprint(w, name), d.use, versions) })
			}
		}
	}
	perVersion := 2 + 1 + 2*len(awkward) + len(ids)*len(awkward)*(1+8*len(awkward))
	if want := 2 + 2 + 2*2*(1+len(awkward)+perVersion); len(seen) != want {
		t.Errorf("got %d different keys, want %d", len(seen), want)
	}
}

// ids are two incarnations of one name.
var ids = []ID{{1}, {2}}

// noteScopes calls note for every kind of scope whose first or last name is a.
func noteScopes(t *testing.T, w *Workspace, a string, id ID, note func(name string, d *derived)) {
	t.Helper()
	note(fmt.Sprintf("webhook %q %s", a, id), must(w.Webhook(WebhookScope{a, id}))(t).keys)
	for _, b := range awkward {
		names := fmt.Sprintf("%q %q %s", a, b, id)
		integration := IntegrationScope{a, b, id}
		note("secrets "+names, must(w.Secrets(EnvironmentScope{a, b, id}))(t).keys)
		note("credentials "+names, must(w.Credentials(integration))(t).keys)
		note("leases "+names, must(w.Leases(integration))(t).keys)
		note("rotations "+names, must(w.RotationJournal(integration))(t).keys)
		for which, sync := range []SyncScope{{a, b, "d", "s", id}, {"p", "e", a, b, id}} {
			note(fmt.Sprint("sync ", which, names), must(w.SyncMetadata(sync))(t).keys)
			note(fmt.Sprint("fingerprints ", which, names), must(w.Fingerprints(sync))(t).keys)
		}
	}
}
