package backend_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"
)

// numberedSecrets returns n secrets, whose names begin with the given letter.
func numberedSecrets(letter string, n int) data {
	all := data{}
	for i := range n {
		all[fmt.Sprintf("%s%02d", letter, i)] = "v"
	}
	return all
}

func merged(all ...data) data {
	out := data{}
	for _, one := range all {
		for name, value := range one {
			out[name] = value
		}
	}
	return out
}

// Regression: the wrong file, or an empty one, deleted a whole environment without a question.
func TestAReplaceThatDeletesMuchIsConfirmed(t *testing.T) {
	for _, c := range []struct {
		name       string
		production bool
		before     data
		secrets    data
		deletes    int // with confirmation; 0 if none is needed
	}{
		{"all secrets", false, numberedSecrets("A", 3), numberedSecrets("B", 9), 3},
		{"the only secret", false, numberedSecrets("A", 1), numberedSecrets("B", 1), 1},
		{"all, with nothing in their place", false, numberedSecrets("A", 3), data{}, 3},
		{"all but one of a few", false, numberedSecrets("A", 10), numberedSecrets("A", 1), 0},
		{"half of many", false, numberedSecrets("A", 12), numberedSecrets("A", 6), 0},
		{"more than half of many", false, numberedSecrets("A", 11), numberedSecrets("A", 5), 6},
		{"one of production", true, numberedSecrets("A", 3), numberedSecrets("A", 2), 1},
		{"none of production", true, numberedSecrets("A", 3), numberedSecrets("A", 4), 0},
		{"none of an empty environment", false, data{}, data{}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := populated(t)
			if len(c.before) > 0 {
				m.Write("import/"+dev, data{"secrets": merged(c.before, data{"GONE": "x"})})
				m.Delete("secrets/"+dev+"/GONE", nil) // a deleted secret does not count
			}
			m.Write("environments/"+dev, data{"production": c.production})
			body := data{"secrets": c.secrets, "mode": "replace"}
			m.Write("import/"+dev, merged(body, data{"dry_run": true}))
			if c.deletes == 0 {
				m.Write("import/"+dev, body)
				return
			}
			before := fmt.Sprint(m.Read("load/" + dev))
			expect(t, m.Refuse(logical.UpdateOperation, "import/"+dev, body), 409, "conflict",
				"confirm: ", fmt.Sprintf("delete %d of the %d secrets", c.deletes, len(c.before)), dev, "confirm=development")
			expect(t, m.Refuse(logical.UpdateOperation, "import/"+dev, merged(body, data{"confirm": "production"})), 400, "invalid", "confirm: ", "development")
			if got := fmt.Sprint(m.Read("load/" + dev)); got != before {
				t.Errorf("a refused import left %s", got)
			}
			done := m.Write("import/"+dev, merged(body, data{"confirm": "development"}))
			if deleted, _ := done["deleted"].([]any); len(deleted) != c.deletes {
				t.Errorf("it deleted %v", deleted)
			}
		})
	}
}

func TestAnImportWithoutSecretsIsRefused(t *testing.T) {
	m := populated(t)
	m.Write(secret, data{"value": "kept"})
	for _, mode := range []string{"merge", "replace"} {
		for _, body := range []data{
			{"content": ""}, {"content": "# nothing\n\n"}, {"content": "{}"}, {"content": "", "format": "json"}, {"content": "{}", "format": "yaml"}, {"content": "# x", "format": "yaml"},
		} {
			refused := m.Refuse(logical.UpdateOperation, "import/"+dev, merged(body, data{"mode": mode, "confirm": "development"}))
			expect(t, refused, 400, "invalid", "content: holds no secret")
		}
	}
	expect(t, m.Refuse(logical.UpdateOperation, "import/"+dev, data{"secrets": data{}}), 400, "invalid", "secrets: holds no secret")
	has(t, m.Read(secret), data{"value": "kept", "version": 1})
}

func TestAFormatThatIsLeftOutIsRecognised(t *testing.T) {
	m := populated(t)
	m.Write("import/"+dev, data{"content": "A=1\n"})
	m.Write("import/"+dev, data{"content": "{\"B\": \"2\"}"})
	has(t, m.Read("load/"+dev), data{"A": "1", "B": "2"})
	expect(t, m.Refuse(logical.UpdateOperation, "import/"+dev, data{"content": "C: 3\n"}), 400, "invalid", "line 1", "format=yaml")
}

