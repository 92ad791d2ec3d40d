package backend_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
)

// keysOf returns the keys of a list.
func keysOf(resp data) []string {
	var keys []string
	raw, _ := resp["keys"].([]any)
	for _, key := range raw {
		keys = append(keys, fmt.Sprint(key))
	}
	return keys
}

// Vault's command line sorts the lines of a table by their keys, so the keys of changes are times.
func TestChangesAreListedByTimeWithOneLineEach(t *testing.T) {
	m := populated(t)
	for _, req := range []enginetest.Request{
		{ID: "import", Op: "update", Path: "import/" + dev, Data: data{"secrets": data{"A": "1", "B": "2", "C": "3", "D": "4"}, "comment": "begin"}},
		{ID: "same time", Op: "update", Path: "secrets/" + dev + "/A", Data: data{"value": "2"}},
	} {
		if _, err := m.Do(req); err != nil {
			t.Fatal(err)
		}
	}
	m.Clock.Advance(1500 * time.Millisecond)
	m.Delete("secrets/"+dev+"/B", nil)
	m.Settle()
	for m := range restarting(&m) {
		resp := m.Must("list", "changes/"+dev+"/", nil)
		first, last := "2026-01-02T03:04:05.000000000Z", "2026-01-02T03:04:06.500000000Z"
		keys := keysOf(resp)
		if want := []string{first, first + "+", last}; !slices.Equal(keys, want) || !slices.IsSorted(keys) {
			t.Fatalf("the changes are %v, want %v", keys, want)
		}
		info := object(t, resp, "key_info")
		both := []data{object(t, info, first), object(t, info, first+"+")}
		slices.SortFunc(both, func(a, b data) int { return len(fmt.Sprint(b["secrets"])) - len(fmt.Sprint(a["secrets"])) })
		has(t, both[0], data{"change": "import", "created_by": "tester", "comment": "begin", "created": 4, "updated": 0, "deleted": 0, "secrets": "A, B, C and 1 more"})
		has(t, both[1], data{"change": "same time", "created_by": "tester", "comment": "", "created": 0, "updated": 1, "deleted": 0, "secrets": "A"})
		has(t, object(t, info, last), data{"created": 0, "updated": 0, "deleted": 1, "secrets": "B"})
		has(t, m.Must("list", "changes/"+dev+"/", data{"limit": 1, "after": first + "+"}), data{"keys": []string{last}, "next": nil})
		if _, isList := m.Read("changes/" + dev)["changes"].([]any); !isList {
			t.Error("a read does not return the changes as a list")
		}
	}
}

func TestMetadataAreListedWithOneLineForEachSecret(t *testing.T) {
	m := populated(t)
	m.Write("secrets/"+dev+"/A", data{"value": "one", "tags": "db,prod"})
	m.Write("secrets/"+dev+"/B", data{"value": "b25l", "encoding": "base64"})
	m.Delete("secrets/"+dev+"/B", nil)
	resp := m.Must("list", "metadata/"+dev+"/", nil)
	if keys := keysOf(resp); !slices.Equal(keys, []string{"A", "B"}) {
		t.Errorf("the secrets are %v", keys)
	}
	now := "2026-01-02T03:04:05Z"
	has(t, object(t, resp, "key_info"), data{
		"A": data{"state": "live", "version": 1, "created_time": now, "updated_time": now, "created_by": "tester", "deletion_time": "", "encoding": "text", "size": 3, "tags": "db, prod"},
		"B": data{"state": "deleted", "version": 1, "created_time": now, "updated_time": now, "created_by": "tester", "deletion_time": now, "encoding": "base64", "size": 3, "tags": ""},
	})
	if _, isMap := m.Read("metadata/" + dev)["secrets"].(data); !isMap {
		t.Error("a read does not return the metadata as an object")
	}
}

func TestVersionsAreListedByNumber(t *testing.T) {
	m := populated(t)
	m.Write("workspaces/acme", data{"max_versions": 100})
	for i := range 11 {
		m.Write(secret, data{"value": fmt.Sprint(i), "comment": fmt.Sprint("number ", i+1)})
	}
	m.Write("destroy/"+dev+"/DATABASE_URL", data{"versions": "2"})
	m.Delete(secret, data{"versions": "3"})
	resp := m.Must("list", "metadata/"+dev+"/DATABASE_URL/", nil)
	if keys := keysOf(resp); len(keys) != 11 || keys[1] != "2" || keys[10] != "11" {
		t.Errorf("the versions are %v", keys)
	}
	info := object(t, resp, "key_info")
	for number, state := range map[string]string{"1": "live", "2": "destroyed", "3": "deleted", "11": "live"} {
		has(t, object(t, info, number), data{"state": state, "created_by": "tester", "comment": "number " + number, "encoding": "text"})
	}
	expect(t, m.Refuse(logical.ListOperation, "metadata/"+dev+"/NONE/", nil), 404, "not_found", "secret NONE")
}

func TestKeyVersionsAreListedWithTheirState(t *testing.T) {
	m := populated(t)
	for range 10 {
		m.Write("keys/acme/rotate", nil)
		m.Write("master-key/rotate", nil)
	}
	m.Settle()
	m.Write("keys/acme", data{"min_decryption_version": 3})
	resp := m.Must("list", "keys/acme/", nil)
	if keys := keysOf(resp); len(keys) != 11 || keys[0] != "1" || keys[1] != "2" || keys[10] != "11" {
		t.Errorf("the key versions are %v", keys)
	}
	now := "2026-01-02T03:04:05Z"
	has(t, object(t, resp, "key_info"), data{
		"2": data{"created_time": now, "state": "refused"}, "3": data{"created_time": now, "state": "decrypt-only"}, "11": data{"created_time": now, "state": "active"},
	})
	has(t, m.Must("list", "keys/acme/", data{"limit": 2, "after": "9"}), data{"keys": []string{"10", "11"}, "next": nil})
	expect(t, m.Refuse(logical.ListOperation, "keys/none/", nil), 404, "not_found", `workspace "none"`)
	latest := fmt.Sprint(m.Read("master-key")["latest_version"])
	has(t, object(t, m.Must("list", "master-key/", nil), "key_info", latest), data{"state": "active"})
}

func TestTheProgressOfARewrapIsAlsoInScalars(t *testing.T) {
	m := populated(t)
	m.Write("import/"+dev, data{"secrets": data{"A": "1", "B": "2"}})
	has(t, m.Read("keys/acme"), data{"rewrap_state": "idle", "rewrap_done": 0, "rewrap_total": 0})
	m.Write("keys/acme/rotate", nil)
	m.Write("master-key/rotate", nil)
	m.Settle()
	for m := range restarting(&m) {
		for path, state := range map[string]string{"keys/acme": "done", "master-key": "idle"} {
			resp := m.Read(path)
			rewrap := object(t, resp, "rewrap")
			has(t, resp, data{"rewrap_state": state, "rewrap_done": rewrap["done"], "rewrap_total": rewrap["total"]})
			if rewrap["done"] == 0.0 || rewrap["state"] != state {
				t.Errorf("%s: the rewrap is %v", path, rewrap)
			}
		}
	}
}
