package backend_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
)

// batched sends a batch and returns its status and results.
func batched(t *testing.T, m *enginetest.Mount, path string, ask data) (status int, results []data) {
	t.Helper()
	out, err := m.Do(write(path, ask))
	status = 200
	if err != nil {
		status = m.Refuse(logical.UpdateOperation, path, ask).Status
	}
	raw, ok := out["batch_results"].([]any)
	if !ok || len(out) != 1 {
		t.Fatalf("%s returned %d and %v", path, status, out)
	}
	for _, r := range raw {
		result, _ := r.(data)
		results = append(results, result)
	}
	return status, results
}

// itemsOf returns two items for an operation: one that succeeds and one whose value is rejected.
func itemsOf(t *testing.T, m *enginetest.Mount) map[string][2]data {
	t.Helper()
	_, ciphertext := sealed(t, m, billing)
	_, foreign := sealed(t, m, "/acme/ledger")
	digest := textOf(t, m.Write("hmac"+billing, data{"input": b64("x")}), "hmac")
	return map[string][2]data{
		"encrypt": {{"plaintext": b64("x")}, {"plaintext": "x"}},
		"decrypt": {{"ciphertext": ciphertext}, {"ciphertext": foreign}},
		"rewrap":  {{"ciphertext": ciphertext}, {"ciphertext": foreign}},
		"hmac":    {{"input": b64("x")}, {"input": "x"}},
		"verify":  {{"input": b64("x"), "hmac": digest}, {"input": b64("x"), "hmac": "x"}},
	}
}

func TestABatchReturnsTheResultsInOrder(t *testing.T) {
	m := serving(t)
	fields := map[string][]string{
		"encrypt": {"ciphertext", "key_version", "reference"}, "decrypt": {"plaintext", "reference"},
		"rewrap": {"ciphertext", "key_version", "reference"}, "hmac": {"hmac", "reference"}, "verify": {"reference", "valid"},
	}
	for op, items := range itemsOf(t, m) {
		for _, c := range []struct {
			name   string
			items  string // g: an item that succeeds; b: an item that fails
			asked  any    // partial_failure_response_code
			status int
		}{
			{"one", "g", nil, 200},
			{"all well", "ggg", nil, 200},
			{"all succeed, another status requested", "ggg", 500, 200},
			{"the first fails", "bgg", nil, 400},
			{"the middle fails", "gbg", nil, 400},
			{"the last fails", "ggb", nil, 400},
			{"one fails, 200 requested", "gbg", 200, 200},
			{"one fails, 202 requested as the CLI does", "gbg", "202", 202},
			{"one fails, 599 requested", "gbg", 599, 599},
			{"one fails alone", "b", nil, 400},
			{"all fail", "bb", nil, 400},
			{"all fail, 200 requested", "bb", 200, 400},
		} {
			t.Run(op+" "+c.name, func(t *testing.T) {
				var list []data
				for i, kind := range c.items {
					item := maps.Clone(items[strings.IndexRune("gb", kind)])
					if i != 1 {
						item["reference"] = fmt.Sprint("row ", i)
					}
					list = append(list, item)
				}
				ask := data{"batch_input": list}
				if c.asked != nil {
					ask["partial_failure_response_code"] = c.asked
				}
				status, results := batched(t, m, op+billing, ask)
				if status != c.status || len(results) != len(c.items) {
					t.Fatalf("status %d with %d results", status, len(results))
				}
				for i, result := range results {
					want, reference := fields[op], ""
					if c.items[i] == 'b' {
						want = []string{"error", "reference"}
					}
					if i != 1 {
						reference = fmt.Sprint("row ", i)
					}
					if got := slices.Sorted(maps.Keys(result)); !slices.Equal(got, want) || result["reference"] != reference {
						t.Errorf("item %d returned %v", i, result)
					}
				}
			})
		}
	}
}

