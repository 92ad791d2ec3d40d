package backend_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
)

func TestTheHelpOfAMountHasItsPath(t *testing.T) {
	m := enginetest.New(t)
	for _, path := range []string{"", "load/acme/api/development", "load/acme", "load", "secrets/acme/api/development/A", "integrations/acme/vault/main", "policies/workload"} {
		resp, err := m.Backend.HandleRequest(t.Context(), &logical.Request{Operation: logical.HelpOperation, Path: path, Storage: m.Storage, MountPoint: "teams/vault/"})
		if err != nil {
			t.Errorf("help of %q: %v", path, err)
			continue
		}
		text, _ := resp.Data["help"].(string)
		if strings.Contains(text, " stashbase/") || strings.Contains(text, `"stashbase/`) || !strings.Contains(text, "teams/vault/") {
			t.Errorf("the help of %q has another mount:\n%s", path, text)
		}
	}
	if text := help(t, m, "load/acme/api/development")["help"].(string); !strings.Contains(text, " stashbase/load/") {
		t.Errorf("without a mount, the help is\n%s", text)
	}
}

// The framework gives every operation all fields of its path. A client that was generated from the
// document would send fields that the operation rejects.
func TestTheOpenAPIDocumentHasOnlyWhatAnOperationAccepts(t *testing.T) {
	m, _ := toyed(t)
	doc := openAPI(t, m)
	checked := 0
	check := func(op logical.Operation, template, field string) {
		path := strings.NewReplacer("{workspace}", "acme", "{project}", "api", "{environment}", "development", "{name}", "A", "{context}", "billing", "{role}", "reader").Replace(strings.TrimPrefix(template, "/"))
		_, err := m.Do(enginetest.Request{Op: op, Path: path, Data: data{field: []any{[]any{"wrong"}}}})
		if err == nil || strings.Contains(err.Error(), " of this path accepts ") {
			t.Errorf("%s %s declares %s: %v", op, template, field, err)
		}
		checked++
	}
	for template, item := range doc.Paths {
		var read logical.Operation = logical.ReadOperation
		if strings.HasSuffix(template, "/") {
			read = logical.ListOperation
		}
		for op, o := range map[logical.Operation]*framework.OASOperation{read: item.Get, logical.DeleteOperation: item.Delete, logical.UpdateOperation: item.Post, logical.PatchOperation: item.Patch} {
			if o == nil {
				continue
			}
			for _, p := range o.Parameters {
				if p.Name != "list" {
					check(op, template, p.Name)
				}
			}
			if o.RequestBody == nil {
				continue
			}
			for _, content := range o.RequestBody.Content {
				for field := range content.Schema.Properties {
					check(op, template, field)
				}
			}
		}
	}
	if checked < 200 {
		t.Errorf("only %d fields were checked", checked)
	}
	parameters := func(o *framework.OASOperation) (names []string) {
		for _, p := range o.Parameters {
			names = append(names, p.Name)
		}
		return names
	}
	one := doc.Paths["/secrets/{workspace}/{project}/{environment}/{name}"]
	if got := parameters(one.Get); !slices.Equal(got, []string{"version"}) {
		t.Errorf("a read accepts %v", got)
	}
	if got := parameters(one.Delete); !slices.Equal(got, []string{"versions"}) {
		t.Errorf("a delete accepts %v", got)
	}
	if doc.Paths["/"] == nil || doc.Paths["//"] != nil {
		t.Errorf("the list of the mount is not at /: %v", slices.Sorted(maps.Keys(doc.Paths))[:3])
	}
}
