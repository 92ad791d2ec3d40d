package backend_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got == string(want) {
		return
	}
	gotLines, wantLines := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range max(len(gotLines), len(wantLines)) {
		if i >= len(gotLines) || i >= len(wantLines) || gotLines[i] != wantLines[i] {
			t.Fatalf("%s differs from line %d on; if the change is intended, write the file with: go test ./vault-plugin/internal/backend -update\n got  %s\n want %s",
				path, i+1, strings.Join(gotLines[i:min(i+3, len(gotLines))], "\n      "), strings.Join(wantLines[min(i, len(wantLines)):min(i+3, len(wantLines))], "\n      "))
		}
	}
}

func help(t *testing.T, m *enginetest.Mount, path string) data {
	t.Helper()
	resp, err := m.Backend.HandleRequest(t.Context(), &logical.Request{Operation: logical.HelpOperation, Path: path, Storage: m.Storage})
	if err != nil {
		t.Fatalf("help of %q: %v", path, err)
	}
	return resp.Data
}

// openAPI is the OpenAPI document that the mount returns to Vault.
func openAPI(t *testing.T, m *enginetest.Mount) *framework.OASDocument {
	t.Helper()
	text, err := json.Marshal(help(t, m, "")["openapi"])
	if err != nil {
		t.Fatal(err)
	}
	doc := new(framework.OASDocument)
	if err := json.Unmarshal(text, doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// fieldLines describes the fields of a schema, one per line.
func fieldLines(b *strings.Builder, indent string, s *framework.OASSchema) {
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		f := s.Properties[name]
		fmt.Fprintf(b, "%s%s %s", indent, name, f.Type)
		if slices.Contains(s.Required, name) {
			b.WriteString(" required")
		}
		if f.Items != nil {
			fmt.Fprintf(b, " of %s", f.Items.Type)
		}
		for _, note := range []struct {
			name string
			of   any
		}{{"format", f.Format}, {"default", f.Default}, {"one of", f.Enum}} {
			if text := fmt.Sprint(note.of); text != "" && text != "<nil>" && text != "[]" {
				fmt.Fprintf(b, " %s=%s", note.name, text)
			}
		}
		if f.DisplayAttrs != nil && f.DisplayAttrs.Sensitive {
			b.WriteString(" sensitive")
		}
		fmt.Fprintf(b, ": %s\n", f.Description)
	}
}

func TestTheOpenAPIDocumentOfTheMount(t *testing.T) {
	doc := openAPI(t, enginetest.New(t))
	var b strings.Builder
	b.WriteString("The OpenAPI document of the mount, abridged: paths with parameters and operations, and the fields of requests and responses.\n")
	for _, path := range slices.Sorted(maps.Keys(doc.Paths)) {
		item := doc.Paths[path]
		fmt.Fprintf(&b, "\n%s: %s\n", path, item.Description)
		parameters := func(indent string, all []framework.OASParameter) {
			for _, p := range all {
				kind := p.Schema.Type
				if p.Schema.Items != nil {
					kind += " of " + p.Schema.Items.Type
				}
				fmt.Fprintf(&b, "%s%s in %s %s required=%t: %s\n", indent, p.Name, p.In, kind, p.Required, p.Description)
			}
		}
		parameters("  ", item.Parameters)
		for _, op := range []struct {
			verb string
			of   *framework.OASOperation
		}{{"GET", item.Get}, {"POST", item.Post}, {"PATCH", item.Patch}, {"DELETE", item.Delete}} {
			if op.of == nil {
				continue
			}
			fmt.Fprintf(&b, "  %s %s: %s\n", op.verb, op.of.OperationID, op.of.Summary)
			parameters("    ", op.of.Parameters)
			if op.of.RequestBody != nil {
				for kind, content := range op.of.RequestBody.Content {
					fmt.Fprintf(&b, "    takes %s\n", kind)
					fieldLines(&b, "      ", content.Schema)
				}
			}
			for _, status := range slices.Sorted(maps.Keys(op.of.Responses)) {
				resp := op.of.Responses[status]
				fmt.Fprintf(&b, "    %d %s\n", status, resp.Description)
				for _, content := range resp.Content {
					fieldLines(&b, "      ", content.Schema)
				}
			}
		}
	}
	if len(doc.Components.Schemas) > 0 {
		t.Error("the document has schemas that are not written where they are used")
	}
	golden(t, "openapi.golden", b.String())
}

func TestEveryPathOperationAndFieldIsDescribed(t *testing.T) {
	m, _ := toyed(t)
	ids := make(map[string]string)
	for path, item := range openAPI(t, m).Paths {
		for verb, op := range map[string]*framework.OASOperation{"GET": item.Get, "POST": item.Post, "PATCH": item.Patch, "DELETE": item.Delete} {
			if op == nil {
				continue
			}
			if other := ids[op.OperationID]; op.OperationID == "" || other != "" {
				t.Errorf("%s %s has the operation id %q, as has %s", verb, path, op.OperationID, other)
			}
			ids[op.OperationID] = verb + " " + path
		}
	}
	for _, p := range m.Backend.Paths {
		if p.HelpSynopsis == "" || strings.TrimSpace(p.HelpDescription) == "" || p.DisplayAttrs == nil {
			t.Errorf("%s has no help or no display attributes", p.Pattern)
		}
		for name, f := range p.Fields {
			if f.Description == "" {
				t.Errorf("%s: field %s has no description", p.Pattern, name)
			}
		}
		_, creates := p.Operations[logical.CreateOperation]
		if creates != (p.ExistenceCheck != nil) && strings.Trim(p.Pattern, "^$") != "config" {
			t.Errorf("%s: has a create: %t, has an existence check: %t", p.Pattern, creates, p.ExistenceCheck != nil)
		}
		for op, handler := range p.Operations {
			o, ok := handler.(*framework.PathOperation)
			if !ok || o.Summary == "" || o.DisplayAttrs == nil || o.DisplayAttrs.OperationVerb == "" || len(o.Responses) == 0 {
				t.Fatalf("%s %s is not described", op, p.Pattern)
			}
			writes := op != logical.ReadOperation && op != logical.ListOperation && !keepsNothing(p)
			if o.ForwardPerformanceStandby != writes || o.ForwardPerformanceSecondary != writes {
				t.Errorf("%s %s: Vault must forward this operation if and only if it writes", op, p.Pattern)
			}
			for _, responses := range o.Responses {
				for name, f := range responses[0].Fields {
					if f.Description == "" {
						t.Errorf("%s %s: response field %s has no description", op, p.Pattern, name)
					}
				}
			}
		}
	}
}

// keepsNothing reports whether a write to the path changes nothing in storage, so that every node
// can handle it. These are the paths of application encryption.
func keepsNothing(p *framework.Path) bool {
	return p.Fields["context"] != nil && p.Fields["role"] == nil
}

func TestTheHelpOfEveryPath(t *testing.T) {
	m := enginetest.New(t)
	var b strings.Builder
	_, _ = fmt.Fprintf(&b, "%s\n", m.Backend.Help)
	shown := make(map[string]bool)
	for _, p := range m.Backend.Paths {
		_, _ = fmt.Fprintf(&b, "\n=== %s\n%s\n", strings.Trim(p.Pattern, "^$"), p.HelpSynopsis)
		if text := strings.TrimSpace(p.HelpDescription); !shown[text] { // the paths of a category share it
			shown[text] = true
			_, _ = fmt.Fprintf(&b, "\n%s\n", text)
		}
	}
	golden(t, "help.golden", b.String())
	if text, _ := help(t, m, "")["help"].(string); !strings.Contains(text, m.Backend.Help) {
		t.Error("the help of the mount is missing")
	}
}

func TestWhatIsSealWrapped(t *testing.T) {
	golden(t, "sealwrap.golden", strings.Join(enginetest.New(t).Backend.SpecialPaths().SealWrapStorage, "\n")+"\n")
}

// The layout is a contract: every later version must read the entries that are stored today.
func TestTheStorageLayoutOfASmallMount(t *testing.T) {
	m, toys := toyed(t)
	m.Write("config", data{"max_versions": 20})
	m.Write("workspaces/acme", data{"description": "billing", "metadata": data{"team": "a"}, "max_secrets": 100, "cas_required": false, "paused": false})
	m.Write(integration, data{"key": toys.Key(), "labels": "a,b", "allowed_environments": "api/*", "allowed_targets": "*"})
	m.Write("environments/"+dev, data{"production": true, "locked": false})
	m.Write(secret, data{"value": "one", "comment": "first", "tags": "db"})
	m.Write(secret, data{"value": "b25l", "encoding": "base64"})
	m.Write("secrets/"+dev+"/FROM_LARGE", data{"value": spills})
	m.Write("secrets/"+dev+"/FROM_LARGE", data{"value": "small"})
	m.Write(aSync, data{"integration": "main", "shelf": "top", "description": "x", "name_template": "{{ .Name }}", "exclude": "FROM_*", "tags": "db", "readers": "a"})
	rest(t, m)
	m.Write(aSync+"/pause", nil)
	m.Write(integration, data{"read_only": true})
	m.Write("workspaces/acme", data{"paused": true})
	m.Delete(secret, nil)
	m.Write("keys/acme/rotate", nil)
	m.Settle()
	var logged *enginetest.Storage
	m.Storage.Hook(func(op, key string) {
		if logged == nil && op == "get" && strings.HasPrefix(key, "sec/") {
			logged = m.Storage.Clone() // the import is committed, but not applied yet
		}
	})
	m.Write("import/"+dev, data{"secrets": data{"FROM_IMPORT": "two"}})
	m.Settle()
	undone := make(map[string][]byte)
	m.Storage.Hook(func(op, key string) {
		if op == "delete" && strings.HasPrefix(key, "env/") {
			for _, mark := range stored(m, "undone/") {
				undone[mark] = m.Storage.Raw(mark) // the deletion is marked, and not yet committed
			}
		}
	})
	m.Write("environments/acme/api/gone", nil)
	m.Delete("environments/acme/api/gone", nil)
	m.Storage.Hook(nil)
	for key, mark := range undone {
		logged.SetRaw(key, mark)
	}

	ids := make(map[string]string)
	for _, key := range logged.Keys() {
		family, rest, _ := strings.Cut(key, "/")
		if family == "ws" || family == "proj" || family == "env" || family == "int" || family == "sync" {
			var record map[int]any
			if err := cbor.Unmarshal(logged.Raw(key), &record); err != nil {
				t.Fatal(err)
			}
			ids[record[1].(string)] = "<" + family + " " + rest[strings.LastIndex(rest, "/")+1:] + ">"
		}
	}
	stable := regexp.MustCompile(`[0-9a-f]{32,}`)
	replace := func(text string) string {
		return stable.ReplaceAllStringFunc(text, func(id string) string {
			if name, known := ids[id]; known {
				return name
			}
			if len(id) == 32 {
				return "<random>"
			}
			return id
		})
	}
	bytesIn := regexp.MustCompile(`h'([0-9a-f]*)'`)
	var lines []string
	for _, key := range logged.Keys() {
		text, err := cbor.Diagnose(logged.Raw(key))
		if err != nil {
			t.Fatal(err)
		}
		text = bytesIn.ReplaceAllStringFunc(text, func(h string) string { return fmt.Sprintf("<%d bytes>", (len(h)-3)/2) })
		lines = append(lines, replace(key)+"\n    "+replace(text))
	}
	slices.Sort(lines)
	golden(t, "layout.golden", "Storage keys and their records in CBOR diagnostic notation.\n\n"+strings.Join(lines, "\n")+"\n")
}
