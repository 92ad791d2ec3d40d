package backend_test

import (
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
)

// A plan of a given definition returns what the write of that definition then does. It stores
// nothing.
func TestAPlanOfADefinitionBeforeItIsWritten(t *testing.T) {
	m, server := toyed(t)
	m.Write(integration, data{"key": server.Key(), "allowed_environments": "*", "allowed_targets": "*"})
	m.Write("import/acme/api/development", data{"secrets": data{"A": "1", "B": "2"}})
	server.Plant("top", "B", "another's")
	definition := data{"integration": "main", "shelf": "top"}
	m.Settle()
	m.Storage.Reset()
	has(t, planned(m, definition), data{"create": 1, "conflict": 1})
	definition["on_conflict"] = "overwrite"
	has(t, planned(m, definition), data{"create": 1, "update": 1})
	if m.Storage.Counts().Puts != 0 || len(m.List("syncs/acme")) != 0 || len(server.Truth("top")) != 1 {
		t.Error("a plan changed something")
	}
	expect(t, m.Refuse(logical.ReadOperation, aSync+"/plan", nil), 400, "not_found")
	expect(t, m.Refuse(logical.UpdateOperation, aSync+"/plan", data{"integration": "none", "shelf": "top"}), 400, "not_found", "integration toy/none")
	expect(t, m.Refuse(logical.UpdateOperation, aSync+"/plan", data{"integration": "main"}), 400, "invalid", "shelf")

	m.Write(aSync, definition)
	rest(t, m)
	has(t, planned(m, data{"exclude": "B"}), data{"unchanged": 1, "delete": 1})
	has(t, planned(m, data{"exclude": "B", "deletion": "retain"}), data{"unchanged": 1, "retain": 1})
	has(t, planned(m, data{}), data{"unchanged": 2})
	if m.Read(aSync)["exclude"] == "B" || len(server.Truth("top")) != 2 {
		t.Error("a plan changed something")
	}
	const second = "syncs/acme/api/development/toy-shelf/second/plan"
	expect(t, m.Refuse(logical.UpdateOperation, second, definition), 409, "conflict", "same target")
}

// planned returns the counts of a plan for a definition.
func planned(m *enginetest.Mount, definition data) data {
	counts, _ := m.Write(aSync+"/plan", definition)["counts"].(data)
	return counts
}