func TestABatchDoesWhatSingleRequestsDo(t *testing.T) {
	m := serving(t)
	const count = 1000 // the maximum
	plain, asks := make([]string, count), make([]data, count)
	for i := range asks {
		plain[i] = b64(fmt.Sprint(planted(), i))
		asks[i] = data{"plaintext": plain[i], "associated_data": b64(fmt.Sprint("row ", i)), "reference": fmt.Sprint(i)}
	}
	status, results := batched(t, m, "encrypt"+billing, data{"batch_input": asks})
	if status != 200 {
		t.Fatalf("status %d", status)
	}
	for i, result := range results {
		asks[i] = data{"ciphertext": result["ciphertext"], "associated_data": b64(fmt.Sprint("row ", i))}
	}
	m.Write("keys/acme/rotate", nil)
	_, moved := batched(t, m, "rewrap"+billing, data{"batch_input": asks})
	for i, result := range moved {
		if result["key_version"] != 2.0 {
			t.Fatalf("item %d is rewrapped to %v", i, result)
		}
	}
	if got := m.Write("decrypt"+billing, asks[7]); got["plaintext"] != plain[7] {
		t.Errorf("a single item returned %v", got)
	}
	asks[3]["associated_data"] = b64("row 4")
	status, opened := batched(t, m, "decrypt"+billing, data{"batch_input": asks})
	if status != 400 || opened[3]["error"] != cannotOpen {
		t.Errorf("status %d, item 3 returned %v", status, opened[3])
	}
	for i, result := range opened {
		if i != 3 && result["plaintext"] != plain[i] {
			t.Fatalf("item %d returned %v", i, result)
		}
	}
}

func TestAnItemsErrorDoesNotContainItsInput(t *testing.T) {
	m := serving(t)
	v := planted()
	long := b64(v + strings.Repeat("x", 32<<10))
	notBase64 := "must be base64 (RFC 4648, with padding, on one line)"
	for name, c := range map[string]struct {
		op   string
		item data
		says string
	}{
		"text":                          {"encrypt", data{"plaintext": v + "!"}, "invalid: plaintext: " + notBase64},
		"no padding":                    {"encrypt", data{"plaintext": strings.TrimRight(b64(v), "=")}, "invalid: plaintext: " + notBase64},
		"of URLs":                       {"encrypt", data{"plaintext": "-_-_"}, "invalid: plaintext: " + notBase64},
		"with a line break":             {"encrypt", data{"plaintext": "b25l\nb25l"}, "invalid: plaintext: " + notBase64},
		"with bits left over":           {"encrypt", data{"plaintext": "QUJ="}, "invalid: plaintext: " + notBase64},
		"associated data":               {"encrypt", data{"plaintext": "", "associated_data": v + "!"}, "invalid: associated_data: " + notBase64},
		"both, the first is named":      {"encrypt", data{"plaintext": v + "!", "associated_data": v + "!"}, "invalid: plaintext: " + notBase64},
		"associated data to decrypt":    {"decrypt", data{"ciphertext": v, "associated_data": v + "!"}, "invalid: associated_data: " + notBase64},
		"associated data too long":      {"encrypt", data{"plaintext": "", "associated_data": long}, "limit: associated_data: has 32794 bytes; the limit is 32768"},
		"too long to decrypt":           {"decrypt", data{"ciphertext": v, "associated_data": long}, "limit: associated_data: has 32794 bytes; the limit is 32768"},
		"no ciphertext":                 {"decrypt", data{"ciphertext": v}, cannotOpen},
		"an empty one":                  {"decrypt", data{"ciphertext": ""}, cannotOpen},
		"no ciphertext to rewrap":       {"rewrap", data{"ciphertext": v}, cannotOpen},
		"input of a digest":             {"hmac", data{"input": v + "!"}, "invalid: input: " + notBase64},
		"input to verify":               {"verify", data{"input": v + "!", "hmac": v}, "invalid: input: " + notBase64},
		"no digest":                     {"verify", data{"input": "", "hmac": v}, "invalid: hmac: must be stash-mac:v<key version>:<base64url>, as hmac/ returns it"},
		"a digest that is a ciphertext": {"verify", data{"input": "", "hmac": "stash:v1:" + b64(v)}, "invalid: hmac: must be stash-mac:v<key version>:<base64url>, as hmac/ returns it"},
	} {
		t.Run(name, func(t *testing.T) {
			status, results := batched(t, m, c.op+billing, data{"batch_input": []data{c.item}})
			if status != 400 || results[0]["error"] != c.says {
				t.Errorf("in a batch: %d %v", status, results[0])
			}
			if got := m.Refuse(logical.UpdateOperation, c.op+billing, c.item); got.Status != 400 || got.Text != c.says {
				t.Errorf("as a single item: %v", got)
			}
			if part := leaks(c.says, v); part != "" {
				t.Errorf("the error contains %q", part)
			}
		})
	}
}

