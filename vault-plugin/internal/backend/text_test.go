package backend_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
)

// Regression: the CLI puts U+FFFD in place of bytes that are not UTF-8, and the engine stored it.
func TestTextThatLostBytesIsRefused(t *testing.T) {
	m := populated(t)
	m.Write(secret, data{"value": "kept"})
	const utf16 = "\ufffd\ufffdA\x00=\x001\x00\n\x00"
	for _, c := range []struct {
		req  enginetest.Request
		says string
	}{
		{write(secret, data{"value": "planted\ufffd"}), "encoding=base64"},
		{patch(secret, data{"value": "\ufffdplanted"}), "encoding=base64"},
		{write("import/"+dev, data{"secrets": data{"A": "planted\ufffd"}}), "secrets: A: "},
		{write("import/"+dev, data{"content": "A=1\nB=planted\ufffd"}), "content: line 2: "},
		{write("import/"+dev, data{"content": `{"A": "planted\ufffd"}`, "format": "json"}), "encoding=base64"},
		{write("import/"+dev, data{"content": "A: \"planted\\ufffd\"", "format": "yaml"}), "encoding=base64"},
		{write(secret, data{"value": utf16}), "UTF-16"},
		{write("import/"+dev, data{"content": utf16}), "UTF-16"},
		{write("import/"+dev, data{"secrets": data{"A": utf16}}), "UTF-16"},
	} {
		refused := m.Refuse(c.req.Op, c.req.Path, c.req.Data)
		expect(t, refused, 400, "invalid", c.says)
		if strings.Contains(refused.Text, "planted") {
			t.Errorf("the error is %s", refused.Text)
		}
	}
	has(t, m.Read("load/"+dev), data{"DATABASE_URL": "kept"})
	// Bytes in base64 are any bytes.
	m.Write(secret, data{"value": base64.StdEncoding.EncodeToString([]byte("\ufffd\xff\x00")), "encoding": "base64"})
}

// Regression: a comment or a description could contain escape sequences, which a terminal obeys.
func TestWhatATerminalShowsIsPrintable(t *testing.T) {
	m, _ := synced(t, nil)
	m.Write(secret, data{"value": "x"})
	m.Write(secret, data{"value": "y"})
	for field, requests := range map[string]func(text string) []enginetest.Request{
		"comment": func(text string) []enginetest.Request {
			body := data{"comment": text}
			return []enginetest.Request{
				write(secret, merged(body, data{"value": "x"})), patch(secret, body), write("import/"+dev, merged(body, data{"secrets": data{"A": "1"}})),
				write("rollback/"+dev+"/DATABASE_URL", merged(body, data{"version": 1})), write("revert/"+dev, merged(body, data{"change": "x"})),
			}
		},
		"tags": func(text string) []enginetest.Request {
			body := data{"tags": []string{"ok", text}}
			return []enginetest.Request{write(secret, merged(body, data{"value": "x"})), patch(secret, body), write("metadata/"+dev+"/DATABASE_URL", body), patch("metadata/"+dev+"/DATABASE_URL", body)}
		},
		"custom_metadata": func(text string) []enginetest.Request {
			return []enginetest.Request{
				write("metadata/"+dev+"/DATABASE_URL", data{"custom_metadata": data{"owner": text}}), patch("metadata/"+dev+"/DATABASE_URL", data{"custom_metadata": data{text: "owner"}}),
			}
		},
		"metadata": func(text string) []enginetest.Request {
			return []enginetest.Request{write("workspaces/acme", data{"metadata": data{"owner": text}}), patch("workspaces/acme", data{"metadata": data{text: "owner"}})}
		},
		"description": func(text string) []enginetest.Request {
			all := []enginetest.Request{write("projects/acme/api", data{"description": text})} // has no patch
			for _, path := range []string{"workspaces/acme", "environments/" + dev, integration, aSync} {
				all = append(all, write(path, data{"description": text}), patch(path, data{"description": text}))
			}
			return all
		},
	} {
		for _, text := range []string{"planted\x1b[2J", "planted\nroot", "planted\u202eroot", "planted\u0085root"} {
			for _, req := range requests(text) {
				refused := m.Refuse(req.Op, req.Path, req.Data)
				expect(t, refused, 400, "invalid", field+": ", "printable")
				if strings.Contains(refused.Text, "planted") {
					t.Errorf("the error is %s", refused.Text)
				}
			}
		}
		for _, req := range requests("für Zahlungen (日本)") {
			if req.Path == "revert/"+dev {
				continue
			}
			m.Must(req.Op, req.Path, req.Data)
		}
	}
}

