package backend_test

import (
	"context"
	"errors"
	"testing"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
)

// kinds returns a mount, the path of one object of each kind that requests create, and a body that
// each accepts.
func kinds(t *testing.T) (*enginetest.Mount, map[string]data) {
	t.Helper()
	m, server := synced(t, nil)
	m.Write(secret, data{"value": "old"})
	m.Settle()
	return m, map[string]data{
		"workspaces/acme": {"description": "new"}, "projects/acme/api": {"description": "new"}, "environments/" + dev: {"description": "new"},
		secret: {"value": "new"}, integration: {"description": "new", "key": server.Key()}, aSync: {"description": "new"},
	}
}

// covered fails unless paths has one path for each pattern that wanted selects.
func covered(t *testing.T, m *enginetest.Mount, paths map[string]data, wanted func(p *framework.Path) bool) {
	t.Helper()
	tested := make(map[*framework.Path]bool)
	for path := range paths {
		tested[m.Backend.Route(path)] = true
	}
	for _, p := range m.Backend.Paths {
		if wanted(p) && !tested[p] {
			t.Errorf("the test has no path for the pattern %s", p.Pattern)
		}
	}
}

// create sends a request that Vault has authorised with the capability to create, because an
// existence check said that the object does not exist.
func create(m *enginetest.Mount, path string, body data, id string) (data, *enginetest.Refused) {
	resp, err := m.Backend.HandleRequest(context.Background(), &logical.Request{
		ID: id, Operation: logical.CreateOperation, Path: path, Data: body, Storage: m.Storage, MountPoint: "stashbase/",
	})
	var coded logical.HTTPCodedError
	if errors.As(err, &coded) {
		return nil, &enginetest.Refused{Status: coded.Code(), Text: coded.Error()}
	}
	if resp == nil {
		return nil, nil
	}
	return resp.Data, nil
}

func TestACreateNeverChangesWhatExists(t *testing.T) {
	m, paths := kinds(t)
	covered(t, m, paths, func(p *framework.Path) bool { return p.Operations[logical.CreateOperation] != nil })
	for path, body := range paths {
		before := m.Storage.Clone()
		_, refused := create(m, path, body, "a create")
		if refused == nil {
			t.Errorf("a create has changed %s", path)
			continue
		}
		expect(t, refused, 409, "conflict", "exists")
		if changed := before.Diff(m.Storage); len(changed) > 0 {
			t.Errorf("a refused create of %s changed %v", path, changed)
		}
	}
}

// If the process of the plugin is gone, Vault sends the request again, still as a create.
func TestAReplayedCreateReturnsWhatItHasCreated(t *testing.T) {
	m, paths := kinds(t)
	for path, body := range map[string]data{
		"workspaces/new": paths["workspaces/acme"], "projects/acme/new": paths["projects/acme/api"], "environments/acme/api/new": paths["environments/"+dev],
		"secrets/" + dev + "/NEW": paths[secret], "integrations/acme/toy/new": paths[integration],
		"syncs/" + dev + "/toy-shelf/new": {"integration": "main", "shelf": "another"},
	} {
		if _, refused := create(m, path, body, "once"); refused != nil {
			t.Errorf("%s: %v", path, refused)
		}
		m.Settle()
		before := m.Storage.Clone()
		if _, refused := create(m, path, body, "once"); refused != nil {
			t.Errorf("the replay of %s: %v", path, refused)
		}
		if changed := before.Diff(m.Storage); len(changed) > 0 {
			t.Errorf("the replay of %s changed %v", path, changed)
		}
		if _, refused := create(m, path, body, "twice"); refused == nil || refused.Status != 409 {
			t.Errorf("another create of %s returned %v, want 409", path, refused)
		}
	}
}

// "Does not exist" would let a caller that may only create overwrite what storage holds.
func TestAnExistenceCheckFailsWhileTheMountCannotBeLoaded(t *testing.T) {
	m, paths := kinds(t)
	paths["config"] = nil
	covered(t, m, paths, func(p *framework.Path) bool { return p.ExistenceCheck != nil })
	check := func(m *enginetest.Mount, path string) (bool, error) {
		_, exists, err := m.Backend.HandleExistenceCheck(context.Background(), &logical.Request{
			ID: "check", Operation: logical.UpdateOperation, Path: path, Storage: m.Storage, MountPoint: "stashbase/",
		})
		return exists, err
	}
	m = m.Restart()
	m.Backend.InvalidateKey(context.Background(), "core/config")
	for path := range paths {
		m.Storage.FailFrom(1, false)
		if exists, err := check(m, path); err == nil {
			t.Errorf("while storage is down, the check of %s reports %t", path, exists)
		}
		if _, refused := create(m, path, data{"value": "new"}, "a create"); refused == nil || refused.Status < 500 {
			t.Errorf("while storage is down, a create of %s returned %v", path, refused)
		}
		m.Storage.Reset()
	}
	for path := range paths {
		if exists, err := check(m, path); err != nil || !exists {
			t.Errorf("when storage is up, the check of %s reports %t, %v", path, exists, err)
		}
	}
}

// As in KV, a delete of what does not exist succeeds: a client that repeats a delete need not know
// whether the first one arrived. A missing parent is an error.
func TestADeleteOfWhatDoesNotExistSucceeds(t *testing.T) {
	m, _ := kinds(t)
	absent := map[string]data{
		"workspaces/none": {"confirm": "none"}, "projects/acme/none": nil, "environments/acme/api/none": nil, "secrets/" + dev + "/NONE": nil,
		"metadata/" + dev + "/NONE": nil, "integrations/acme/toy/none": nil, "syncs/" + dev + "/toy-shelf/none": {"purge": true},
	}
	covered(t, m, absent, func(p *framework.Path) bool { return p.Operations[logical.DeleteOperation] != nil })
	before := m.Storage.Clone()
	for path, body := range absent {
		if got := m.Delete(path, body); got != nil {
			t.Errorf("a delete of %s returned %v", path, got)
		}
	}
	if got := m.Delete("secrets/"+dev+"/NONE", data{"versions": "1,2"}); got != nil {
		t.Errorf("a delete of versions returned %v", got)
	}
	for _, path := range []string{
		"projects/none/api", "environments/acme/none/development", "environments/none/api/development", "secrets/acme/api/none/A", "secrets/acme/none/development/A",
		"metadata/acme/api/none/A", "integrations/none/toy/main", "syncs/acme/api/none/toy-shelf/main",
	} {
		expect(t, m.Refuse(logical.DeleteOperation, path, nil), 400, "not_found")
	}
	m.Write("workspaces/acme/lock", nil)
	expect(t, m.Refuse(logical.DeleteOperation, "secrets/"+dev+"/NONE", nil), 409, "locked")
	m.Write("workspaces/acme/unlock", nil)
	for _, key := range before.Diff(m.Storage) {
		if key[:3] != "ws/" { // it was locked and unlocked
			t.Errorf("the deletes changed %s", key)
		}
	}
}
