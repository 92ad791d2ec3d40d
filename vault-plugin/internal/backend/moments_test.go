package backend_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
)

// loaded returns the response of load as sorted NAME=value, or the error.
func loaded(t *testing.T, m *enginetest.Mount, query enginetest.Data) string {
	t.Helper()
	data, err := m.Do(enginetest.Request{Op: logical.ReadOperation, Path: "load/acme/api/development", Data: query})
	if err != nil {
		var refused *enginetest.Refused
		if errors.As(err, &refused) {
			return refused.Word()
		}
		return err.Error()
	}
	var all []string
	for _, name := range []string{"A", "B", "C", "DB_URL"} {
		if value, ok := data[name].(string); ok {
			all = append(all, name+"="+value)
		}
	}
	return strings.Join(all, " ")
}

func TestLoadReturnsTheSelectedSecrets(t *testing.T) {
	m := enginetest.New(t)
	m.Populate("acme", "api", "development")
	m.Write("import/acme/api/development", enginetest.Data{"secrets": enginetest.Data{"A": "1", "B": "2", "DB_URL": "3"}})
	for _, c := range []struct {
		query enginetest.Data
		want  string
	}{
		{enginetest.Data{"include": "DB_*"}, "DB_URL=3"},
		{enginetest.Data{"include": "A,B"}, "A=1 B=2"},
		{enginetest.Data{"exclude": "DB_*,A"}, "B=2"},
		{enginetest.Data{"include": "?", "exclude": "B"}, "A=1"},
		{enginetest.Data{"include": "NONE"}, ""},
		{enginetest.Data{"include": "[A"}, "invalid"},
	} {
		if got := loaded(t, m, c.query); got != c.want {
			t.Errorf("%v delivers %q, want %q", c.query, got, c.want)
		}
	}
}

func TestLoadReturnsAPastMomentCompletelyOrFails(t *testing.T) {
	m := enginetest.New(t)
	m.Populate("acme", "api", "development")
	var moments []string
	pass := func() {
		moments = append(moments, m.Clock.Now().Format(time.RFC3339))
		m.Clock.Advance(time.Hour)
	}
	pass() // 0: nothing yet
	m.Write("import/acme/api/development", enginetest.Data{"secrets": enginetest.Data{"A": "a1", "B": "b1"}})
	pass() // 1
	m.Write("secrets/acme/api/development/A", enginetest.Data{"value": "a2"})
	m.Delete("secrets/acme/api/development/B", nil)
	pass() // 2
	m.Write("secrets/acme/api/development/B", enginetest.Data{"value": "b2"})
	m.Write("secrets/acme/api/development/C", enginetest.Data{"value": "c1"})
	pass() // 3
	m = m.Restart()
	// At moment 1, B had the version that is deleted now.
	for i, want := range []string{"", "not_found", "A=a2", "A=a2 B=b2 C=c1"} {
		if got := loaded(t, m, enginetest.Data{"version_at": moments[i]}); got != want {
			t.Errorf("at moment %d it delivers %q, want %q", i, got, want)
		}
	}
	if got := loaded(t, m, enginetest.Data{"version_at": moments[1], "exclude": "B"}); got != "A=a1" {
		t.Errorf("without the deleted version, moment 1 delivers %q", got)
	}
	m.Write("undelete/acme/api/development/B", enginetest.Data{"versions": 1})
	if got := loaded(t, m, enginetest.Data{"version_at": moments[1]}); got != "A=a1 B=b1" {
		t.Errorf("after the undelete, moment 1 delivers %q", got)
	}
	future := m.Clock.Now().Add(time.Hour).Format(time.RFC3339)
	if got := loaded(t, m, enginetest.Data{"version_at": future}); got != "invalid" {
		t.Errorf("a time in the future returned %q", got)
	}
	m.Write("destroy/acme/api/development/A", enginetest.Data{"versions": 1})
	m.Delete("metadata/acme/api/development/C", nil)
	m.Write("secrets/acme/api/development/C", enginetest.Data{"value": "c2"})
	for _, mount := range []*enginetest.Mount{m, m.Restart()} {
		m = mount
	}
	for i, want := range []string{"", "not_found", "A=a2 B=b1", "not_found"} {
		if got := loaded(t, m, enginetest.Data{"version_at": moments[i]}); got != want {
			t.Errorf("after a destruction and a removal, moment %d delivers %q, want %q", i, got, want)
		}
	}
	m.Write("metadata/acme/api/development/B", enginetest.Data{"max_versions": 2})
	m.Write("secrets/acme/api/development/B", enginetest.Data{"value": "b3"})
	if got := loaded(t, m, enginetest.Data{"version_at": moments[1], "include": "B"}); got != "not_found" {
		t.Errorf("an evicted version returned %q", got)
	}
}

