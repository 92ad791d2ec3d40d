// Package crds_test validates the Kubernetes manifests of the documentation against the custom
// resource definitions of the operators that read them. The operators' Go modules contain the
// definitions.
package crds_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"go.yaml.in/yaml/v3"

	// These packages keep the modules in go.mod.
	_ "github.com/external-secrets/external-secrets/pkg/constants"
	_ "github.com/hashicorp/vault-secrets-operator/consts"
)

// folders are the folders of the definitions, by the group of their kinds.
var folders = map[string]struct{ module, path string }{
	"external-secrets.io":   {"github.com/external-secrets/external-secrets", "config/crds/bases"},
	"secrets.hashicorp.com": {"github.com/hashicorp/vault-secrets-operator", "config/crd/bases"},
}

// definition is the part of a custom resource definition that the test uses.
type definition struct {
	Spec struct {
		Versions []struct {
			Name   string
			Served bool
			Schema struct {
				OpenAPIV3Schema any `yaml:"openAPIV3Schema"`
			}
		}
	}
}

// schema returns the schema of a kind in an API version such as group/v1.
func schema(t *testing.T, apiVersion, kind string) *openapi3.Schema {
	t.Helper()
	group, version, _ := strings.Cut(apiVersion, "/")
	folder, ok := folders[group]
	if !ok {
		t.Fatalf("the group %q is unknown", group)
	}
	module, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", folder.module).Output()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(strings.TrimSpace(string(module)), folder.path, group+"_"+strings.ToLower(kind)+"s.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var d definition
	if err := yaml.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	for _, v := range d.Spec.Versions {
		if v.Name != version || !v.Served {
			continue
		}
		out, err := json.Marshal(v.Schema.OpenAPIV3Schema)
		if err != nil {
			t.Fatal(err)
		}
		s := new(openapi3.Schema)
		if err := json.Unmarshal(out, s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	t.Fatalf("%s has no version %s", kind, version)
	return nil
}

// unknown returns the paths of the fields that a schema does not have. Kubernetes drops them
// without an error.
func unknown(s *openapi3.Schema, path string, value any) []string {
	var out []string
	switch v := value.(type) {
	case map[string]any:
		if s.AdditionalProperties.Schema != nil || len(s.Properties) == 0 {
			return nil
		}
		for name, field := range v {
			if p := s.Properties[name]; p == nil {
				out = append(out, path+"."+name)
			} else {
				out = append(out, unknown(p.Value, path+"."+name, field)...)
			}
		}
	case []any:
		for i, item := range v {
			out = append(out, unknown(s.Items.Value, fmt.Sprintf("%s[%d]", path, i), item)...)
		}
	}
	return out
}

var block = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// manifests returns the Kubernetes objects in the YAML blocks of a page.
func manifests(t *testing.T, page string) []map[string]any {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var out []map[string]any
	for _, found := range block.FindAllSubmatch(text, -1) {
		for decoder := yaml.NewDecoder(bytes.NewReader(found[1])); ; {
			var object map[string]any
			err := decoder.Decode(&object)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, object)
		}
	}
	return out
}

// problems returns what is wrong with an object.
func problems(t *testing.T, object map[string]any) []string {
	t.Helper()
	s := schema(t, fmt.Sprint(object["apiVersion"]), fmt.Sprint(object["kind"]))
	text, err := json.Marshal(object) // VisitJSON takes the types of JSON
	if err != nil {
		t.Fatal(err)
	}
	var value map[string]any
	if err := json.Unmarshal(text, &value); err != nil {
		t.Fatal(err)
	}
	out := unknown(s, "", value)
	if err := s.VisitJSON(value, openapi3.MultiErrors(), openapi3.VisitAsRequest(), openapi3.DefaultsSet(func() {})); err != nil {
		out = append(out, err.Error())
	}
	return out
}

func TestTheManifestsOfTheDocumentationFitTheDefinitions(t *testing.T) {
	all := manifests(t, "../../docs/guides/kubernetes.md")
	var kinds []string
	for _, object := range all {
		kind := fmt.Sprint(object["kind"])
		kinds = append(kinds, kind)
		t.Run(kind, func(t *testing.T) {
			for _, problem := range problems(t, object) {
				t.Error(problem)
			}
		})
	}
	for _, kind := range []string{"SecretStore", "ExternalSecret", "VaultConnection", "VaultAuth", "VaultStaticSecret"} {
		if !slices.Contains(kinds, kind) {
			t.Errorf("the page has no %s", kind)
		}
	}
}

// The validation finds a field that does not exist, and a value of another form.
func TestAWrongManifestIsReported(t *testing.T) {
	for _, object := range manifests(t, "../../docs/guides/kubernetes.md") {
		spec, _ := object["spec"].(map[string]any)
		spec["surprise"] = true
		if len(problems(t, object)) == 0 {
			t.Errorf("%s: an unknown field is not reported", object["kind"])
		}
		object["spec"] = []any{}
		if len(problems(t, object)) == 0 {
			t.Errorf("%s: a list in place of a map is not reported", object["kind"])
		}
	}
}
