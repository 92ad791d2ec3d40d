package acceptance_test

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/vault/api"
)

// transit mounts Vault's own Transit with a key named billing until the test ends. It returns a
// caller with the root token at that mount.
func transit(t testing.TB, c caller, sys *api.Sys) caller {
	t.Helper()
	name := "transit-" + strings.ToLower(value())
	if err := sys.Mount(name, &api.MountInput{Type: "transit"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sys.Unmount(name); err != nil {
			t.Error(err)
		}
	})
	c = c.atMount(name)
	c.write("keys/billing", nil)
	return c
}

// service is one of the two engines, and the path of its key.
type service struct {
	caller
	path string // follows the operation in a request's path
}

// item returns an item that succeeds, or one that fails because of its value.
func (s service) item(op string, good bool) data {
	s.t.Helper()
	input := plainBase64(value())
	bad := func(field, text string) data { return data{field: text} }
	switch {
	case op == "encrypt" && good:
		return data{"plaintext": input}
	case op == "encrypt":
		return bad("plaintext", "!")
	case (op == "decrypt" || op == "rewrap") && good:
		return data{"ciphertext": s.write("encrypt/"+s.path, data{"plaintext": input})["ciphertext"]}
	case op == "decrypt" || op == "rewrap":
		return bad("ciphertext", "!")
	case op == "hmac" && good:
		return data{"input": input}
	case op == "verify" && good:
		return data{"input": input, "hmac": s.write("hmac/"+s.path, data{"input": input})["hmac"]}
	case op == "verify":
		return data{"input": input, "hmac": "!"}
	default:
		return bad("input", "!")
	}
}

// outcome sends a batch. It returns the status of the response, and for each item its reference and
// whether it failed. In items, g is an item that succeeds, and b one that fails.
func (s service) outcome(op, items string, code any) (status int, shape []string) {
	s.t.Helper()
	var list []data
	for i, kind := range items {
		item := s.item(op, kind == 'g')
		if i != 1 {
			item["reference"] = fmt.Sprint("row ", i)
		}
		list = append(list, item)
	}
	body := data{"batch_input": list}
	if code != nil {
		body["partial_failure_response_code"] = code
	}
	a := s.send("POST", op+"/"+s.path, body)
	results, _ := a.data["batch_results"].([]any)
	for _, r := range results {
		result, _ := r.(data)
		text, _ := result["error"].(string)
		shape = append(shape, fmt.Sprintf("%v failed=%t", result["reference"], text != ""))
	}
	return a.status, shape
}

// responseFields returns the names of the fields in the response to a single request.
func (s service) responseFields(op string) []string {
	s.t.Helper()
	return slices.Sorted(maps.Keys(s.write(op+"/"+s.path, s.item(op, true))))
}

// In Transit only encrypt and decrypt have partial_failure_response_code. Its other operations
// always return status 200, so a failed item shows only in its own result. In this engine all
// operations follow the rule of encrypt.
func TestBatchesRespondLikeTransit(t *testing.T) {
	server := vault.Server(t)
	c := root(t, server)
	ours, theirs := service{c, workspace(t, c) + "/billing"}, service{transit(t, c, server.Client().Sys()), "billing"}
	for _, op := range []string{"encrypt", "decrypt", "rewrap", "hmac", "verify"} {
		t.Run(op, func(t *testing.T) {
			ours, theirs := service{ours.in(t), ours.path}, service{theirs.in(t), theirs.path}
			same(t, "fields", ours.responseFields(op), theirs.responseFields(op))
			for _, tc := range []struct {
				items string // see outcome
				code  any    // partial_failure_response_code
			}{
				{"g", nil}, {"ggg", nil}, {"ggg", 202}, {"bgg", nil}, {"gbg", nil}, {"ggb", nil}, {"gbg", 200}, {"gbg", 202}, {"gbg", 500},
				{"b", nil}, {"bb", nil}, {"bb", 202},
			} {
				code := tc.code
				if op != "encrypt" && op != "decrypt" {
					code = nil // Transit has no such field there
				}
				what := fmt.Sprint(tc.items, " ", code)
				status, shape := ours.outcome(op, tc.items, code)
				wanted, wantedShape := theirs.outcome(op, tc.items, code)
				if op != "encrypt" && op != "decrypt" && strings.Contains(tc.items, "b") {
					if wanted != http.StatusOK {
						t.Errorf("%s: Transit returns %d; correct the documents that describe the difference", what, wanted)
					}
					wanted = http.StatusBadRequest
				}
				if status != wanted {
					t.Errorf("%s: status %d, want %d", what, status, wanted)
				}
				same(t, what, shape, wantedShape)
			}
		})
	}
}

