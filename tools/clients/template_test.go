package clients_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stashbase/vault-stashbase/shared/vaulttest"
)

// consulTemplate renders a template once.
func consulTemplate(t *testing.T, w workload, template string) (string, error) {
	t.Helper()
	program := script(t, "build-tool.sh", "clients", "github.com/hashicorp/consul-template", "github.com/hashicorp/consul-template", "-ldflags=-s -w")
	dir := t.TempDir()
	source, target := filepath.Join(dir, "source"), filepath.Join(dir, "target")
	if err := os.WriteFile(source, []byte(template), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := w.try(t, dir, program, "-once", "-vault-renew-token=false", "-vault-retry-attempts=1", "-template", source+":"+target)
	if err != nil {
		return out, err
	}
	text, err := os.ReadFile(target)
	if err != nil {
		t.Fatal(err)
	}
	return string(text), nil
}

func TestConsulTemplateReadsAnEnvironment(t *testing.T) {
	w := newWorkload(t)
	text, err := consulTemplate(t, w, `{{ with secret "`+vaulttest.MountPath+"/"+w.path+`" }}{{ .Data | toJSON }}{{ end }}`)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	var got map[string]string
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	delivered(t, got)
}

func TestConsulTemplateListsEnvironmentsAndSecrets(t *testing.T) {
	w := newWorkload(t)
	text, err := consulTemplate(t, w, `{{ range secrets "`+vaulttest.MountPath+`/load/clients/api" }}{{ . }} {{ end }}`)
	if err != nil || strings.Fields(text)[0] != "development" {
		t.Errorf("%v %q", err, text)
	}
}

func TestConsulTemplateReportsAMissingEnvironment(t *testing.T) {
	w := newWorkload(t)
	text, err := consulTemplate(t, w, `{{ with secret "`+vaulttest.MountPath+"/"+missing+`" }}{{ .Data.API_KEY }}{{ end }}`)
	if err == nil || !strings.Contains(text, "no secret exists at") {
		t.Errorf("%v %q", err, text)
	}
}

// A query in the path of a template reaches the engine. So a template can select secrets.
func TestConsulTemplateSelectsSecretsWithAQuery(t *testing.T) {
	w := newWorkload(t)
	text, err := consulTemplate(t, w, `{{ with secret "`+vaulttest.MountPath+"/"+w.path+`?include=API_*" }}{{ .Data | toJSON }}{{ end }}`)
	if err != nil || text != `{"API_KEY":"a made-up value"}` {
		t.Errorf("%v %q", err, text)
	}
}