// What was withdrawn must not be delivered as of an earlier time: load is the only right of a
// workload.
func TestAPastMomentDeliversNothingThatIsWithdrawnNow(t *testing.T) {
	const path = "acme/api/development/A"
	for name, withdraw := range map[string]func(m *enginetest.Mount){
		"deleted": func(m *enginetest.Mount) { m.Delete("secrets/"+path, nil) },
		"deleted with an older number": func(m *enginetest.Mount) {
			m.Write("secrets/"+path, enginetest.Data{"value": "a2"})
			m.Delete("secrets/"+path, enginetest.Data{"versions": 1})
		},
		"deleted by an import": func(m *enginetest.Mount) {
			m.Write("import/acme/api/development", enginetest.Data{"mode": "replace", "secrets": enginetest.Data{"B": "b1"}})
		},
		"destroyed": func(m *enginetest.Mount) { m.Write("destroy/"+path, enginetest.Data{"versions": 1}) },
		"expired":   func(m *enginetest.Mount) { m.Clock.Advance(24 * time.Hour) },
		"removed":   func(m *enginetest.Mount) { m.Delete("metadata/"+path, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			m := enginetest.New(t)
			m.Populate("acme", "api", "development", "staging")
			m.Write("environments/acme/api/development", enginetest.Data{"shared_with": "api/*"})
			if name == "expired" {
				m.Write("workspaces/acme", enginetest.Data{"delete_version_after": "2h"})
			}
			m.Write("secrets/"+path, enginetest.Data{"value": "a1"})
			m.Write("workspaces/acme", enginetest.Data{"delete_version_after": 0})
			m.Write("secrets/acme/api/development/B", enginetest.Data{"value": "b1"})
			m.Write("secrets/acme/api/staging/OF_A", enginetest.Data{"value": "${development/A}", "references": true})
			m.Write("secrets/acme/api/staging/OF_B", enginetest.Data{"value": "${development/B}", "references": true})
			m.Write("environments/acme/api/staging", enginetest.Data{"base": "development"})
			then := m.Clock.Now().Format(time.RFC3339)
			m.Clock.Advance(time.Hour)
			withdraw(m)
			m.Clock.Advance(time.Hour)
			for m := range restarting(&m) {
				for _, at := range []string{"development", "staging"} {
					for _, query := range []enginetest.Data{{}, {"include": "A"}, {"include": "OF_A"}} {
						if at == "development" && query["include"] == "OF_A" {
							continue
						}
						query["version_at"] = then
						for _, family := range []string{"load", "render"} {
							got := m.Refuse(logical.ReadOperation, family+"/acme/api/"+at, query)
							expect(t, got, 400, "not_found", "secret A of acme/api/development")
						}
					}
					query := enginetest.Data{"version_at": then, "exclude": "A,OF_A"}
					if got := m.Must(logical.ReadOperation, "load/acme/api/"+at, query); got["B"] != "b1" || at == "staging" && got["OF_B"] != "b1" {
						t.Errorf("%s without the secret delivers %v", at, got)
					}
				}
			}
		})
	}
}

func TestEnvironmentsAreComparedWithoutValues(t *testing.T) {
	m := enginetest.New(t)
	m.Populate("acme", "api", "development", "production")
	m.Write("import/acme/api/development", enginetest.Data{"secrets": enginetest.Data{"A": "same", "B": "secret-b1", "C": "secret-c", "GONE": "x"}})
	m.Write("import/acme/api/production", enginetest.Data{"secrets": enginetest.Data{"A": "same", "B": "secret-b2", "D": "secret-d"}})
	m.Delete("secrets/acme/api/development/GONE", nil)
	got := m.Must(logical.ReadOperation, "compare/acme/api", enginetest.Data{"from": "development", "to": "production"})
	for field, want := range map[string]string{"only_in_from": "C", "only_in_to": "D", "different": "B", "same": "A"} {
		if names, _ := got[field].([]any); len(names) != 1 || names[0] != want {
			t.Errorf("%s is %v, want %s", field, got[field], want)
		}
	}
	for _, query := range []enginetest.Data{{"from": "development"}, {"from": "development", "to": "none"}, {"from": "UPPER", "to": "production"}} {
		if refused := m.Refuse(logical.ReadOperation, "compare/acme/api", query); refused.Status != 400 {
			t.Errorf("%v is refused with %v", query, refused)
		}
	}
}

