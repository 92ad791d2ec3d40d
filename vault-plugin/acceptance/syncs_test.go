package acceptance_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/vault/api"

	"github.com/stashbase/vault-stashbase/shared/vaulttest"
)

// synced is an environment with a sync into a KV engine of the same server, and a client of that
// engine.
type synced struct {
	caller
	server *vaulttest.Server
	env    string // workspace/project/environment
	sync   string // path of the sync
	kv     *api.KVv2
	mount  string
	folder string
}

// newSynced mounts a KV engine and creates an integration that may write to it. It creates no sync.
func newSynced(t *testing.T, s *vaulttest.Server) *synced {
	t.Helper()
	c := root(t, s)
	rule := "127.0.0.0/8"
	if s.CACertPEM() == "" {
		rule += "+http"
	}
	c.write("config", data{"egress_allow": []string{rule}})
	var b [4]byte
	_, _ = rand.Read(b[:]) // crypto/rand never returns an error
	y := &synced{caller: c, server: s, env: environment(t, c), mount: "kv-" + hex.EncodeToString(b[:]), folder: "team/api"}
	if err := s.Client().Sys().Mount(y.mount, &api.MountInput{Type: "kv", Options: map[string]string{"version": "2"}}); err != nil {
		t.Fatal(err)
	}
	y.kv, y.sync = s.Client().KVv2(y.mount), "syncs/"+y.env+"/vault-kv/team"
	y.integrate(y.workspace())
	return y
}

func (y *synced) workspace() string {
	w, _, _ := strings.Cut(y.env, "/")
	return w
}

// integrate creates an integration of a workspace with the server itself.
func (y *synced) integrate(w string) {
	y.t.Helper()
	y.write("integrations/"+w+"/vault/team", data{
		"address": y.server.Address(), "ca_pem": y.server.CACertPEM(), "token": y.server.RootToken(), "allowed_environments": "*", "allowed_targets": "*",
	})
}

// definition returns the fields that the sync is written with.
func (y *synced) definition() data {
	return data{"integration": "team", "mount": y.mount, "path": y.folder}
}

// begin creates the sync and waits until it has finished its first run.
func (y *synced) begin() {
	y.t.Helper()
	y.write(y.sync, y.definition())
	y.becomes("SYNCED")
}

func (y *synced) set(name, value string) {
	y.t.Helper()
	y.write("secrets/"+y.env+"/"+name, data{"value": value})
}

func (y *synced) unset(name string) {
	y.t.Helper()
	y.must("DELETE", "secrets/"+y.env+"/"+name, nil)
}

// plant writes an entry to the destination that the sync does not own.
func (y *synced) plant(name, value string) {
	y.t.Helper()
	if _, err := y.kv.Put(context.Background(), y.folder+"/"+name, data{"value": value}); err != nil {
		y.t.Fatal(err)
	}
}

// entries returns all entries at the destination.
func (y *synced) entries() (map[string]string, error) {
	listed, err := y.server.Client().Logical().List(y.mount + "/metadata/" + y.folder)
	found := make(map[string]string)
	if err != nil || listed == nil {
		return found, err
	}
	for _, name := range texts(listed.Data["keys"]) {
		secret, err := y.kv.Get(context.Background(), y.folder+"/"+name)
		switch {
		case errors.Is(err, api.ErrSecretNotFound), err == nil && secret.Data == nil:
			// The entry or its newest version is deleted.
		case err != nil:
			return nil, err
		default:
			found[name] = fmt.Sprint(secret.Data["value"])
		}
	}
	return found, nil
}

// arrives waits until the destination contains exactly the given entries.
func (y *synced) arrives(what string, want map[string]string) {
	y.t.Helper()
	eventually(y.t, y.server, what, func() error {
		got, err := y.entries()
		if err == nil && !maps.Equal(got, want) {
			err = &notYet{fmt.Sprintf("%v, %v", got, y.send("GET", y.sync+"/status", nil))}
		}
		return err
	})
}

// becomes waits for a state of the sync and returns the sync's status.
func (y *synced) becomes(states ...string) data {
	y.t.Helper()
	var status data
	eventually(y.t, y.server, "the sync to become "+strings.Join(states, " or "), func() error {
		a := y.send("GET", y.sync+"/status", nil)
		if status = a.data; a.status != http.StatusOK || !slices.Contains(states, fmt.Sprint(a.data["state"])) {
			return &notYet{a}
		}
		return nil
	})
	return status
}

