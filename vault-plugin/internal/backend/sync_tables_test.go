package backend_test

import (
	"slices"
	"testing"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/shared/provider/providertest/toy"
)

// table returns the rows of a list: what `vault list -detailed` prints. Every detail must be a
// scalar, because the command prints a list or an object in Go's syntax.
func table(t *testing.T, resp data) map[string]data {
	t.Helper()
	keys, _ := resp["keys"].([]any)
	rows, info := make(map[string]data), object(t, resp, "key_info")
	if len(info) != len(keys) {
		t.Errorf("%d keys have %d details", len(keys), len(info))
	}
	for _, key := range keys {
		name, _ := key.(string)
		row, _ := info[name].(data)
		for field, value := range row {
			switch value.(type) {
			case string, float64, bool:
			default:
				t.Errorf("%s of %s is a %T", field, name, value)
			}
		}
		rows[name] = row
	}
	return rows
}

func TestPlanAndStatusAreTables(t *testing.T) {
	m, server := synced(t, nil)
	server.Plant("top", "B", "another's")
	m.Write(source+"A", data{"value": "1"})
	m.Write(source+"B", data{"value": "2"})
	rest(t, m)
	m.Write(source+"A", data{"value": "2"})
	m.Write(source+"C", data{"value": "3"})

	rows := table(t, m.Must("list", aSync+"/plan/", nil))
	if len(rows) != 3 {
		t.Errorf("the plan has the rows %v", rows)
	}
	has(t, rows["A"], data{"secret": "A", "version": 2, "action": "update", "hint": "", "takes_over": false})
	has(t, rows["B"], data{"action": "conflict"})
	has(t, rows["C"], data{"action": "create"})

	rows = table(t, m.Must("list", aSync+"/status/", nil))
	has(t, rows["A"], data{"secret": "A", "version": 1, "state": "SYNCED", "error_class": "", "hint": ""})
	has(t, rows["B"], data{"state": "CONFLICT", "error_class": "conflict"})
	if len(rows) != 2 {
		t.Errorf("the status has the rows %v", rows)
	}
	page := m.Must("list", aSync+"/status/", data{"limit": 1})
	has(t, page, data{"keys": []string{"A"}, "next": "A"})

	server.OnCall(always(toy.Refused(outbound.Auth, 0)))
	m.Write(aSync+"/run", data{"wait": "1s"})
	m.Settle()
	rows = table(t, m.Must("list", "status/acme/", nil))
	has(t, rows["api/development/toy-shelf/main"], data{"kind": "sync", "state": "FAILED", "error_class": "auth", "needs_person": true})
	has(t, rows["toy/main"], data{"kind": "integration", "state": "ready", "error_class": "auth", "needs_person": true})
	if len(rows) != 2 {
		t.Errorf("the status of the workspace has the rows %v", rows)
	}
	// A read of the same paths stays JSON with lists.
	for path, field := range map[string]string{aSync + "/status": "keys", "status/acme": "syncs"} {
		if _, isList := m.Read(path)[field].([]any); !isList {
			t.Errorf("a read of %s has no list %s", path, field)
		}
	}
}

// Two secrets can have the same name at the destination, or none. Each has its own row.
func TestAPlanHasARowForEachSecret(t *testing.T) {
	m, _ := synced(t, data{"name_template": `{{ .Name | trimPrefix "X_" }}`})
	m.Write("import/acme/api/development", data{"secrets": data{"A": "1", "X_A": "2", "X_": "3"}})
	resp := m.Must("list", aSync+"/plan/", nil)
	var keys []string
	for key, row := range table(t, resp) {
		keys = append(keys, key)
		has(t, row, data{"action": "invalid"})
	}
	if slices.Sort(keys); !slices.Equal(keys, []string{"(secret X_)", "A", "A (secret X_A)"}) {
		t.Errorf("the keys are %q", keys)
	}
}