// changeIDs returns the ids of the changes, newest first.
func changeIDs(t *testing.T, m *enginetest.Mount) []string {
	t.Helper()
	var ids []string
	for _, raw := range m.Read("changes/acme/api/development")["changes"].([]any) {
		ids = append(ids, raw.(map[string]any)["change"].(string))
	}
	return ids
}

func TestAChangeIsRevertedAsAWhole(t *testing.T) {
	m := enginetest.New(t)
	m.Populate("acme", "api", "development")
	steps := []func(){
		func() {
			m.Write("import/acme/api/development", enginetest.Data{"secrets": enginetest.Data{"A": "a1", "B": "b1"}})
		},
		func() {
			m.Write("secrets/acme/api/development/A", enginetest.Data{"value": "YQ==", "encoding": "base64"})
		},
		func() { m.Delete("secrets/acme/api/development/B", nil) },
		func() { m.Write("secrets/acme/api/development/C", enginetest.Data{"value": "c1"}) },
	}
	states := []string{"A=a1 B=b1", "A=YQ== B=b1", "A=YQ==", "A=YQ== C=c1"}
	for _, step := range steps {
		step()
		m.Clock.Advance(time.Minute)
	}
	m = m.Restart()
	ids := changeIDs(t, m)
	if len(ids) != len(steps) {
		t.Fatalf("there are %d changes", len(ids))
	}
	for i := range states {
		change := ids[len(ids)-1-i]
		m.Write("revert/acme/api/development", enginetest.Data{"change": change, "dry_run": true})
		before := loaded(t, m, nil)
		m.Write("revert/acme/api/development", enginetest.Data{"change": change, "comment": "back"})
		m.Clock.Advance(time.Minute)
		if i > 0 && before == loaded(t, m, nil) {
			t.Errorf("a dry run or no run: %q", before)
		}
		if got := loaded(t, m.Restart(), nil); got != states[i] {
			t.Errorf("after reverting to change %d it delivers %q, want %q", i, got, states[i])
		}
		m = m.Restart()
	}
	if got := m.Must(logical.ReadOperation, "changes/acme/api/development", enginetest.Data{"limit": 1})["changes"].([]any); len(got) != 1 {
		t.Errorf("a limit of 1 returned %d changes", len(got))
	}
	for _, data := range []enginetest.Data{{}, {"change": "none"}} {
		if refused := m.Refuse(logical.UpdateOperation, "revert/acme/api/development", data); refused.Status != 400 {
			t.Errorf("%v is refused with %v", data, refused)
		}
	}
	refused := m.Refuse(logical.UpdateOperation, "revert/acme/api/development", enginetest.Data{"change": "none"})
	if !strings.Contains(refused.Text, "vault read stashbase/changes/acme/api/development") {
		t.Errorf("the error does not name the path of the changes: %v", refused)
	}
	m.Write("destroy/acme/api/development/A", enginetest.Data{"versions": 1})
	storage := m.Storage.Keys()
	if refused := m.Refuse(logical.UpdateOperation, "revert/acme/api/development", enginetest.Data{"change": ids[len(ids)-1]}); refused.Word() != "not_found" {
		t.Errorf("a revert to a destroyed version is refused with %v", refused)
	}
	if len(m.Storage.Keys()) != len(storage) {
		t.Error("a rejected revert wrote something")
	}
}

func TestMetadataArePaged(t *testing.T) {
	m := enginetest.New(t)
	m.Populate("acme", "api", "development")
	m.Write("import/acme/api/development", enginetest.Data{"secrets": enginetest.Data{"A": "1", "B": "2", "C": "3"}})
	var names []string
	after := ""
	for range 5 {
		page := m.Must(logical.ReadOperation, "metadata/acme/api/development", enginetest.Data{"limit": 2, "after": after})
		for name := range page["secrets"].(map[string]any) {
			names = append(names, name)
		}
		next, more := page["next"].(string)
		if !more {
			break
		}
		after = next
	}
	if len(names) != 3 {
		t.Errorf("the pages hold %v", names)
	}
}