// versions returns how often each entry was written.
func (y *synced) versions(names ...string) map[string]int {
	y.t.Helper()
	found := make(map[string]int)
	for _, name := range names {
		secret, err := y.kv.Get(context.Background(), y.folder+"/"+name)
		if err != nil {
			y.t.Fatal(err)
		}
		found[name] = secret.VersionMetadata.Version
	}
	return found
}

func TestADestinationFollowsAndKeepsForeignEntries(t *testing.T) {
	for name, plain := range map[string]bool{"over TLS": false, "over plain http": true} {
		t.Run(name, func(t *testing.T) {
			newSynced(t, vaulttest.Start(t, vaulttest.Options{PlainHTTP: plain})).followsAndKeeps()
		})
	}
}

func (y *synced) followsAndKeeps() {
	t := y.t
	y.set("A", "one")
	y.set("B", "two")
	y.plant("THEIRS", "theirs")
	y.begin()
	y.arrives("the first run", map[string]string{"A": "one", "B": "two", "THEIRS": "theirs"})

	y.set("A", "changed")
	y.unset("B")
	y.set("NEW", "")
	y.arrives("changes", map[string]string{"A": "changed", "NEW": "", "THEIRS": "theirs"})

	y.set("THEIRS", "ours")
	y.set("A", "again")
	y.arrives("changes beside a conflict", map[string]string{"A": "again", "NEW": "", "THEIRS": "theirs"})
	if status := y.becomes("CONFLICT", "PARTIAL"); status["hint"] == "" {
		t.Errorf("a conflict has no hint: %v", status)
	}
	y.write(y.sync+"/adopt", data{"keys": "THEIRS"})
	y.arrives("the adopted entry", map[string]string{"A": "again", "NEW": "", "THEIRS": "ours"})
	y.becomes("SYNCED")

	for _, name := range []string{"A", "NEW", "THEIRS"} {
		y.unset(name)
	}
	y.arrives("an emptied environment", map[string]string{})
}

func TestARotationWritesNothingToTheDestination(t *testing.T) {
	y := newSynced(t, vaulttest.Start(t, vaulttest.Options{}))
	y.set("A", "one")
	y.set("B", "two")
	y.begin()
	before := y.versions("A", "B")
	y.write("keys/"+y.workspace()+"/rotate", nil)
	rewrapped(t, y.server, y.caller, y.workspace(), -1)
	y.write("keys/"+y.workspace(), data{"min_decryption_version": 2})
	y.write("keys/"+y.workspace()+"/trim", nil)
	y.server.ReloadPlugin(t)
	y.write(y.sync+"/run", data{"wait": "10s"})
	y.becomes("SYNCED")
	if after := y.versions("A", "B"); !maps.Equal(after, before) {
		t.Errorf("the destination had versions %v, and now has %v", before, after)
	}
	y.set("A", "changed")
	y.arrives("a change after it", map[string]string{"A": "changed", "B": "two"})
}

func TestOverlappingSyncsAreRefusedWithinAWorkspaceOnly(t *testing.T) {
	y := newSynced(t, vaulttest.Start(t, vaulttest.Options{}))
	y.set("A", "one")
	y.begin()
	staging := y.environment(y.workspace(), "api", "staging")
	y.refused("POST", "syncs/"+staging+"/vault-kv/second", y.definition(), http.StatusConflict, "conflict")
	y.refused("GET", "syncs/"+staging+"/vault-kv/second", nil, http.StatusNotFound, "not_found")

	other := workspace(t, y.caller)
	y.integrate(other)
	theirs := *y
	theirs.env = y.environment(other, "api", "development")
	theirs.sync = "syncs/" + theirs.env + "/vault-kv/team"
	theirs.set("A", "of another workspace")
	theirs.set("B", "of another workspace")
	theirs.write(theirs.sync, theirs.definition())
	theirs.becomes("CONFLICT", "PARTIAL")
	theirs.arrives("the entry without an owner", map[string]string{"A": "one", "B": "of another workspace"})
}

