package backend

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/charset"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/encryption"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/intake"
)

// maxBatch is the maximum number of items in one request. A batch runs without interruption, and
// its response is built in memory.
const maxBatch = 1000

// batch holds the items of one request: a single item in the request's own fields, or a list of
// items in batch_input.
type batch struct {
	items  []batchItem
	single bool
	status int // status of the response if some items failed, but not all
}

// batchItem is one item of a request, and its result.
type batchItem struct {
	encryption.Item
	reference string
	result    encryption.Result
}

// itemFields are the fields of an item, in the order in which errors and help name them. All of
// them except associated_data are required.
type itemFields []string

// readBatch reads the items of a request. If an item has the wrong shape, readBatch rejects the
// request and names the item. If a value is unusable, such as text that is not base64, only that
// item is rejected.
func readBatch(c *call, takes itemFields) (*batch, error) {
	raw, isBatch := c.req.Data[fieldBatchInput]
	hasStatus, _ := c.given(fieldPartialFailure)
	if !isBatch {
		if hasStatus {
			return nil, fault.New(fault.Invalid, "%s: is allowed only with %s; leave it out", fieldPartialFailure, fieldBatchInput)
		}
		return readSingle(c, takes)
	}
	for _, field := range takes {
		if present, _ := c.given(field); present {
			return nil, fault.New(fault.Invalid, "%s: cannot be combined with %s; give only one of them", field, fieldBatchInput)
		}
	}
	b := &batch{status: http.StatusBadRequest}
	if hasStatus {
		b.status, _ = c.data.Get(fieldPartialFailure).(int)
		if !carriesBody(b.status) {
			return nil, fault.New(fault.Invalid, "%s: must be an HTTP status from 200 to 599, but not 204, 205 or 304, which have no response body", fieldPartialFailure)
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

// readItems reads batch_input in the form that JSON decoding produces. intake has checked only that
// it is a list.
func readItems(raw any, takes itemFields) ([]batchItem, error) {
	list, _ := raw.([]any)
	switch {
	case len(list) == 0:
		return nil, fault.New(fault.Invalid, "%s: must be a list of 1 to %d objects with the fields %s", fieldBatchInput, maxBatch, takes.inBatch())
	case len(list) > maxBatch:
		return nil, fault.New(fault.Limit, "%s: has %d items, but a request can have at most %d; split the batch", fieldBatchInput, len(list), maxBatch)
	}
	items := make([]batchItem, len(list))
	for i, entry := range list {
		at := fmt.Sprintf("%s[%d]", fieldBatchInput, i)
		given, ok := entry.(map[string]any)
		if !ok {
			return nil, fault.New(fault.Invalid, "%s: must be an object with the fields %s", at, takes.inBatch())
		}
		for _, field := range slices.Sorted(maps.Keys(given)) {
			if field != fieldReference && !slices.Contains(takes, field) {
				return nil, fault.New(fault.Invalid, "%s.%s: unknown field; the fields of an item are %s", at, intake.Printed(field), takes.inBatch())
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

// read returns the item with the given fields. Errors put at before the name of a field.
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
			item.Text = charset.Trim(text[field])
		case fieldAssociatedData:
			item.AssociatedData = item.decode(field, text[field])
		default:
			item.Data = item.decode(field, text[field])
		}
	}
	return item, nil
}

// decode accepts only one form of base64, with white space around it. Line breaks inside are rejected
// separately, because the standard library's decoder skips them.
func (i *batchItem) decode(field, text string) []byte {
	text = charset.Trim(text)
	raw, err := base64.StdEncoding.Strict().DecodeString(text)
	if i.result.Refused == nil && (err != nil || strings.ContainsAny(text, "\r\n")) {
		i.result.Refused = fault.New(fault.Invalid, "%s: must be base64 (RFC 4648, with padding, on one line)", field)
	}
	return raw
}

// run passes the items that could be read to work, and stores the results in these items.
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

// respond returns the results of the items, in their order. As in Transit, a batch in which any
// item failed returns status 400 with all results. If some items succeeded, the caller can choose
// another status.
func (b *batch) respond(c *call, describe func(encryption.Result) map[string]any) (*logical.Response, error) {
	if b.single {
		if refused := b.items[0].result.Refused; refused != nil {
			return nil, refused
		}
		return respond(describe(b.items[0].result))
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
		return respond(data)
	}
	return logical.RespondWithStatusCode(&logical.Response{Data: data}, c.req, status)
}

// wipe clears the plaintext in the items.
func (b *batch) wipe() {
	for _, item := range b.items {
		clear(item.Data)
		clear(item.result.Plaintext)
	}
}