func TestABatchOfTheWrongShapeIsRejectedAndNamesTheItem(t *testing.T) {
	m := serving(t)
	v, n := planted(), digits()
	fine := data{"plaintext": ""}
	encrypt := func(items ...any) enginetest.Request {
		return write("encrypt"+billing, data{"batch_input": append([]any{}, items...)})
	}
	var many []any
	for range 1001 {
		many = append(many, data{"plaintext": b64(v)})
	}
	asked := func(status any) enginetest.Request {
		return write("encrypt"+billing, data{"batch_input": []data{fine}, "partial_failure_response_code": status})
	}
	body, takes := "no response body", "the fields of an item are plaintext, associated_data, reference"
	reject(t, m, []wrong{
		{"nothing", write("encrypt"+billing, nil), "", 400, "invalid", []string{"plaintext:", "required", "batch_input"}},
		{"no input", write("hmac"+billing, nil), "", 400, "invalid", []string{"input:", "required"}},
		{"no digest", write("verify"+billing, data{"input": b64(v)}), v, 400, "invalid", []string{"hmac:", "required"}},
		{"no ciphertext", write("decrypt"+billing, data{"associated_data": b64(v)}), v, 400, "invalid", []string{"ciphertext:", "required"}},
		{"a field of another operation", write("decrypt"+billing, data{"plaintext": v}), v, 400, "invalid", []string{"plaintext:", "unknown field", "ciphertext"}},
		{"a context in the data", write("encrypt"+billing, data{"context": v}), v, 400, "invalid", []string{"context:", "is part of the path"}},
		{"a reference alone", write("encrypt"+billing, data{"plaintext": "", "reference": v}), v, 400, "invalid", []string{"reference:", "unknown field"}},
		{"both", write("encrypt"+billing, data{"plaintext": b64(v), "batch_input": []data{fine}}), v, 400, "invalid", []string{"plaintext:", "batch_input", "only one of them"}},
		{"data beside a batch", write("encrypt"+billing, data{"associated_data": b64(v), "batch_input": []data{fine}}), v, 400, "invalid", []string{"associated_data:", "only one of them"}},
		{"no list", write("encrypt"+billing, data{"batch_input": v}), v, 400, "invalid", []string{"batch_input:", "a JSON array"}},
		{"an object as list", write("encrypt"+billing, data{"batch_input": data{v: v}}), v, 400, "invalid", []string{"batch_input:", "a JSON array"}},
		{"an empty list", encrypt(), "", 400, "invalid", []string{"batch_input:", "1 to 1000 objects"}},
		{"too many", encrypt(many...), v, 400, "limit", []string{"batch_input:", "1001 items", "at most 1000"}},
		{"a text as item", encrypt(fine, v), v, 400, "invalid", []string{"batch_input[1]:", "an object"}},
		{"a list as item", encrypt([]string{v}), v, 400, "invalid", []string{"batch_input[0]:", "an object"}},
		{"null as item", encrypt(fine, fine, nil), "", 400, "invalid", []string{"batch_input[2]:", "an object"}},
		{"a missing field", encrypt(fine, fine, fine, data{"associated_data": b64(v)}), v, 400, "invalid", []string{"batch_input[3].plaintext:", "required"}},
		{"an unknown field", encrypt(fine, data{"plaintext": b64(v), "plain": v}), v, 400, "invalid", []string{"batch_input[1].plain:", "unknown field", takes}},
		{"a key version", encrypt(data{"plaintext": b64(v), "key_version": 1}), v, 400, "invalid", []string{"batch_input[0].key_version:", "unknown field", takes}},
		{"an unknown field whose name is a value", encrypt(data{"plaintext": "", v: ""}), v, 400, "invalid", []string{"batch_input[0]", "unprintable name", takes}},
		{"a number as plaintext", encrypt(data{"plaintext": number(n)}), n, 400, "invalid", []string{"batch_input[0].plaintext:", "a JSON string"}},
		{"null as plaintext", encrypt(data{"plaintext": nil}), "", 400, "invalid", []string{"batch_input[0].plaintext:", "a JSON string"}},
		{"an object as plaintext", encrypt(data{"plaintext": data{v: v}}), v, 400, "invalid", []string{"batch_input[0].plaintext:", "a JSON string"}},
		{"a list as associated data", encrypt(data{"plaintext": "", "associated_data": []string{v}}), v, 400, "invalid", []string{"batch_input[0].associated_data:", "a JSON string"}},
		{"a number as reference", encrypt(data{"plaintext": "", "reference": number(n)}), n, 400, "invalid", []string{"batch_input[0].reference:", "a JSON string"}},
		{"a status without a batch", write("encrypt"+billing, data{"plaintext": b64(v), "partial_failure_response_code": 200}), v, 400, "invalid", []string{"partial_failure_response_code:", "only with batch_input"}},
		{"an invalid status", asked(v), v, 400, "invalid", []string{"partial_failure_response_code:", "whole number"}},
		{"a status too low", asked(199), "", 400, "invalid", []string{"partial_failure_response_code:", body}},
		{"a status that panics in net/http", asked(99), "", 400, "invalid", []string{"partial_failure_response_code:", body}},
		{"a status too high", asked(600), "", 400, "invalid", []string{"partial_failure_response_code:", body}},
		{"a status without a body", asked(204), "", 400, "invalid", []string{"partial_failure_response_code:", body}},
		{"not modified", asked(304), "", 400, "invalid", []string{"partial_failure_response_code:", body}},
		{"no type of a data key", write("datakey"+billing, nil), "", 400, "invalid", []string{"type:", "plaintext or wrapped"}},
		{"another case of the type", write("datakey"+billing, data{"type": "Plaintext"}), "", 400, "invalid", []string{"type:", "plaintext or wrapped"}},
		{"an invalid type", write("datakey"+billing, data{"type": v}), v, 400, "invalid", []string{"type:", "plaintext or wrapped"}},
		{"associated data of a data key", write("datakey"+billing, data{"type": "wrapped", "associated_data": v + "!"}), v, 400, "invalid", []string{"associated_data:", "base64"}},
		{"a batch of data keys", write("datakey"+billing, data{"type": "wrapped", "batch_input": []data{fine}}), "", 400, "invalid", []string{"batch_input:", "unknown field"}},
	})
}

