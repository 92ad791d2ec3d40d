package provider_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// objects is an engine with objects by path. It records writes and deletions, and performs none.
type objects struct {
	*httptest.Server
	data    map[string]map[string]any
	changes []string
}

func newObjects(t *testing.T, data map[string]map[string]any) *objects {
	t.Helper()
	o := &objects{data: data}
	o.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := strings.TrimPrefix(r.URL.Path, "/v1/stashbase/")
		if r.Method != http.MethodGet {
			o.changes = append(o.changes, r.Method+" "+path)
		}
		found, ok := o.data[path]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte(`{"errors": ["not_found: it does not exist"]}`))
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"data": found})
	}))
	t.Cleanup(o.Close)
	return o
}

// proposed is the state that Terraform proposes to the provider: the configuration, with computed
// attributes from the prior state where the configuration omits them.
func (c *conversation) proposed(schema *tfprotov6.Schema, prior, config map[string]tftypes.Value) map[string]tftypes.Value {
	all := maps.Clone(config)
	for _, a := range schema.Block.Attributes {
		if value, given := config[a.Name]; (!given || value.IsNull()) && a.Computed {
			all[a.Name] = prior[a.Name]
		}
	}
	return all
}

// imported is the result of an import.
type imported struct {
	state   map[string]tftypes.Value
	private []byte
}

// fetch imports an object by its id and reads it, as Terraform does.
func (c *conversation) fetch(resource, id string) imported {
	c.Helper()
	response, err := c.server.ImportResourceState(c.Context(), &tfprotov6.ImportResourceStateRequest{TypeName: resource, ID: id})
	if err != nil {
		c.Fatal(err)
	}
	c.none(response.Diagnostics)
	it := response.ImportedResources[0]
	return c.refresh(resource, it.State, it.Private)
}

func (c *conversation) refresh(resource string, state *tfprotov6.DynamicValue, private []byte) imported {
	c.Helper()
	read, err := c.server.ReadResource(c.Context(), &tfprotov6.ReadResourceRequest{TypeName: resource, CurrentState: state, Private: private})
	if err != nil {
		c.Fatal(err)
	}
	c.none(read.Diagnostics)
	return imported{c.attributes(resource, read.NewState), read.Private}
}

// changed plans an imported resource and returns the attributes that the plan changes.
func (c *conversation) changed(resource string, from imported, config map[string]tftypes.Value) []string {
	c.Helper()
	schema := c.schema.ResourceSchemas[resource]
	response, err := c.server.PlanResourceChange(c.Context(), &tfprotov6.PlanResourceChangeRequest{
		TypeName: resource, PriorState: c.object(schema, from.state), PriorPrivate: from.private,
		ProposedNewState: c.object(schema, c.proposed(schema, from.state, config)), Config: c.object(schema, config),
	})
	if err != nil {
		c.Fatal(err)
	}
	c.none(response.Diagnostics)
	value, err := response.PlannedState.Unmarshal(schema.ValueType())
	planned := map[string]tftypes.Value{}
	if err == nil {
		err = value.As(&planned)
	}
	if err != nil {
		c.Fatal(err)
	}
	var all []string
	for name, value := range planned {
		if !value.Equal(from.state[name]) {
			all = append(all, name)
		}
	}
	return all
}

// theEngine has one object of each kind that a test imports.
func theEngine() map[string]map[string]any {
	version := map[string]any{"version": 3, "state": "live", "encoding": "text", "tags": []string{"a"}}
	secret := maps.Clone(version)
	secret["name"], secret["value"], secret["references"], secret["comment"] = "KEY", "theirs", true, "theirs"
	return map[string]map[string]any{
		"secrets/acme/api/dev/KEY":     secret,
		"metadata/acme/api/dev":        {"secrets": map[string]any{"KEY": version, "GONE": map[string]any{"version": 1, "state": "deleted"}}},
		"environments/acme/api/dev":    {"name": "dev", "base": "api/common", "shared_with": []string{}},
		"integrations/acme/vault/main": {"name": "main", "auth": "token", "address": "https://vault.acme.example", "generation": 4, "state": "ready", "token_set": true},
	}
}