// A run that cannot read all of its source must not treat the missing secrets as deleted.
func TestAnUnreadableSourceDeletesNothing(t *testing.T) {
	y := newSynced(t, vaulttest.Start(t, vaulttest.Options{}))
	for _, name := range []string{"A", "B", "C"} {
		y.set(name, "value of "+name)
	}
	y.begin()
	b := newStorageTest(t, y.server)
	head := b.head(y.env + "/A")
	kept := y.server.RawRead(t, head)
	y.server.RawWrite(t, head, kept[:len(kept)/2])
	y.server.ReloadPlugin(t)
	y.unset("C")
	y.send("POST", y.sync+"/run", data{"wait": "10s"})
	all := map[string]string{"A": "value of A", "B": "value of B", "C": "value of C"}
	if status := y.becomes("BLOCKED", "FAILED", "RETRYING", "PARTIAL"); strings.Contains(fmt.Sprint(status), "value of") {
		t.Errorf("the status contains a value: %v", status)
	}
	y.arrives("all entries as before", all)
	y.server.RawWrite(t, head, kept)
	y.server.ReloadPlugin(t)
	delete(all, "C")
	y.send("POST", y.sync+"/run", data{"wait": "10s"})
	y.arrives("the deletion after the source is readable", all)
}

func TestASyncIsDeletedWithOrWithoutItsEntries(t *testing.T) {
	for _, tc := range []struct {
		purge string
		left  map[string]string
	}{
		{"true", map[string]string{"THEIRS": "theirs"}},
		{"false", map[string]string{"A": "one", "THEIRS": "theirs"}},
	} {
		t.Run("purge="+tc.purge, func(t *testing.T) {
			y := newSynced(t, vaulttest.Start(t, vaulttest.Options{}))
			y.set("A", "one")
			y.plant("THEIRS", "theirs")
			y.begin()
			y.refused("DELETE", y.sync, nil, http.StatusBadRequest, "invalid")
			y.refused("DELETE", "integrations/"+y.workspace()+"/vault/team", nil, http.StatusConflict, "conflict")
			y.must("DELETE", y.sync+"?purge="+tc.purge, nil)
			y.arrives("what is left", tc.left)
			eventually(t, y.server, "the sync to be gone", func() error {
				if a := y.send("GET", y.sync, nil); a.status != http.StatusNotFound {
					return &notYet{a}
				}
				return nil
			})
			y.must("DELETE", "integrations/"+y.workspace()+"/vault/team", nil)
		})
	}
}

func TestAForbiddenSyncShowsTheReasonInItsStatus(t *testing.T) {
	y := newSynced(t, vaulttest.Start(t, vaulttest.Options{}))
	for _, tc := range []struct {
		name        string
		integration data // changes after the sync exists
		sync        data
		class       string
	}{
		{"environment no longer allowed", data{"allowed_environments": "api/other"}, data{}, "permission"},
		{"target no longer allowed", data{"allowed_targets": "elsewhere/*"}, data{}, "permission"},
		{"credential refused", data{"token": "hvs." + value()}, data{}, "auth"},
		{"the engine's own mount", data{}, data{"mount": vaulttest.MountPath}, "invalid"},
		{"no such mount", data{}, data{"mount": "nothing-here"}, "not_found"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			y := *y
			y.caller = y.in(t)
			y.env = y.environment(workspace(t, y.caller), "api", "development")
			y.sync = "syncs/" + y.env + "/vault-kv/team"
			y.integrate(y.workspace())
			definition := y.definition()
			maps.Copy(definition, tc.sync)
			y.write(y.sync, definition)
			if len(tc.integration) > 0 {
				y.becomes("SYNCED")
				y.must("PATCH", "integrations/"+y.workspace()+"/vault/team", tc.integration)
			}
			y.set("A", "one")
			status := y.becomes("BLOCKED", "FAILED", "RETRYING")
			if status["error_class"] != tc.class || fmt.Sprint(status["hint"]) == "" || len(texts(status["next_actions"])) == 0 {
				t.Errorf("the status is %v; the class should be %s, with a hint and next actions", status, tc.class)
			}
		})
	}
	y.arrives("nothing", map[string]string{})
}

func TestASyncThatIsNotAllowedIsRefused(t *testing.T) {
	y := newSynced(t, vaulttest.Start(t, vaulttest.Options{}))
	for field, pattern := range map[string]string{"allowed_environments": "api/other", "allowed_targets": "elsewhere/*"} {
		y.must("PATCH", "integrations/"+y.workspace()+"/vault/team", data{"allowed_environments": "*", "allowed_targets": "*"})
		y.must("PATCH", "integrations/"+y.workspace()+"/vault/team", data{field: pattern})
		if a := y.refused("POST", y.sync, y.definition(), http.StatusForbidden, "denied"); !strings.Contains(a.body, field) {
			t.Errorf("the error does not name %s: %s", field, a)
		}
	}
}
