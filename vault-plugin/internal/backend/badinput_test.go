package backend_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/naming"
)

// wrong is a request that the engine must reject without changing anything.
type wrong struct {
	name    string
	request enginetest.Request
	value   string // planted in the request; no error may contain it
	status  int
	word    string
	says    []string
}

// reject sends wrong requests. It checks that no error contains a planted value and that storage
// does not change.
func reject(t *testing.T, m *enginetest.Mount, cases []wrong) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m.Settle()
			before := m.Storage.Clone()
			got := m.Refuse(c.request.Op, c.request.Path, c.request.Data)
			expect(t, got, c.status, c.word, c.says...)
			if part := leaks(got.Text, c.value); part != "" {
				t.Errorf("the error contains %q of the value: %s", part, got.Text)
			}
			m.Settle()
			if changed := before.Diff(m.Storage); changed != nil {
				t.Errorf("storage has changed: %v", changed)
			}
		})
	}
}

// digits returns a number that occurs in no limit and in no error.
func digits() string {
	text := make([]byte, 15)
	for i := range text {
		text[i] = "789"[rand.IntN(3)]
	}
	return string(text)
}

func number(text string) (n int) {
	_, _ = fmt.Sscan(text, &n)
	return n
}

func TestInvalidFieldsAreRejectedWithFieldAndForm(t *testing.T) {
	m := populated(t)
	m.Write(secret, data{"value": planted()})
	v, n := planted(), digits()
	imports := "import/" + dev
	reject(t, m, []wrong{
		{"unknown field", write(secret, data{"value": v, "valeu": v}), v, 400, "invalid", []string{"valeu:", "unknown field", "did you mean value?"}},
		{"unknown field whose name is a value", write(secret, data{v: "x"}), v, 400, "invalid", []string{"unprintable name", "cas, comment, encoding"}},
		{"unknown field in the form of a secret's name", write(secret, data{"DB_USER": v}), v, 400, "invalid", []string{"DB_USER: unknown field", "value=", "with import", "accepts cas"}},
		{"unknown field of a new secret", write("secrets/"+dev+"/NEW", data{"API_KEY": v, "S3_BUCKET": v}), v, 400, "invalid", []string{"API_KEY: unknown field", "value="}},
		{"unknown field of a patch", patch(secret, data{"DB_USER": v}), v, 400, "invalid", []string{"DB_USER: unknown field", "value=", "a patch of this path"}},
		{"names and values of an import in its own fields", write(imports, data{"DB_USER": v}), v, 400, "invalid", []string{"DB_USER: unknown field", `- <<<'{"secrets": {...}}'`}},
		{"field of a write in a read", read(secret, data{"value": v}), v, 400, "invalid", []string{"value: is only for a write or patch;", "a read of this path accepts version"}},
		{"field of a write in a delete", remove(secret, data{"value": v}), v, 400, "invalid", []string{"value: is only for a write or patch;", "a delete of this path accepts versions"}},
		{"version of a delete", remove(secret, data{"version": 1}), "", 400, "invalid", []string{"version: is only for a read;"}},
		{"version of a write", write(secret, data{"value": v, "version": 1}), v, 400, "invalid", []string{"version: is only for a read;"}},
		{"versions of a read", read(secret, data{"versions": "1"}), "", 400, "invalid", []string{"versions: is only for a delete;"}},
		{"versions of a write", write(secret, data{"value": v, "versions": "1"}), v, 400, "invalid", []string{"versions: is only for a delete;"}},
		{"confirmation of a write", write("workspaces/acme", data{"confirm": "acme"}), "", 400, "invalid", []string{"confirm: is only for a delete;"}},
		{"confirmation of a read", read("projects/acme/api", data{"confirm": "api"}), "", 400, "invalid", []string{"confirm: is only for a delete;", "accepts no fields"}},
		{"version of a load", read("load/"+dev, data{"version": "2"}), "", 400, "invalid", []string{"version: unknown field", "give version_at"}},
		{"version of a render", read("render/"+dev, data{"version": "2"}), "", 400, "invalid", []string{"version: unknown field", "give version_at"}},
		{"cache buster of a load", read("load/"+dev, data{"_": digits()}), "", 400, "invalid", []string{"_: unknown field"}},
		{"comparison without from", read("compare/acme/api", data{"to": "development"}), "", 400, "invalid", []string{"from: is required; give the name of the first environment"}},
		{"comparison without to", read("compare/acme/api", data{"from": "development"}), "", 400, "invalid", []string{"to: is required; give the name of the second environment"}},
		{"comparison of nothing", read("compare/acme/api", nil), "", 400, "invalid", []string{"from: is required"}},
		{"type of a data key", write("datakey/acme/billing", data{"type": v}), v, 400, "invalid", []string{"type:", "plaintext", "wrapped"}},
		{"no type of a data key", write("datakey/acme/billing", data{"type": ""}), "", 400, "invalid", []string{"type:", "plaintext", "wrapped"}},
		{"metadata as text", write("workspaces/acme", data{"metadata": v}), v, 400, "invalid", []string{"metadata:", "JSON object", `- <<<'{"metadata": {...}}'`}},
		{"batch as text", write("encrypt/acme/billing", data{"batch_input": v}), v, 400, "invalid", []string{"batch_input:", "JSON array", `- <<<'{"batch_input": [...]}'`}},
		{"unknown field of a list", listing("secrets/"+dev, data{"page": v}), v, 400, "invalid", []string{"page:", "after, limit"}},
		{"a field repeats the workspace", write("workspaces/acme", data{"workspace": "other" + v}), v, 400, "invalid", []string{"workspace:", "is part of the path"}},
		{"a field repeats the project", write("projects/acme/api", data{"project": v}), v, 400, "invalid", []string{"project:", "is part of the path"}},
		{"a field repeats the environment", read("load/"+dev, data{"environment": v}), v, 400, "invalid", []string{"environment:", "is part of the path"}},
		{"a field repeats the name", write(secret, data{"value": v, "name": v}), v, 400, "invalid", []string{"name:", "is part of the path"}},
		{"no value", write(secret, data{"comment": v}), v, 400, "invalid", []string{"value:", "required", "empty string"}},
		{"number as value", write(secret, data{"value": number(n)}), n, 400, "invalid", []string{"value:", "a string"}},
		{"true as value", write(secret, data{"value": true}), "", 400, "invalid", []string{"value:", "a string"}},
		{"null as value", write(secret, data{"value": nil}), "", 400, "invalid", []string{"value:", "null"}},
		{"object as value", write(secret, data{"value": data{v: v}}), v, 400, "invalid", []string{"value:", "a string"}},
		{"list as value", write(secret, data{"value": []string{v}}), v, 400, "invalid", []string{"value:", "a string"}},
		{"number in an import", write(imports, data{"secrets": data{"A": v, "B": number(n)}}), n, 400, "invalid", []string{"secrets:", `"B"`, "JSON string"}},
		{"object in an import", write(imports, data{"secrets": data{"B": data{v: v}}}), v, 400, "invalid", []string{"secrets:", `"B"`, "JSON string"}},
		{"list in an import", write(imports, data{"secrets": data{"B": []string{v}}}), v, 400, "invalid", []string{"secrets:", `"B"`, "JSON string"}},
		{"null in an import", write(imports, data{"secrets": data{"B": nil}}), "", 400, "invalid", []string{"secrets:", `"B"`, "JSON string"}},
		{"string as import", write(imports, data{"secrets": v}), v, 400, "invalid", []string{"secrets:", "JSON object"}},
		{"neither map nor text to import", write(imports, nil), "", 400, "invalid", []string{"secrets:", "content"}},
		{"map and text to import", write(imports, data{"secrets": data{"A": v}, "content": "A=" + v}), v, 400, "invalid", []string{"secrets:", "content"}},
		{"format", write(imports, data{"content": "A=" + v, "format": v}), v, 400, "invalid", []string{"format:", "dotenv"}},
		{"mode", write(imports, data{"secrets": data{"A": v}, "mode": v}), v, 400, "invalid", []string{"mode:", "merge or replace"}},
		{"cas is not a number", write(secret, data{"value": v, "cas": v}), v, 400, "invalid", []string{"cas:", "whole number"}},
		{"cas is half a number", write(secret, data{"value": v, "cas": 1.5}), v, 400, "invalid", []string{"cas:", "whole number"}},
		{"cas is negative", write(secret, data{"value": v, "cas": -1}), v, 400, "invalid", []string{"cas:", "0 or greater"}},
		{"cas of another version", write(secret, data{"value": v, "cas": 7}), v, 409, "conflict", []string{"cas:", "DATABASE_URL", dev, "newest version is 1"}},
		{"version is not a number", read(secret, data{"version": v}), v, 400, "invalid", []string{"version:", "whole number"}},
		{"version is negative", read(secret, data{"version": "-1"}), "", 400, "invalid", []string{"version:", "0 or greater"}},
		{"version overflows", read(secret, data{"version": n + n}), n, 400, "invalid", []string{"version:", "whole number"}},
		{"version of none", read(secret, data{"version": 7}), "", 404, "not_found", []string{"version 7", "DATABASE_URL", dev}},
		{"flag", write("environments/"+dev, data{"locked": v}), v, 400, "invalid", []string{"locked:", "true or false"}},
		{"duration", write("config", data{"keyring_cache_ttl": v}), v, 400, "invalid", []string{"keyring_cache_ttl:", "a duration"}},
		{"part of a second", write("config", data{"keyring_cache_ttl": "1500ms"}), "", 400, "invalid", []string{"keyring_cache_ttl:", "whole seconds"}},
		{"null outside of a patch", write("config", data{"max_versions": nil}), "", 400, "invalid", []string{"max_versions:", "null"}},
		{"number in metadata", write("workspaces/acme", data{"metadata": data{"k": number(n)}}), n, 400, "invalid", []string{"metadata:", `"k"`, "JSON string"}},
		{"description is an object", write("workspaces/acme", data{"description": data{"k": v}}), v, 400, "invalid", []string{"description:", "a string"}},
	})
}