func TestNamesOfContextsAreChecked(t *testing.T) {
	m := serving(t)
	v := planted()
	for _, op := range []string{"encrypt", "decrypt", "rewrap", "hmac", "verify", "datakey"} {
		for _, name := range []string{strings.ToUpper(v), strings.Repeat("a", 65), "..", "a b", "-a", "a_", "a%2fb", "ä"} {
			reject(t, m, []wrong{{op + " " + name, write(op+"/acme/"+name, nil), v, 400, "invalid", []string{"context:", "1 to 64 characters"}}})
		}
		reject(t, m, []wrong{
			{op + " in a workspace of no name", write(op+"/A B/billing", nil), v, 400, "invalid", []string{"workspace:", "1 to 64 characters"}},
			{op + " in the reserved word", write(op+"/rotate/billing", nil), v, 400, "invalid", []string{"workspace:", "reserved word"}},
		})
	}
	for op, item := range map[string]data{
		"encrypt": {"plaintext": b64(v)}, "decrypt": {"ciphertext": v}, "rewrap": {"ciphertext": v}, "hmac": {"input": b64(v)},
		"verify": {"input": b64(v), "hmac": v}, "datakey": {"type": "wrapped"},
	} {
		requests := []enginetest.Request{write(op+"/none/billing", item)}
		if op != "datakey" {
			requests = append(requests, write(op+"/none/billing", data{"batch_input": []data{item}}))
		}
		for _, req := range requests {
			reject(t, m, []wrong{{op + " in no workspace", req, v, 400, "not_found", []string{"vault write -force stashbase/workspaces/none"}}})
		}
	}
}