// An import shows what exists. A plan after it has changes only where the configuration differs.
func TestAPlanAfterAnImportShowsOnlyDifferences(t *testing.T) {
	number := func(n int) tftypes.Value { return tftypes.NewValue(tftypes.Number, n) }
	texts := func(all ...string) tftypes.Value {
		var values []tftypes.Value
		for _, one := range all {
			values = append(values, text(one))
		}
		return tftypes.NewValue(tftypes.Set{ElementType: tftypes.String}, values)
	}
	environment := map[string]tftypes.Value{"workspace": text("acme"), "project": text("api"), "environment": text("dev")}
	secret := map[string]tftypes.Value{"name": text("KEY"), "references": tftypes.NewValue(tftypes.Bool, true)}
	written := map[string]tftypes.Value{"value_wo": text("v"), "value_wo_version": number(1)}
	many := func(version int, names ...string) map[string]tftypes.Value {
		values := map[string]tftypes.Value{}
		for _, name := range names {
			values[name] = text("v")
		}
		return map[string]tftypes.Value{"values_wo": tftypes.NewValue(tftypes.Map{ElementType: tftypes.String}, values), "values_wo_version": number(version)}
	}
	for _, c := range []struct {
		name, resource, id string
		config             []map[string]tftypes.Value
		changes            bool
	}{
		{"a value that is set elsewhere", "stashbase_secret", "acme/api/dev/KEY", []map[string]tftypes.Value{environment, secret}, false},
		{"a write-only value", "stashbase_secret", "acme/api/dev/KEY", []map[string]tftypes.Value{environment, secret, written}, false},
		{"the same tags", "stashbase_secret", "acme/api/dev/KEY", []map[string]tftypes.Value{environment, secret, written, {"tags": texts("a")}}, false},
		{"a comment for the next version", "stashbase_secret", "acme/api/dev/KEY", []map[string]tftypes.Value{environment, secret, written, {"comment": text("why")}}, false},
		{"another number", "stashbase_secret", "acme/api/dev/KEY", []map[string]tftypes.Value{environment, secret, written, {"value_wo_version": number(2)}}, true},
		{"other tags", "stashbase_secret", "acme/api/dev/KEY", []map[string]tftypes.Value{environment, secret, written, {"tags": texts("b")}}, true},
		{"no references", "stashbase_secret", "acme/api/dev/KEY", []map[string]tftypes.Value{environment, secret, written, {"references": tftypes.NewValue(tftypes.Bool, false)}}, true},
		{"a value in the state", "stashbase_secret", "acme/api/dev/KEY", []map[string]tftypes.Value{environment, secret, {"value": text("v")}}, true},
		{"the same names", "stashbase_secrets", "acme/api/dev", []map[string]tftypes.Value{environment, many(1, "KEY")}, false},
		{"the same names, with a comment", "stashbase_secrets", "acme/api/dev", []map[string]tftypes.Value{environment, many(1, "KEY"), {"comment": text("why")}}, false},
		{"more names", "stashbase_secrets", "acme/api/dev", []map[string]tftypes.Value{environment, many(1, "KEY", "NEW")}, true},
		{"another number of many", "stashbase_secrets", "acme/api/dev", []map[string]tftypes.Value{environment, many(2, "KEY")}, true},
		{"the long name of a base", "stashbase_environment", "acme/api/dev", []map[string]tftypes.Value{{"workspace": text("acme"), "project": text("api"), "name": text("dev"), "base": text("api/common")}}, false},
		{"the short name of a base", "stashbase_environment", "acme/api/dev", []map[string]tftypes.Value{{"workspace": text("acme"), "project": text("api"), "name": text("dev"), "base": text("common")}}, false},
		{"another base", "stashbase_environment", "acme/api/dev", []map[string]tftypes.Value{{"workspace": text("acme"), "project": text("api"), "name": text("dev"), "base": text("web/common")}}, true},
		{"a credential", "stashbase_integration_vault", "acme/main", []map[string]tftypes.Value{{
			"workspace": text("acme"), "name": text("main"), "address": text("https://vault.acme.example"), "token_wo": text("t"), "token_wo_version": number(1),
		}}, false},
		{"a credential that is set elsewhere", "stashbase_integration_vault", "acme/main", []map[string]tftypes.Value{{
			"workspace": text("acme"), "name": text("main"), "address": text("https://vault.acme.example"),
		}}, false},
		{"another number of a credential", "stashbase_integration_vault", "acme/main", []map[string]tftypes.Value{{
			"workspace": text("acme"), "name": text("main"), "address": text("https://vault.acme.example"), "token_wo": text("t"), "token_wo_version": number(2),
		}}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := newConversation(t)
			in.none(in.configure(map[string]tftypes.Value{"address": text(newObjects(t, theEngine()).URL), "token": text("t")}))
			config := map[string]tftypes.Value{}
			for _, part := range c.config {
				maps.Copy(config, part)
			}
			if changed := in.changed(c.resource, in.fetch(c.resource, c.id), config); (len(changed) > 0) != c.changes {
				t.Errorf("the plan changes %v, want a change: %t", changed, c.changes)
			}
		})
	}
}

