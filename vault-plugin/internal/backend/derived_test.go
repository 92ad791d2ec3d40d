package backend_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/shared/catalog"
	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/shared/provider/providertest/toy"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
)

// The engine contains no text about the toy provider. Everything here derives from its declaration.
func TestARegisteredProviderHasPathsFieldsHelpAndOpenAPI(t *testing.T) {
	m, _ := toyed(t)
	doc := openAPI(t, m)
	ids := map[string]bool{}
	for _, path := range []string{"/integrations/{workspace}/toy/", "/integrations/{workspace}/toy/{name}", "/integrations/{workspace}/toy/{name}/verify"} {
		item := doc.Paths[path]
		if item == nil {
			t.Fatalf("%s is not in the document", path)
		}
		for _, op := range []*framework.OASOperation{item.Get, item.Post, item.Patch, item.Delete} {
			if op != nil {
				ids[op.OperationID] = true
			}
		}
	}
	for _, id := range []string{"list-toy-integrations", "read-toy-integration", "write-toy-integration", "patch-toy-integration", "delete-toy-integration", "verify-toy-integration"} {
		if !ids["stashbase-"+id] {
			t.Errorf("there is no operation %s among %v", id, ids)
		}
	}
	one := m.Backend.Route(integration)
	for name, want := range map[string]framework.FieldSchema{
		"address": {Type: framework.TypeString, Default: "https://toys.example.com"}, "region": {Type: framework.TypeString, Default: "eu", AllowedValues: []any{"eu", "us"}},
		"read_only": {Type: framework.TypeBool}, "page_size": {Type: framework.TypeInt, Default: 100}, "labels": {Type: framework.TypeCommaStringSlice},
		"key": {Type: framework.TypeString}, "account": {Type: framework.TypeString}, "password": {Type: framework.TypeString},
		"auth": {Type: framework.TypeString, Default: "key", AllowedValues: []any{"key", "pair"}},
	} {
		got := one.Fields[name]
		if got == nil {
			t.Errorf("there is no field %s", name)
			continue
		}
		if got.Type != want.Type || got.Default != want.Default || !slices.Equal(got.AllowedValues, want.AllowedValues) || got.Description == "" {
			t.Errorf("field %s is %+v", name, got)
		}
		secret := name == "key" || name == "password"
		if sensitive := got.DisplayAttrs != nil && got.DisplayAttrs.Sensitive; sensitive != secret || got.Query {
			t.Errorf("field %s: sensitive is %t, in the URL %t", name, sensitive, got.Query)
		}
	}
	returned := one.Operations[logical.ReadOperation].Properties().Responses[200][0].Fields
	for _, name := range []string{"key", "password"} {
		if returned[name] != nil || returned[name+"_set"] == nil {
			t.Errorf("the read returns %s, or does not return whether it is set", name)
		}
	}
	text := fmt.Sprint(help(t, m, integration)["help"])
	for _, part := range []string{"A box of shelves in memory.", "Name of the account.", "vault write stashbase/integrations/acme/toy/main key=@key", "auth=pair account=ada"} {
		if !strings.Contains(text, part) {
			t.Errorf("the help does not contain %q:\n%s", part, text)
		}
	}
	shelf := object(t, m.Read("info"), "providers", "toy", "destinations", "toy-shelf")
	has(t, shelf, data{"read_back": "value", "compares": true, "max_value_bytes": 4096, "granularities": []string{"key", "bundle"}})
}

func TestTheErrorForAnUnknownProviderListsTheProviders(t *testing.T) {
	m, _ := toyed(t)
	v := planted()
	for _, path := range []string{"integrations/acme/nothing/main", "integrations/acme/nothing/main/verify"} {
		for _, req := range []enginetest.Request{read(path, nil), write(path, data{"token": v}), patch(path, data{"token": v}), remove(path, nil)} {
			got := m.Refuse(req.Op, req.Path, req.Data)
			expect(t, got, 400, "not_found", `provider "nothing"`, "the providers are: toy")
			if leaks(got.Text, v) != "" {
				t.Errorf("the error contains the value: %s", got.Text)
			}
		}
	}
	expect(t, m.Refuse(logical.ListOperation, "integrations/acme/nothing/", nil), 400, "not_found", "toy")
	if got := m.Refuse(logical.ReadOperation, "integrations/acme/"+strings.ToUpper(v)+"/main", nil); leaks(got.Text, strings.ToUpper(v)) != "" {
		t.Errorf("the error contains an invalid name: %s", got.Text)
	}
}

// A new provider is one folder and one line, so the backend must not mention any provider. The name
// of the provider vault is also the name of the program in help commands. For that name, the test
// searches only for whole texts and parts of paths.
func TestTheBackendKnowsNoProviderByName(t *testing.T) {
	shipped, err := catalog.All()
	if err != nil {
		t.Fatal(err)
	}
	names := append(shipped.Names(), shipped.Destinations()...)
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal("no source found: the test shows nothing")
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, text, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ImportSpec:
				if strings.Contains(n.Path.Value, "/shared/provider/") {
					t.Errorf("%s imports %s", file, n.Path.Value)
				}
				return false // a module's path contains the name of its host
			case *ast.BasicLit:
				text, _ := strconv.Unquote(n.Value)
				for _, name := range names {
					// In prose, a command begins with the word vault.
					if text == name || strings.Contains(text, "/"+name+"/") || name != "vault" && strings.Contains(strings.ToLower(text), name) {
						t.Errorf("%s has the text %q, which names %s", file, text, name)
					}
				}
			}
			return true
		})
	}
}

// If a path has a field that is not declared, registration cannot reject a provider's field of the
// same name.
func TestEveryFieldOfAnIntegrationAndASyncIsDeclared(t *testing.T) {
	m, _ := toyed(t)
	toys, _ := toy.New()
	d := toys.Declare()
	declared := map[string]bool{"poll": true} // run adds it to the sync
	for _, f := range slices.Concat(provider.IntegrationFields(d), provider.SyncFields(d, d.Destinations[0])) {
		declared[f.Name] = true
	}
	for _, f := range slices.Concat(d.Fields, d.Destinations[0].Fields) {
		declared[f.Name] = true
	}
	for _, kind := range d.Auth {
		for _, f := range kind.Fields {
			declared[f.Name], declared[f.Name+"_set"] = true, f.Secret
		}
	}
	sync := "syncs/acme/api/production/toy-shelf/main"
	for _, path := range []string{integration, sync, sync + "/run", sync + "/status", sync + "/adopt", sync + "/pause", sync + "/resume"} {
		route := m.Backend.Route(path)
		names := slices.Collect(maps.Keys(route.Fields))
		for _, op := range route.Operations {
			for _, response := range op.Properties().Responses[200] {
				names = slices.AppendSeq(names, maps.Keys(response.Fields))
			}
		}
		for _, name := range names {
			if !declared[name] {
				t.Errorf("%s: the field %q is not declared", path, name)
			}
		}
	}
}