func TestInvalidNamesAreRejectedInEverySegmentOfEveryPath(t *testing.T) {
	m := populated(t)
	v := planted()
	at := func(path, field string) []wrong {
		rule, bad := naming.Rule, map[string]string{
			"upper case": strings.ToUpper(v), "too long": strings.Repeat("a", 65), "dots": "..", "space": "a " + v, "begins with a dash": "-" + v,
			"ends with an underscore": "a_", "escaped slash": "a%2f" + v, "no ASCII": "ä" + v, "line feed": "a\n",
		}
		if field == "name" {
			rule = naming.SecretRule
			bad = map[string]string{
				"too long": strings.Repeat("A", 256), "dots": "A..B", "only dots": "..", "begins with a digit": "1" + v, "space": "A " + v,
				"equals sign": "A=" + v, "no ASCII": "Ä" + v, "line feed": "A\n",
			}
		}
		var all []wrong
		for what, name := range bad {
			p := strings.Replace(path, "*", name, 1)
			d := data(nil)
			if strings.HasPrefix(p, "secrets/") {
				d = data{"value": v}
			} else if strings.HasPrefix(p, "import/") {
				d = data{"secrets": data{"A": v}}
			}
			for _, req := range []enginetest.Request{read(p, nil), write(p, d), remove(p, nil), patch(p, nil), listing(p, nil)} {
				if path := m.Backend.Route(req.Path); path == nil || path.Operations[req.Op] == nil {
					continue
				}
				all = append(all, wrong{fmt.Sprint(path, " ", field, " ", what, " ", req.Op), req, v, 400, "invalid", []string{field + ":", rule}})
			}
		}
		return all
	}
	for _, family := range []struct {
		path  string
		depth int
	}{
		{"workspaces", 1}, {"keys", 1}, {"projects", 1}, {"projects", 2}, {"environments", 2}, {"environments", 3},
		{"secrets", 3}, {"secrets", 4}, {"metadata", 3}, {"metadata", 4}, {"import", 3}, {"load", 3},
	} {
		fields, good := []string{"workspace", "project", "environment", "name"}, []string{"acme", "api", "development", "DATABASE_URL"}
		for i := range family.depth {
			segments := append([]string{}, good[:family.depth]...)
			segments[i] = "*"
			reject(t, m, at(family.path+"/"+strings.Join(segments, "/"), fields[i]))
		}
	}
	for _, path := range []string{"keys/A B/rotate", "keys/A B/rewrap"} {
		reject(t, m, []wrong{{path, write(path, nil), "", 400, "invalid", []string{"workspace:", naming.Rule}}})
	}
	for _, req := range []enginetest.Request{read("workspaces/rotate", nil), write("workspaces/rotate", nil), read("keys/rotate", nil), write("projects/rotate/api", nil)} {
		reject(t, m, []wrong{{"rotate " + req.Path, req, "", 400, "invalid", []string{"workspace:", `"rotate" is a reserved word`}}})
	}
	reject(t, m, []wrong{
		{"printable name in an import", write("import/"+dev, data{"secrets": data{"A": "x", "2FA_SEED": v}}), v, 400, "invalid", []string{`secrets: "2FA_SEED" is not a valid secret name`, naming.SecretRule}},
		{"name in an import", write("import/"+dev, data{"secrets": data{"A": "x", v + "!": v}}), v, 400, "invalid", []string{"secrets:", naming.SecretRule}},
		{"name in a document", write("import/"+dev, data{"content": "A=x\n1" + v + "=" + v + "\n"}), v, 400, "invalid", []string{"content", "line 2"}},
	})
}

