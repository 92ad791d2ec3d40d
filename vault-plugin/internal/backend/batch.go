package backend

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/encryption"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/intake"
)

// maxBatch is the most items of one request: a batch is done in one go, and its answer is built in memory.
const maxBatch = 1000

// batch is what a request asks to be done: one item by fields of its own, or a list of them in batch_input.
type batch struct {
	items  []batchItem
	single bool
	status int // to answer when some items failed but not all
}

// batchItem is one item of a request with what became of it.
type batchItem struct {
	encryption.Item
	reference string
	result    encryption.Result
}

// itemFields are the fields of an item, in the order in which errors and help name them. All but associated_data are required.
type itemFields []string

// readBatch reads the items of a request. A mistake in their shape refuses the request, naming the item; a value that cannot be
// used, such as text that is no base64, refuses the item alone.
func readBatch(c *call, takes itemFields) (*batch, error) {
	raw, isBatch := c.req.Data[fieldBatchInput]
	hasStatus, _ := c.given(fieldPartialFailure)
	if !isBatch {
		if hasStatus {
			return nil, fault.New(fault.Invalid, "%s: has a meaning only with %s", fieldPartialFailure, fieldBatchInput)
		}
		return readSingle(c, takes)
	}
	for _, field := range takes {
		if present, _ := c.given(field); present {
			return nil, fault.New(fault.Invalid, "%s: give either it or %s, not both", field, fieldBatchInput)
		}
	}
	b := &batch{status: http.StatusBadRequest}
	if hasStatus {
		b.status, _ = c.data.Get(fieldPartialFailure).(int)
		if !carriesBody(b.status) {
			return nil, fault.New(fault.Invalid, "%s: must be a status from 200 to 599 whose answer has a body, which those of 204, 205 and 304 have not", fieldPartialFailure)
		}
	}
	var err error
	b.items, err = readItems(raw, takes)
	return b, err
}

func carriesBody(status int) bool {
	switch status {
	case http.StatusNoContent, http.StatusResetContent, http.StatusNotModified:
		return false
	}
	return status >= 200 && status <= 599
}

func readSingle(c *call, takes itemFields) (*batch, error) {
	given := make(map[string]any, len(takes))
	for _, field := range takes {
		if value, ok := c.req.Data[field]; ok {
			given[field] = value
		}
	}
	item, err := takes.read("", given)
	if err == nil && item.result.Refused != nil {
		err = item.result.Refused
	}
	return &batch{items: []batchItem{item}, single: true}, err
}

// readItems reads batch_input. It comes as JSON decodes it: intake has seen that it is a list, and no more.
func readItems(raw any, takes itemFields) ([]batchItem, error) {
	list, _ := raw.([]any)
	switch {
	case len(list) == 0:
		return nil, fault.New(fault.Invalid, "%s: must be a list of 1 to %d objects; an object takes %s", fieldBatchInput, maxBatch, takes.inBatch())
	case len(list) > maxBatch:
		return nil, fault.New(fault.Limit, "%s: has %d items; at most %d are taken at once", fieldBatchInput, len(list), maxBatch)
	}
	items := make([]batchItem, len(list))
	for i, entry := range list {
		at := fmt.Sprintf("%s[%d]", fieldBatchInput, i)
		given, ok := entry.(map[string]any)
		if !ok {
			return nil, fault.New(fault.Invalid, "%s: must be an object; it takes %s", at, takes.inBatch())
		}
		for _, field := range slices.Sorted(maps.Keys(given)) {
			if field != fieldReference && !slices.Contains(takes, field) {
				return nil, fault.New(fault.Invalid, "%s.%s: unknown field; an item takes %s", at, intake.Printed(field), takes.inBatch())
			}
		}
		var err error
		if items[i], err = takes.read(at+".", given); err != nil {
			return nil, err
		}
	}
	return items, nil
}

func (f itemFields) inBatch() string {
	return strings.Join(append(slices.Clone(f), fieldReference), ", ")
}

// read makes an item of its fields; at is what errors put before their names.
func (f itemFields) read(at string, given map[string]any) (item batchItem, err error) {
	text := make(map[string]string, len(given))
	for _, field := range append(slices.Clone(f), fieldReference) {
		value, present := given[field]
		if !present {
			if field == fieldReference || field == fieldAssociatedData {
				continue
			}
			instead := ""
			if at == "" {
				instead = ", or " + fieldBatchInput
			}
			return item, fault.New(fault.Invalid, "%s%s: is required%s", at, field, instead)
		}
		var ok bool
		if text[field], ok = value.(string); !ok {
			return item, fault.New(fault.Invalid, "%s%s: must be a JSON string", at, field)
		}
	}
	item.reference = text[fieldReference]
	for _, field := range f {
		switch field {
		case fieldCiphertext, fieldHMAC:
			item.Text = text[field]
		case fieldAssociatedData:
			item.AssociatedData = item.decode(field, text[field])
		default:
			item.Data = item.decode(field, text[field])
		}
	}
	return item, nil
}

// decode reads one form of base64. The package of the standard library would also skip line breaks.
func (i *batchItem) decode(field, text string) []byte {
	raw, err := base64.StdEncoding.Strict().DecodeString(text)
	if i.result.Refused == nil && (err != nil || strings.ContainsAny(text, "\r\n")) {
		i.result.Refused = fault.New(fault.Invalid, "%s: is not base64 (RFC 4648, with padding, in one line)", field)
	}
	return raw
}

// run does the work on the items that could be read, and puts the results to them.
func (b *batch) run(work func([]encryption.Item) ([]encryption.Result, error)) error {
	var able []*batchItem
	var items []encryption.Item
	for i := range b.items {
		if item := &b.items[i]; item.result.Refused == nil {
			able, items = append(able, item), append(items, item.Item)
		}
	}
	results, err := work(items)
	for i, result := range results {
		able[i].result = result
	}
	return err
}

// answer tells what became of the items, in their order. As for Transit, a batch in which any item failed is answered with
// status 400 and all its results, or with the status that the caller prefers if any succeeded.
func (b *batch) answer(c *call, describe func(encryption.Result) map[string]any) (*logical.Response, error) {
	if b.single {
		if refused := b.items[0].result.Refused; refused != nil {
			return nil, refused
		}
		return answer(describe(b.items[0].result))
	}
	failed := 0
	results := make([]map[string]any, len(b.items))
	for i, item := range b.items {
		if refused := item.result.Refused; refused != nil {
			results[i] = map[string]any{"error": refused.Error()}
			failed++
		} else {
			results[i] = describe(item.result)
		}
		results[i][fieldReference] = item.reference
	}
	status, data := b.status, map[string]any{fieldBatchResults: results}
	if failed == len(results) {
		status = http.StatusBadRequest
	}
	if failed == 0 || status == http.StatusOK {
		return answer(data)
	}
	return logical.RespondWithStatusCode(&logical.Response{Data: data}, c.req, status)
}

// wipe clears what the items hold in the clear.
func (b *batch) wipe() {
	for _, item := range b.items {
		clear(item.Data)
		clear(item.result.Plaintext)
	}
}
