package backend_test

import (
	"crypto/sha256"
	"encoding/hex"
	"reflect"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"
)

func TestAnEnvironmentIsRenderedAndImportedAgain(t *testing.T) {
	m := populated(t)
	secrets := data{"PLAIN": "v", "QUOTED": `it's "so" $HOME`, "LINES": "a\nb\n", "EMPTY": "", "NUMBER": "0010", "NO": "no"}
	m.Write("import/"+dev, data{"secrets": secrets})
	m.Write("environments/acme/api/copy", nil)
	for _, format := range []string{"dotenv", "json", "yaml", "shell"} {
		got := m.Must(logical.ReadOperation, "render/"+dev, data{"format": format})
		content, _ := got["content"].(string)
		sum := sha256.Sum256([]byte(content))
		if got["sha256"] != hex.EncodeToString(sum[:]) {
			t.Errorf("%s: sha256 is %v", format, got["sha256"])
		}
		raw := m.Must(logical.ReadOperation, "render/"+dev, data{"format": format, "raw": true})
		if raw["raw"] != content || raw["content_type"] != got["content_type"] {
			t.Errorf("%s: the raw document differs: %v", format, raw)
		}
		if format == "shell" {
			continue
		}
		m.Write("import/acme/api/copy", data{"format": format, "content": content, "mode": "replace"})
		m.Settle()
		if copied := m.Read("load/acme/api/copy"); !reflect.DeepEqual(copied, m.Read("load/"+dev)) {
			t.Errorf("%s: the copy is %v", format, copied)
		}
		m.Write("import/acme/api/copy", data{"secrets": data{"X": "x"}, "mode": "replace"})
	}
}

func TestTheErrorListsNamesThatAreNotIdentifiers(t *testing.T) {
	m := populated(t)
	m.Write("import/"+dev, data{"secrets": data{"a.b": "planted-value", "OK": "v"}})
	for _, format := range []string{"dotenv", "shell"} {
		refused := m.Refuse(logical.ReadOperation, "render/"+dev, data{"format": format})
		if refused.Status != 400 || !strings.Contains(refused.Text, "a.b") || strings.Contains(refused.Text, "planted") {
			t.Errorf("%s is refused with %v", format, refused)
		}
	}
	if got := m.Must(logical.ReadOperation, "render/"+dev, data{"format": "dotenv", "include": "OK"}); got["content"] == "" {
		t.Error("what is selected is not rendered")
	}
	if refused := m.Refuse(logical.ReadOperation, "render/"+dev, data{"format": "toml"}); refused.Word() != "invalid" {
		t.Errorf("an unknown format is refused with %v", refused)
	}
}