func TestAMissingRecordReturns404AndAMissingParentReturns400(t *testing.T) {
	m := populated(t)
	v := planted()
	with := data{"value": v}
	makeW, makeP, makeE := "vault write -force stashbase/workspaces/none", "vault write -force stashbase/projects/acme/none", "vault write -force stashbase/environments/acme/api/none"
	var cases []wrong
	missing := func(status int, says string, requests ...enginetest.Request) {
		for _, req := range requests {
			cases = append(cases, wrong{fmt.Sprint(req.Op, " ", req.Path), req, v, status, "not_found", []string{says}})
		}
	}
	missing(404, `workspace "none"`, read("workspaces/none", nil), patch("workspaces/none", nil), read("keys/none", nil))
	missing(400, makeW, write("keys/none/rotate", nil), write("keys/none/rewrap", nil), read("projects/none/api", nil), write("projects/none/api", nil), remove("projects/none/api", nil))
	missing(404, `project "none"`, read("projects/acme/none", nil))
	missing(404, `environment "none"`, read("environments/acme/api/none", nil))
	for at, says := range map[string]string{"none/api/development": makeW, "acme/none/development": makeP, "acme/api/none": makeE} {
		missing(400, says,
			read("secrets/"+at+"/A", nil), write("secrets/"+at+"/A", with), remove("secrets/"+at+"/A", nil), read("metadata/"+at+"/A", nil),
			read("metadata/"+at, nil), write("import/"+at, data{"secrets": data{"A": v}}), listing("secrets/"+at, nil), listing("metadata/"+at, nil), listing("changes/"+at, nil), read("changes/"+at, nil))
		// As for a KV version 1 secret: clients derive "not found" from the status.
		missing(404, says, read("load/"+at, nil), read("render/"+at, nil))
		if says != makeE {
			missing(400, says, read("environments/"+at, nil), write("environments/"+at, nil), remove("environments/"+at, nil))
		}
	}
	missing(404, "secret NONE of "+dev, read("secrets/"+dev+"/NONE", nil), read("metadata/"+dev+"/NONE", nil))
	reject(t, m, cases)
}