// Machine-made text comes from files and pipes, which end in a line end.
func TestWhiteSpaceAroundMachineMadeTextIsIgnored(t *testing.T) {
	m := populated(t)
	around := func(text string) string { return " \t" + text + "\r\n\n" }
	has(t, m.Write(secret, data{"value": around("aGk="), "encoding": "base64"}), data{"size": 2})
	has(t, m.Read(secret), data{"value": "aGk="})
	has(t, m.Must(logical.PatchOperation, secret, data{"value": around("aGkh"), "encoding": "base64"}), data{"size": 3})

	plaintext := b64("planted")
	ciphertext := textOf(t, m.Write("encrypt"+billing, data{"plaintext": around(plaintext), "associated_data": around(b64("about"))}), "ciphertext")
	has(t, m.Write("decrypt"+billing, data{"ciphertext": around(ciphertext), "associated_data": around(b64("about"))}), data{"plaintext": plaintext})
	m.Write("rewrap"+billing, data{"ciphertext": around(ciphertext), "associated_data": b64("about")})
	digest := textOf(t, m.Write("hmac"+billing, data{"input": around(plaintext)}), "hmac")
	has(t, m.Write("verify"+billing, data{"input": around(plaintext), "hmac": around(digest)}), data{"valid": true})
	batch := m.Write("decrypt"+billing, data{"batch_input": []any{data{"ciphertext": around(ciphertext), "associated_data": around(b64("about"))}}})
	if results, _ := batch["batch_results"].([]any); len(results) != 1 || results[0].(data)["plaintext"] != plaintext {
		t.Errorf("the batch returned %v", batch)
	}
	m.Write("datakey"+billing, data{"type": "wrapped", "associated_data": around(b64("about"))})

	change := object(t, m.Read("changes/" + dev)["changes"].([]any)[0].(data))["change"].(string)
	m.Write("revert/"+dev, data{"change": around(change), "dry_run": true})
	// A text value is never trimmed.
	m.Write(secret, data{"value": around("x")})
	has(t, m.Read(secret), data{"value": around("x")})
}

func TestUnusualValuesAreWarnedOf(t *testing.T) {
	m := populated(t)
	m.Write(secret, data{"value": "x"})
	for _, c := range []struct {
		req  enginetest.Request
		says []string // one for each warning
	}{
		{write(secret, data{"value": "planted\n"}), []string{"line end"}},
		{write(secret, data{"value": "planted\u00a0"}), []string{"no-break space"}},
		{patch(secret, data{"value": "\u00a0planted"}), []string{"no-break space"}},
		{patch(secret, data{"comment": "x"}), nil},
		{write(secret, data{"value": "planted \n planted"}), nil},
		{write(secret, data{"value": b64("planted\n"), "encoding": "base64"}), nil},
		{write("import/"+dev, data{"secrets": data{"A": "planted\n", "B": "planted\r\n", "C": "planted\u00a0", "D": "planted"}, "dry_run": true}), []string{`"C": the value begins or ends with a no-break`, `"A", "B": the value ends in a line end`}},
		{write("import/"+dev, data{"content": "A='planted\n'\n"}), []string{`"A": the value ends in a line end`}},
		{write("import/"+dev, data{"content": "A='planted\n'\n"}), nil}, // unchanged
	} {
		got := m.Warnings(c.req.Op, c.req.Path, c.req.Data)
		text := strings.Join(got, "\n")
		if len(got) != len(c.says) || strings.Contains(text, "planted") {
			t.Errorf("%v: the warnings are %q", c.req.Data, got)
		}
		for _, part := range c.says {
			if !strings.Contains(text, part) {
				t.Errorf("%v: the warnings are %q, without %q", c.req.Data, got, part)
			}
		}
	}
}

// Clients of load take these names for fields of Vault's own responses, and fail.
func TestNamesThatClientsMisreadAreWarnedOf(t *testing.T) {
	m := populated(t)
	warns := func(req enginetest.Request, parts ...string) {
		t.Helper()
		got := m.Warnings(req.Op, req.Path, req.Data)
		if len(got) != len(parts) {
			t.Errorf("%s %v: the warnings are %q", req.Path, req.Data, got)
			return
		}
		for i, part := range parts {
			if !strings.Contains(got[i], part) {
				t.Errorf("%s %v: the warnings are %q, without %q", req.Path, req.Data, got, part)
			}
		}
	}
	warns(write(source+"metadata", data{"value": "x"}), "vault kv get")
	warns(patch(source+"metadata", data{"value": "y"}), "vault kv get")
	warns(write(source+"ttl", data{"value": "1h"}))
	warns(write(source+"rotation_period", data{"value": "1h"}), "rotation_period beside ttl makes consul-template and Vault Agent")
	warns(write(source+"ttl", data{"value": "2h"}), "rotation_period beside ttl")
	warns(write("import/"+dev, data{"secrets": data{"certificate": "c", "expiration": "e", "OTHER": "o"}}), "certificate beside expiration makes consul-template")
	warns(write("import/"+dev, data{"secrets": data{"secret_id": "c"}}))
	warns(write("import/"+dev, data{"secrets": data{"secret_id_ttl": "c"}, "dry_run": true}), "secret_id beside secret_id_ttl")
	warns(write("import/"+dev, data{"secrets": data{"secret_id_ttl": "c"}, "mode": "replace", "confirm": "development"}))
	warns(write("import/"+dev, data{"secrets": data{"secret_id": "c", "secret_id_ttl": "c"}}), "secret_id beside secret_id_ttl")
}
