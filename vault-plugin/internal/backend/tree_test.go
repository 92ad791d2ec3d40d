package backend_test

import (
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
)

func TestAProjectIsCreatedReadAndChanged(t *testing.T) {
	m := enginetest.New(t)
	m.Write("workspaces/acme", nil)
	has(t, m.Write("projects/acme/api", data{"description": "the API"}), data{
		"name": "api", "description": "the API", "environments": 0, "secrets": 0,
		"created_time": "2026-01-02T03:04:05Z", "updated_time": "2026-01-02T03:04:05Z",
	})
	m.Clock.Advance(time.Minute)
	has(t, m.Write("projects/acme/api", nil), data{"description": "the API", "created_time": "2026-01-02T03:04:05Z", "updated_time": "2026-01-02T03:05:05Z"})
	m.Write("environments/acme/api/development", nil)
	m.Write(secret, data{"value": planted()})
	m = m.Restart()
	has(t, m.Read("projects/acme/api"), data{"description": "the API", "environments": 1, "secrets": 1})
	expect(t, m.Refuse(logical.ReadOperation, "projects/acme/none", nil), 404, "not_found", `"none"`, "acme")
	expect(t, m.Refuse(logical.UpdateOperation, "projects/acme/api", data{"description": strings.Repeat("x", 513)}), 400, "limit", "description:")
}

func TestAnEnvironmentIsCreatedReadAndChanged(t *testing.T) {
	m := populated(t)
	has(t, m.Write("environments/acme/api/production", data{"description": "live", "production": true}), data{
		"name": "production", "description": "live", "production": true, "locked": false, "deletion_allowed": false, "base": "",
		"secrets": 0, "created_time": "2026-01-02T03:04:05Z", "updated_time": "2026-01-02T03:04:05Z",
	})
	m.Clock.Advance(time.Minute)
	m.Write("environments/acme/api/production", data{"locked": true})
	want := data{"description": "live", "production": true, "locked": true, "updated_time": "2026-01-02T03:05:05Z"}
	has(t, m.Read("environments/acme/api/production"), want)
	m = m.Restart()
	has(t, m.Read("environments/acme/api/production"), want)
	expect(t, m.Refuse(logical.UpdateOperation, "environments/acme/api/production", data{"base": "development"}), 403, "denied", "base:", "shared_with")
	has(t, m.Write("environments/acme/api/production", data{"base": ""}), data{"base": ""})
	expect(t, m.Refuse(logical.ReadOperation, "environments/acme/api/none", nil), 404, "not_found", `"none"`, "acme/api")
	expect(t, m.Refuse(logical.UpdateOperation, "environments/acme/api/new", data{"description": strings.Repeat("x", 513)}), 400, "limit", "description:")
}

func TestALockedEnvironmentIsReadAndNotWritten(t *testing.T) {
	m := populated(t)
	value := planted()
	m.Write(secret, data{"value": value})
	m.Write("environments/"+dev, data{"locked": true})
	for m := range restarting(&m) {
		before := m.Storage.Clone()
		for _, req := range []enginetest.Request{
			write(secret, data{"value": planted()}),
			write("secrets/"+dev+"/NEW", data{"value": planted()}),
			remove(secret, nil),
			write("import/"+dev, data{"secrets": data{"A": planted()}}),
			remove("environments/"+dev, data{"confirm": "development"}),
			remove("projects/acme/api", data{"confirm": "api"}),
		} {
			expect(t, m.Refuse(req.Op, req.Path, req.Data), 409, "locked", dev, "environments/"+dev, "locked=false")
		}
		if changed := before.Diff(m.Storage); changed != nil {
			t.Errorf("refused writes have changed %v", changed)
		}
		has(t, m.Read(secret), data{"value": value, "version": 1})
		has(t, m.Read("load/"+dev), data{"DATABASE_URL": value})
		m.Read("metadata/" + dev)
	}
}

func TestDeletingAnEnvironmentReturnsWhatWasDeleted(t *testing.T) {
	m := populated(t)
	m.Write("environments/acme/api/empty", nil)
	has(t, m.Delete("environments/acme/api/empty", nil), data{"name": "empty", "secrets": 0})
	m.Write(secret, data{"value": planted()})
	m.Write("secrets/"+dev+"/OTHER", data{"value": planted()})
	m.Write("environments/"+dev, data{"production": true})

	m.Settle() // the mark of the deletion is removed in the background
	before := m.Storage.Clone()
	expect(t, m.Refuse(logical.DeleteOperation, "environments/"+dev, data{"confirm": "development"}), 409, "conflict", "production", "deletion_allowed=true")
	expect(t, m.Refuse(logical.DeleteOperation, "projects/acme/api", data{"confirm": "api"}), 409, "conflict", "production", "deletion_allowed=true")
	if changed := before.Diff(m.Storage); changed != nil {
		t.Errorf("refused deletions have changed %v", changed)
	}
	m.Write("environments/"+dev, data{"deletion_allowed": true})
	expect(t, m.Refuse(logical.DeleteOperation, "environments/"+dev, nil), 409, "conflict", "2 secrets", "confirm=development")
	expect(t, m.Refuse(logical.DeleteOperation, "environments/"+dev, data{"confirm": "staging"}), 409, "conflict", "2 secrets", "confirm=development")
	has(t, m.Delete("environments/"+dev, data{"confirm": "development"}), data{"name": "development", "secrets": 2})
	if got := m.Delete("environments/"+dev, nil); got != nil {
		t.Errorf("a second delete of the environment returned %v", got)
	}

	m.Write("environments/"+dev, nil)
	if names := m.List("secrets/" + dev); len(names) != 0 {
		t.Errorf("an environment created again has %v", names)
	}
	has(t, m.Write(secret, data{"value": planted()}), data{"version": 1})
}

func TestDeletingAProjectReturnsWhatWasDeleted(t *testing.T) {
	m := populated(t)
	m.Write("environments/acme/api/staging", nil)
	m.Write(secret, data{"value": planted()})
	m.Write("projects/acme/empty", nil)
	has(t, m.Delete("projects/acme/empty", nil), data{"name": "empty", "environments": 0, "secrets": 0})

	expect(t, m.Refuse(logical.DeleteOperation, "projects/acme/api", nil), 409, "conflict", "2 environments with 1 secrets", "confirm=api")
	expect(t, m.Refuse(logical.DeleteOperation, "projects/acme/api", data{"confirm": "acme"}), 409, "conflict", "confirm=api")
	has(t, m.Delete("projects/acme/api", data{"confirm": "api"}), data{"name": "api", "environments": 2, "secrets": 1})
	if got := m.Delete("projects/acme/api", nil); got != nil {
		t.Errorf("a second delete of the project returned %v", got)
	}
	expect(t, m.Refuse(logical.ReadOperation, secret, nil), 400, "not_found", "project", "vault write -force stashbase/projects/acme/api")
	has(t, m.Read("workspaces/acme"), data{"projects": 0, "environments": 0, "secrets": 0})
}