func TestValuesAboveALimitAreRejected(t *testing.T) {
	m := populated(t)
	m.Write("workspaces/acme", data{"max_value_bytes": 1000, "max_secrets": 2, "max_environment_bytes": 1500})
	m.Write("secrets/"+dev+"/A", data{"value": strings.Repeat("a", 900)})
	v := planted()
	big := v + strings.Repeat("x", 1001-len(v))
	reject(t, m, []wrong{
		{"value", write(secret, data{"value": big}), v, 400, "limit", []string{"value:", "1001 bytes", "max_value_bytes", "acme"}},
		{"value in an import", write("import/"+dev, data{"secrets": data{"B": big}}), v, 400, "limit", []string{"secrets: B:", "1001 bytes", "max_value_bytes"}},
		{"environment by bytes", write(secret, data{"value": big[:600]}), v, 400, "limit", []string{dev, "1500 bytes", "max_environment_bytes"}},
	})
	m.Write(secret, data{"value": ""})
	reject(t, m, []wrong{
		{"environment by count", write("secrets/"+dev+"/B", data{"value": v}), v, 400, "limit", []string{dev, "2 secrets", "max_secrets"}},
		{"a document that is too large", write("import/"+dev, data{"content": strings.Repeat("#", 33<<20)}), "", 400, "limit", []string{"content:"}},
	})
	m = m.Restart()
	reject(t, m, []wrong{
		{"environment by bytes, cold", write(secret, data{"value": big[:600]}), v, 400, "limit", []string{dev, "1500 bytes", "max_environment_bytes"}},
		{"environment by count, cold", write("secrets/"+dev+"/B", data{"value": v}), v, 400, "limit", []string{dev, "2 secrets", "max_secrets"}},
	})
}

