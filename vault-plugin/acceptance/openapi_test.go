package acceptance_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
)

// document is the part of the mount's OpenAPI document that the tests use.
type document struct {
	Paths map[string]struct {
		Get, Post, Patch, Delete *operation
		Parameters               []parameter
		CreateSupported          bool `json:"x-vault-createSupported"`
	}
}

type operation struct {
	OperationID string
	Summary     string
	Parameters  []parameter
	RequestBody struct {
		Content map[string]struct {
			Schema struct{ Properties map[string]schema }
		}
	}
	Responses map[string]any
}

type parameter struct {
	Name, In string
	Schema   schema
}

type schema struct {
	Type, Format string
	Items        struct{ Type string }
}

// form returns the type and format of a field in one word.
func (s schema) form() string { return s.Type + "/" + s.Format + s.Items.Type }

// openapi reads the document of a caller's mount. Its paths begin with a slash and are relative to
// the mount.
func openapi(c caller) document {
	c.t.Helper()
	a := c.send("GET", "?help=1", nil)
	var help struct{ OpenAPI document }
	if err := json.Unmarshal([]byte(a.body), &help); err != nil || len(help.OpenAPI.Paths) == 0 {
		c.t.Fatalf("%v in %.200s", err, a)
	}
	return help.OpenAPI
}

// fields returns the fields of a request's body.
func (o *operation) fields() map[string]schema {
	return o.RequestBody.Content["application/json"].Schema.Properties
}

func TestTheOpenAPIDocumentIsComplete(t *testing.T) {
	d := openapi(root(t, vault.Server(t)))
	ids := map[string]string{}
	for _, path := range slices.Sorted(maps.Keys(d.Paths)) {
		p := d.Paths[path]
		for method, o := range map[string]*operation{"get": p.Get, "post": p.Post, "patch": p.Patch, "delete": p.Delete} {
			if o == nil {
				continue
			}
			if o.Summary == "" || o.Responses["200"] == nil {
				t.Errorf("%s %s has no summary or no response", method, path)
			}
			if !strings.HasPrefix(o.OperationID, "stashbase-") || ids[o.OperationID] != "" {
				t.Errorf("%s %s has the operation id %q (%s)", method, path, o.OperationID, ids[o.OperationID])
			}
			ids[o.OperationID] = path
		}
	}
}
