package backend

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
)

// FuzzBatchItems passes any JSON as batch_input. The result is either an error that names the
// field, or as many items as were sent, each with its values or an error of its own.
func FuzzBatchItems(f *testing.F) {
	for _, seed := range []string{
		`[{"plaintext":"b25l"}]`, `[{"plaintext":"","associated_data":"QQ==","reference":"r"},{"plaintext":"!"}]`, `[]`, `null`, `"x"`, `[null]`, `[[]]`,
		`[{}]`, `[{"plaintext":1}]`, `[{"plaintext":"","other":""}]`, `[{"plaintext":"Q\nUJD"}]`, `[{"plaintext":"","\u0000":{}}]`,
	} {
		f.Add(seed)
	}
	takes := itemFields{fieldPlaintext, fieldAssociatedData}
	f.Fuzz(func(t *testing.T, text string) {
		var raw any
		if json.Unmarshal([]byte(text), &raw) != nil {
			return
		}
		items, err := readItems(raw, takes)
		if err != nil {
			if items != nil || !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.Limit) || !strings.Contains(err.Error(), fieldBatchInput) {
				t.Fatalf("%d items and %v", len(items), err)
			}
			return
		}
		list, _ := raw.([]any)
		if len(items) != len(list) || len(items) == 0 || len(items) > maxBatch {
			t.Fatalf("%d items of %d", len(items), len(list))
		}
		for i, item := range items {
			given, _ := list[i].(map[string]any)
			var again batchItem
			same := item.result.Refused != nil || string(again.decode(fieldPlaintext, given[fieldPlaintext].(string))) == string(item.Data)
			if reference, _ := given[fieldReference].(string); reference != item.reference || !same {
				t.Fatalf("item %d of %q is read as %q", i, given, item.Data)
			}
		}
	})
}