func TestErrorsInADotenvDocumentNameTheLineWithoutItsText(t *testing.T) {
	m := populated(t)
	v := planted()
	for name, line := range map[string]string{
		"no equals sign": v, "open quote": `B="` + v, "name": "1" + v + "=x", "text after a quote": `B="x" ` + v, "twice": "A=" + v,
	} {
		reject(t, m, []wrong{{name, write("import/"+dev, data{"content": "A=fine\n# comment\n" + line + "\n"}), v, 400, "invalid", []string{"content", "line 3"}}})
	}
}

func TestUnknownPathsAreRejected(t *testing.T) {
	m := populated(t)
	for _, req := range []enginetest.Request{read("nothing/here", nil), write("load/"+dev, nil), read("secrets/"+dev, nil), read("keys/acme/rotate", nil), {Op: logical.DeleteOperation, Path: "keys/acme"}} {
		if got := m.Refuse(req.Op, req.Path, req.Data); got.Status != 405 && got.Status != 404 {
			t.Errorf("%s %s: %v", req.Op, req.Path, got)
		}
	}
	// Those who know KV write to the path that they load.
	v := planted()
	instead := "write one secret with secrets/<workspace>/<project>/<environment>/<name>, or several with import/"
	reject(t, m, []wrong{
		{"a write of a load", write("load/"+dev, data{"DB_USER": v}), v, 405, "invalid", []string{"this path has no write, only read;", instead}},
		{"a write of an environment's secrets", write("secrets/"+dev, data{"DB_USER": v}), v, 405, "invalid", []string{"this path has no write, only list;", instead}},
		{"a patch of a load", patch("load/"+dev, data{"DB_USER": v}), v, 405, "invalid", []string{"this path has no patch, only read;", instead}},
		{"a delete of a load", remove("load/"+dev, nil), "", 405, "invalid", []string{"this path has no delete, only read;", "delete one secret with secrets/"}},
		{"a read of an action", read("keys/acme/rotate", nil), "", 405, "invalid", []string{"this path has no read, only write"}},
	})
}
