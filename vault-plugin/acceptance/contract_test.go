package acceptance_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/stashbase/vault-stashbase/shared/vaulttest"
)

// published is the OpenAPI document that the shared server publishes. All servers run the same
// plugin, so it holds for all of them.
var published struct {
	once     sync.Once
	document *openapi3.T
	err      error
}

// contract returns the OpenAPI document that Vault itself publishes, without the paths of other
// mounts. It describes the data of each response.
func contract(t testing.TB) *openapi3.T {
	t.Helper()
	s := vault.Server(t)
	published.once.Do(func() { published.document, published.err = publishedBy(s) })
	if published.err != nil {
		t.Fatal(published.err)
	}
	return published.document
}

func publishedBy(s *vaulttest.Server) (*openapi3.T, error) {
	resp, err := s.Client().Logical().ReadRaw("sys/internal/specs/openapi")
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	d, err := openapi3.NewLoader().LoadFromIoReader(resp.Body)
	if err != nil {
		return nil, err
	}
	d.Components = nil // the schemas of other mounts
	for path := range d.Paths.Map() {
		if !strings.HasPrefix(path, "/"+vaulttest.MountPath+"/") {
			d.Paths.Delete(path)
		}
	}
	return d, nil
}

// conforms reports an error if the data of a response are not as the published document says.
func (c caller) conforms(method, path string, a response) {
	c.t.Helper()
	if a.status != http.StatusOK || a.data == nil || c.mount != vaulttest.MountPath {
		return
	}
	op, err := described(contract(c.t), method, path)
	if err != nil {
		c.t.Error(err)
		return
	}
	schema := op.Responses.Status(http.StatusOK).Value.Content.Get("application/json").Schema.Value
	if err := schema.VisitJSON(a.data, openapi3.MultiErrors()); err != nil {
		c.t.Errorf("%s does not conform to the OpenAPI document: %v", a, err)
	}
	if len(schema.Properties) == 0 {
		return
	}
	for field := range a.data {
		if schema.Properties[field] == nil {
			c.t.Errorf("%s\nhas the field %s, which the OpenAPI document does not name", a, field)
		}
	}
}

// described returns the operation of a request in a document.
func described(d *openapi3.T, method, path string) (*openapi3.Operation, error) {
	path, query, _ := strings.Cut(path, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, err
	}
	path = strings.TrimSuffix(path, "/")
	switch {
	case method == "LIST", method == http.MethodGet && values.Get("list") == "true":
		method, path = http.MethodGet, path+"/"
	case method == http.MethodPut:
		method = http.MethodPost
	}
	path = "/" + vaulttest.MountPath + "/" + strings.TrimPrefix(path, "/") // the list of the mount has no path
	// A literal segment sorts before a parameter, which begins with a brace.
	for _, template := range slices.Sorted(maps.Keys(d.Paths.Map())) {
		if matches(template, path) {
			if op := d.Paths.Value(template).GetOperation(method); op != nil {
				return op, nil
			}
		}
	}
	return nil, fmt.Errorf("the OpenAPI document does not describe %s %s", method, path)
}

// matches reports whether a path has the form of a template such as /secrets/{workspace}.
func matches(template, path string) bool {
	parts, segments := strings.Split(template, "/"), strings.Split(path, "/")
	if len(parts) != len(segments) {
		return false
	}
	for i, part := range parts {
		if parameter := strings.HasPrefix(part, "{"); parameter && segments[i] == "" || !parameter && part != segments[i] {
			return false
		}
	}
	return true
}

func TestVaultPublishesAValidDocumentOfEveryPath(t *testing.T) {
	d := contract(t)
	if err := d.Validate(context.Background()); err != nil {
		t.Error(err)
	}
	for path := range openapi(root(t, vault.Server(t))).Paths {
		item := d.Paths.Value("/" + vaulttest.MountPath + path)
		if item == nil {
			t.Errorf("%s is missing", path)
			continue
		}
		for method, op := range item.Operations() {
			text, err := json.Marshal(op)
			if err != nil || strings.Contains(string(text), "$ref") {
				t.Errorf("%s %s refers to a schema that Vault drops (%v)", method, path, err)
			}
			if media := op.Responses.Status(http.StatusOK).Value.Content.Get("application/json"); media == nil || media.Schema.Value.Type == nil {
				t.Errorf("%s %s: the response has no schema", method, path)
			}
		}
	}
}

// The check of every response finds a difference.
func TestAResponseThatBreaksTheDocumentIsReported(t *testing.T) {
	d := contract(t)
	op, err := described(d, "GET", "keys/acme")
	if err != nil {
		t.Fatal(err)
	}
	schema := op.Responses.Status(http.StatusOK).Value.Content.Get("application/json").Schema.Value
	for _, data := range []data{{}, {"latest_version": "1"}} {
		if schema.VisitJSON(data) == nil {
			t.Errorf("%v conforms", data)
		}
	}
	if _, err := described(d, "GET", "nowhere/acme"); err == nil {
		t.Error("a path that does not exist is described")
	}
}