// An import records what it finds. If someone else changes that, the plan shows it, but only if the
// configuration sets the value.
func TestDriftAfterAnImport(t *testing.T) {
	given := map[string]tftypes.Value{
		"workspace": text("acme"), "project": text("api"), "environment": text("dev"), "name": text("KEY"), "references": tftypes.NewValue(tftypes.Bool, true),
	}
	engine := newObjects(t, theEngine())
	c := newConversation(t)
	provide := func() { // a new run, with an empty cache
		c.none(c.configure(map[string]tftypes.Value{"address": text(engine.URL), "token": text("t")}))
	}
	provide()
	it := c.fetch("stashbase_secret", "acme/api/dev/KEY")
	engine.data["metadata/acme/api/dev"] = map[string]any{"secrets": map[string]any{"KEY": map[string]any{"version": 4, "state": "live", "encoding": "text", "tags": []string{"a"}}}}
	provide()
	schema := c.schema.ResourceSchemas["stashbase_secret"]
	it = c.refresh("stashbase_secret", c.object(schema, it.state), it.private)
	if changed := c.changed("stashbase_secret", it, given); len(changed) > 0 {
		t.Errorf("a value that is set elsewhere: the plan changes %v", changed)
	}
	given["value_wo"], given["value_wo_version"] = text("v"), tftypes.NewValue(tftypes.Number, 1)
	if changed := c.changed("stashbase_secret", it, given); len(changed) == 0 {
		t.Error("the plan does not show that someone else wrote the value")
	}

	const integration = "stashbase_integration_vault"
	credential := map[string]tftypes.Value{
		"workspace": text("acme"), "name": text("main"), "address": text("https://vault.acme.example"),
		"token_wo": text("t"), "token_wo_version": tftypes.NewValue(tftypes.Number, 1),
	}
	it = c.fetch(integration, "acme/main")
	engine.data["integrations/acme/vault/main"]["generation"] = 5
	it = c.refresh(integration, c.object(c.schema.ResourceSchemas[integration], it.state), it.private)
	if changed := c.changed(integration, it, credential); len(changed) == 0 {
		t.Error("the plan does not show that someone else supplied a credential")
	}
}

// An import does not see the configuration, so it is unknown what belongs to the resource.
func TestADestroyAfterAnImportDeletesNoSecretUnasked(t *testing.T) {
	for _, c := range []struct {
		resource, id, onDestroy string
		deletes                 bool
	}{
		{"stashbase_secret", "acme/api/dev/KEY", "", false},
		{"stashbase_secret", "acme/api/dev/KEY", "soft", true},
		{"stashbase_secret", "acme/api/dev/KEY", "purge", true},
		{"stashbase_secrets", "acme/api/dev", "", false},
	} {
		engine := newObjects(t, theEngine())
		engine.data["metadata/acme/api/dev/KEY"] = map[string]any{}
		in := newConversation(t)
		in.none(in.configure(map[string]tftypes.Value{"address": text(engine.URL), "token": text("t")}))
		it, schema := in.fetch(c.resource, c.id), in.schema.ResourceSchemas[c.resource]
		if c.onDestroy != "" {
			it.state["on_destroy"] = text(c.onDestroy)
		}
		destroyed, err := in.server.ApplyResourceChange(t.Context(), &tfprotov6.ApplyResourceChangeRequest{
			TypeName: c.resource, PriorState: in.object(schema, it.state), PlannedState: in.null(schema), Config: in.null(schema), PlannedPrivate: it.private,
		})
		if err != nil {
			t.Fatal(err)
		}
		if warned := len(destroyed.Diagnostics) == 1 && strings.Contains(destroyed.Diagnostics[0].Summary, "deleted"); warned == c.deletes || len(engine.changes) > 0 != c.deletes {
			t.Errorf("%s, on_destroy %q: requests %q, diagnostics %v", c.resource, c.onDestroy, engine.changes, destroyed.Diagnostics)
		}
	}
}