// Regression: a write or an import that did not mention references made a literal of the value: load
// delivered ${HOST} itself.
func TestAWriteThatDoesNotMentionReferencesKeepsThem(t *testing.T) {
	m := populated(t)
	m.Write(source+"HOST", data{"value": "db"})
	m.Write(source+"URL", data{"value": "${HOST}:1", "references": true, "tags": "db"})
	has(t, m.Write(source+"URL", data{"value": "${HOST}:2"}), data{"references": true, "tags": []string{"db"}, "comment": ""})
	has(t, m.Read("load/"+dev), data{"URL": "db:2"})

	at := "import/" + dev
	has(t, m.Write(at, data{"secrets": data{"URL": "${HOST}:2", "NEW": "${HOST}"}}), names([]string{"NEW"}, []string{}, []string{"URL"}, []string{}))
	has(t, m.Write(at, data{"content": "URL='${HOST}:3'"}), data{"updated": []string{"URL"}})
	for m := range restarting(&m) {
		has(t, m.Read("load/"+dev), data{"URL": "db:3", "NEW": "${HOST}"})
	}

	// Bytes have no references, so the encoding of the write ends them.
	m.Write(source+"URL", data{"value": "aGk=", "encoding": "base64"})
	has(t, m.Write(source+"URL", data{"value": "${HOST}"}), data{"references": false})
	has(t, m.Read("load/"+dev), data{"URL": "${HOST}"})

	// A soft-deleted secret keeps its setting as it keeps its tags.
	m.Write(source+"URL", data{"value": "${HOST}", "references": true})
	m.Delete(source+"URL", nil)
	has(t, m.Write(source+"URL", data{"value": "${HOST}:4"}), data{"references": true})
	m.Delete("metadata/"+dev+"/URL", nil)
	has(t, m.Write(source+"URL", data{"value": "${HOST}"}), data{"references": false})
}

func TestAnImportCanSetReferencesForAll(t *testing.T) {
	m := populated(t)
	at := "import/" + dev
	m.Write(at, data{"secrets": data{"HOST": "db", "URL": "${HOST}"}})
	// The value is the same, but what is delivered is not.
	has(t, m.Write(at, data{"secrets": data{"URL": "${HOST}", "LINK": "${URL}/${NEXT}", "NEXT": "n"}, "references": true}), names([]string{"LINK", "NEXT"}, []string{"URL"}, []string{}, []string{}))
	for m := range restarting(&m) {
		has(t, m.Read("load/"+dev), data{"URL": "db", "LINK": "db/n"})
	}
	has(t, m.Write(at, data{"secrets": data{"URL": "${HOST}"}, "references": false}), data{"updated": []string{"URL"}})
	has(t, m.Read("load/"+dev), data{"URL": "${HOST}", "LINK": "${HOST}/n"})
}

// The references of an import are checked as they are after the import, and all of them or none are
// written.
func TestReferencesOfAnImportAreChecked(t *testing.T) {
	m := populated(t)
	at := "import/" + dev
	m.Write(at, data{"secrets": data{"HOST": "db", "OLD": "x"}})
	m.Write("environments/acme/api/other", data{"shared_with": "api/development"})
	m.Write("secrets/acme/api/other/TARGET", data{"value": "t"})
	for _, c := range []struct {
		secrets data
		mode    string
		word    string
		says    string
	}{
		{data{"A": "${NOWHERE}"}, "merge", "not_found", "api/development/A"},
		{data{"A": "${B}", "B": "${A}"}, "merge", "invalid", "circle"},
		{data{"A": "ok", "B": "${not a name}"}, "merge", "invalid", "secrets: B: "},
		{data{"HOST": "db", "A": "${OLD}"}, "replace", "not_found", "OLD"},
	} {
		body := data{"secrets": c.secrets, "mode": c.mode, "references": true, "confirm": "development"}
		for _, dry := range []bool{true, false} {
			refused := m.Refuse(logical.UpdateOperation, at, merged(body, data{"dry_run": dry}))
			if refused.Word() != c.word || !strings.Contains(refused.Text, c.says) || strings.Contains(refused.Text, "not a name") {
				t.Errorf("%v is refused with %v", c.secrets, refused)
			}
		}
	}
	has(t, m.Read("load/"+dev), data{"HOST": "db", "OLD": "x"})

	// The targets are stored, so an environment that is referred to cannot be deleted.
	m.Write(at, data{"secrets": data{"A": "${other/TARGET}"}, "references": true})
	for m := range restarting(&m) {
		expect(t, m.Refuse(logical.DeleteOperation, "environments/acme/api/other", data{"confirm": "other"}), 409, "conflict", "api/development/A")
	}
}
