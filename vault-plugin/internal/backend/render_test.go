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
	secrets := data{"PLAIN": "v", "QUOTED": `"so" $HOME`, "APOSTROPHE": "it's", "LINES": "a\nb\n", "EMPTY": "", "NUMBER": "0010", "NO": "no"}
	m.Write("import/"+dev, data{"secrets": secrets})
	m.Write("environments/acme/api/copy", nil)
	for _, format := range []string{"dotenv", "json", "yaml", "shell", "systemd"} {
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
		if format == "shell" || format == "systemd" {
			continue
		}
		m.Write("import/acme/api/copy", data{"format": format, "content": content, "mode": "replace", "confirm": "copy"})
		m.Settle()
		if copied := m.Read("load/acme/api/copy"); !reflect.DeepEqual(copied, m.Read("load/"+dev)) {
			t.Errorf("%s: the copy is %v", format, copied)
		}
		m.Write("import/acme/api/copy", data{"secrets": data{"X": "x"}, "mode": "replace", "confirm": "copy"})
	}
}

func TestValuesThatReadersChangeAreRenderedOnRequest(t *testing.T) {
	m := populated(t)
	m.Write("import/"+dev, data{"secrets": data{"OK": "v", "PRICE": "it's $5 planted", "LINES": "a\nb"}})
	at := "render/" + dev
	refused := m.Refuse(logical.ReadOperation, at, data{"format": "dotenv"})
	expect(t, refused, 400, "invalid", `"PRICE"`, "json, yaml, shell, systemd", "strict=false")
	if strings.Contains(refused.Text, "planted") || strings.Contains(refused.Text, `"OK"`) {
		t.Errorf("the error is %s", refused.Text)
	}
	if got := m.Warnings(logical.ReadOperation, at, data{"strict": false}); len(got) != 1 || !strings.Contains(got[0], `"PRICE"`) || strings.Contains(got[0], "planted") {
		t.Errorf("the warnings are %q", got)
	}
	if got := m.Warnings(logical.ReadOperation, at, data{"format": "shell", "strict": false}); len(got) != 0 {
		t.Errorf("the warnings are %q", got)
	}
	has(t, m.Must(logical.ReadOperation, at, data{"format": "docker", "exclude": "LINES"}), data{"content": "OK=v\nPRICE=it's $5 planted\n"})
	expect(t, m.Refuse(logical.ReadOperation, at, data{"format": "docker"}), 400, "invalid", `"LINES"`, "shell, systemd")
	m.Write(source+"COMMAND", data{"value": "it's $(id)"})
	for _, strict := range []bool{true, false} {
		expect(t, m.Refuse(logical.ReadOperation, at, data{"strict": strict}), 400, "invalid", `"COMMAND"`)
	}
}

func TestTheErrorListsNamesThatAreNotIdentifiers(t *testing.T) {
	m := populated(t)
	m.Write("import/"+dev, data{"secrets": data{"a.b": "planted-value", "OK": "v"}})
	for _, format := range []string{"dotenv", "shell", "docker", "systemd"} {
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