func TestABatchOfMaximumSizeFitsVaultsLimits(t *testing.T) {
	c := root(t, vault.Server(t))
	path := workspace(t, c) + "/billing"
	plain, items := make([]string, 1000), make([]data, 1000)
	for i := range items {
		plain[i] = plainBase64(value())
		items[i] = data{"plaintext": plain[i], "associated_data": plainBase64(fmt.Sprint(i)), "reference": fmt.Sprint(i)}
	}
	sealed, _ := c.write("encrypt/"+path, data{"batch_input": items})["batch_results"].([]any)
	for i, s := range sealed {
		result, _ := s.(data)
		items[i] = data{"ciphertext": result["ciphertext"], "associated_data": items[i]["associated_data"], "reference": result["reference"]}
	}
	opened, _ := c.write("decrypt/"+path, data{"batch_input": items})["batch_results"].([]any)
	if len(sealed) != len(plain) || len(opened) != len(plain) {
		t.Fatalf("encrypt returned %d results, decrypt %d", len(sealed), len(opened))
	}
	for i, o := range opened {
		result, _ := o.(data)
		expect(t, "item", result, data{"plaintext": plain[i], "reference": i})
	}
	if a := c.send("POST", "encrypt/"+path, data{"batch_input": append(items, data{})}); a.status != http.StatusBadRequest || a.word() != "limit" {
		t.Error(a)
	}
}

// The policy is the one in the help of datakey.
func TestAPolicyDecidesWhoSeesDataKeys(t *testing.T) {
	s := vault.Server(t)
	operator := root(t, s)
	path := workspace(t, operator) + "/billing"
	wrapper := callerOf(t, s.ClientWithPolicy(t, `path "stashbase/datakey/`+path+`" {
		capabilities       = ["update"]
		allowed_parameters = { "type" = ["wrapped"], "associated_data" = [] }
	}`))
	about := plainBase64("file 1")
	expect(t, "wrapped", wrapper.write("datakey/"+path, data{"type": "wrapped"}), data{"plaintext": nil, "key_version": 1})
	sealed := wrapper.write("datakey/"+path, data{"type": "wrapped", "associated_data": about})["ciphertext"]
	for name, body := range map[string]data{
		"the other type": {"type": "plaintext"}, "another case": {"type": "PLAINTEXT"}, "a list": {"type": []string{"wrapped", "plaintext"}},
		"both": {"type": "plaintext", "associated_data": about},
	} {
		if a := wrapper.send("POST", "datakey/"+path, body); a.status != http.StatusForbidden {
			t.Errorf("%s: %s\nwant 403", name, a)
		}
	}
	for name, body := range map[string]data{"no type": {}, "another case of the name": {"TYPE": "plaintext"}} {
		if a := wrapper.send("POST", "datakey/"+path, body); a.status/100 != 4 || strings.Contains(a.body, "ciphertext") {
			t.Errorf("%s: %s\nwant a status of 4xx without a key", name, a)
		}
	}
	key, _ := operator.write("decrypt/"+path, data{"ciphertext": sealed, "associated_data": about})["plaintext"].(string)
	if raw, err := base64.StdEncoding.DecodeString(key); err != nil || len(raw) != 32 {
		t.Errorf("the key has %d bytes, %v", len(raw), err)
	}
}

func TestPlaintextsOfServicesAreInNoLog(t *testing.T) {
	s := vault.Server(t)
	c := root(t, s)
	path := workspace(t, c) + "/billing"
	before := [2]int{len(s.ServerLog()), len(s.AuditLog())}
	planted := newSearch(textWindow)
	var responses strings.Builder
	failing := func(op string, body data) {
		a := c.send("POST", op+"/"+path, body)
		if a.status != http.StatusBadRequest {
			t.Errorf("%s\nwant 400", a)
		}
		responses.WriteString(a.body)
	}
	text := func(label string) string { return plainBase64(planted.value(label)) }

	sealed := c.write("encrypt/"+path, data{"plaintext": text("plaintext"), "associated_data": text("associated data")})
	c.write("encrypt/"+path, data{"batch_input": []data{{"plaintext": text("in a batch"), "associated_data": text("data in a batch")}}})
	key, _ := c.write("datakey/"+path, data{"type": "plaintext"})["plaintext"].(string)
	planted.plant("data key", key)
	digest := c.write("hmac/"+path, data{"input": text("input of a digest")})
	c.write("verify/"+path, data{"input": text("input to verify"), "hmac": digest["hmac"]})
	failing("encrypt", data{"plaintext": planted.value("no base64") + "!"})
	failing("encrypt", data{"batch_input": []data{{"plaintext": text("beside a failure")}, {"plaintext": planted.value("no base64 in a batch") + "!"}}, "reference": text("unknown field")})
	failing("encrypt", data{"batch_input": []data{{"plaintext": text("of the wrong shape"), "unknown": text("unknown field of an item")}}})
	failing("encrypt", data{"batch_input": []any{[]string{text("in a list")}}})
	failing("encrypt", data{"batch_input": text("in place of a batch")})
	failing("decrypt", data{"ciphertext": sealed["ciphertext"], "associated_data": text("other associated data")})
	failing("decrypt", data{"ciphertext": planted.value("in place of a ciphertext")})
	failing("datakey", data{"type": planted.value("in place of a type")})

	control := marked(t, s, c)
	responses.WriteString(control.response)
	for where, log := range map[string]string{"an error": responses.String(), "the server's log": s.ServerLog()[before[0]:], "the audit log": s.AuditLog()[before[1]:]} {
		control.present(t, where, log)
		planted.absent(t, where, log)
	}
}
