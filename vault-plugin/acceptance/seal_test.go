package acceptance_test

import (
	"strings"
	"testing"

	"github.com/stashbase/vault-stashbase/shared/vaulttest"
)

func TestEverythingReadsAfterSealAndRestart(t *testing.T) {
	s := vaulttest.Start(t, vaulttest.Options{Storage: vaulttest.Raft})
	b := newBarn(t, s)
	env := environment(t, b.caller)
	w, _, _ := strings.Cut(env, "/")
	one, two := b.put(env, "ONE"), b.put(b.environment(w, "web", "production"), "TWO")
	b.write("keys/"+w+"/rotate", nil)
	b.write("import/"+env, data{"secrets": data{"IMPORTED": "x"}})
	b.write("secrets/"+env+"/GONE", data{"value": "x"})
	b.must("DELETE", "secrets/"+env+"/GONE", nil)
	b.write("config", data{"max_versions": 7})
	before := b.read("metadata/" + env)
	reads := func(when string) {
		t.Helper()
		b.opens(when, one, two)
		expect(t, when+", load", b.read("load/"+env), data{"ONE": b.newest[one], "IMPORTED": "x", "GONE": nil})
		expect(t, when+", metadata", b.read("metadata/"+env), before)
		expect(t, when+", keys", b.read("keys/"+w), data{"latest_version": 2})
		expect(t, when+", config", b.read("config"), data{"max_versions": 7})
		expect(t, when+", info", b.read("info"), data{"healthy": true, "environments": 2, "secrets": 4})
		rewrapped(t, s, b.caller, w, -1)
	}
	reads("before")
	s.Seal(t)
	if a := b.send("GET", "secrets/"+one, nil); a.status != 503 {
		t.Errorf("a sealed Vault answers %s", a)
	}
	s.Unseal(t)
	reads("unsealed")
	s.Restart(t)
	reads("restarted")
	b.put(env, "MORE")
}
