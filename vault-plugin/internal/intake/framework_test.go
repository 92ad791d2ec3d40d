package intake

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
)

func TestMatchChoosesAndCapturesAsTheFrameworkDoes(t *testing.T) {
	patterns := []string{
		"config", "^anchored", "anchored-end$", "left|right", "list/?", "list/(?P<a>[^/]+)", "opt/(?P<a>[^/]+)(/(?P<b>[^/]+))?/?",
		"opt/first/never", "(?P<a>x)y|z(?P<b>w)",
	}
	var captured map[string]any
	declare := func() []*framework.Path {
		var paths []*framework.Path
		for _, pattern := range patterns {
			path := &framework.Path{Pattern: pattern, Fields: map[string]*framework.FieldSchema{"a": {Type: framework.TypeString}, "b": {Type: framework.TypeString}}}
			read := func(_ context.Context, _ *logical.Request, fd *framework.FieldData) (*logical.Response, error) {
				captured = fd.Raw
				return nil, nil
			}
			path.Operations = map[logical.Operation]framework.OperationHandler{logical.ReadOperation: &framework.PathOperation{Callback: read}}
			paths = append(paths, path)
		}
		return paths
	}
	c, err := New(declare())
	if err != nil {
		t.Fatal(err)
	}
	paths := declare()
	backend := &framework.Backend{Paths: paths}
	for _, requestPath := range []string{
		"", "config", "config/", "xconfig", "anchored", "anchored-end", "left", "leftover", "right", "upright", "list", "list/", "list/x",
		"list/x/", "opt/x", "opt/x/", "opt/x/y", "opt/first/never", "opt/x/y/z", "xy", "xyz", "zw", "azw", "opt/a\nb",
	} {
		t.Run(requestPath, func(t *testing.T) {
			captured = nil
			chosen := backend.Route(requestPath)
			_, _ = backend.HandleRequest(context.Background(), &logical.Request{Operation: logical.ReadOperation, Path: requestPath})
			got, captures := c.Match(requestPath)
			if (got == nil) != (chosen == nil) || got != nil && anchored(got.Pattern) != chosen.Pattern {
				t.Fatalf("Match chose %v, the framework %v", got, chosen)
			}
			want := map[string]string{}
			for name, value := range captured {
				want[name] = value.(string)
			}
			if !maps.Equal(captures, want) {
				t.Errorf("captured %v, the framework %v", captures, want)
			}
		})
	}
}

func TestRequestsOfTheFrameworkAloneAreAcceptedAndLeakNothing(t *testing.T) {
	c := newChecker(t)
	backend := &framework.Backend{Paths: testPaths()}
	data := map[string]any{"count": canary, canary: canary}
	// The framework's help names unknown keys in a warning. Vault itself makes every help request,
	// without keys of the caller.
	helpData := map[string]any{"count": canary}
	for _, tc := range []struct {
		name string
		req  *logical.Request
	}{
		{"an unknown path", &logical.Request{Operation: logical.UpdateOperation, Path: "nothing/here"}},
		{"an unsupported operation", &logical.Request{Operation: logical.DeleteOperation, Path: "things/acme/db"}},
		{"an unsupported operation of a path without fields", &logical.Request{Operation: logical.UpdateOperation, Path: "info"}},
		{"help", &logical.Request{Operation: logical.HelpOperation, Path: "things/acme/db"}},
		{"rollback", &logical.Request{Operation: logical.RollbackOperation, Path: ""}},
		{"renewal", &logical.Request{Operation: logical.RenewOperation, Path: "things/acme/db"}},
		{"revocation", &logical.Request{Operation: logical.RevokeOperation, Path: "things/acme/db"}},
		{"rotation", &logical.Request{Operation: logical.RotationOperation, Path: "things/acme/db"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.req.Data = data
			if tc.req.Operation == logical.HelpOperation {
				tc.req.Data = helpData
			}
			if err := c.Check(tc.req); err != nil {
				t.Errorf("not accepted: %v", err)
			}
			resp, err := backend.HandleRequest(context.Background(), tc.req)
			answer, _ := json.Marshal(resp)
			if text := fmt.Sprint(string(answer), err); strings.Contains(text, canary) {
				t.Errorf("the framework's response contains the input: %s", text)
			}
		})
	}
}

func TestAnExistenceCheckNeverSeesData(t *testing.T) {
	c := newChecker(t)
	backend := &framework.Backend{Paths: testPaths()}
	req := request(logical.CreateOperation, map[string]any{"count": canary})
	req.EntityID = "someone"

	bare := c.ExistenceRequest(req)
	if bare.Data != nil || bare.Path != req.Path || bare.Operation != req.Operation || bare.EntityID != req.EntityID {
		t.Errorf("got %+v", bare)
	}
	if req.Data["count"] != canary {
		t.Error("the original request changed")
	}
	if _, exists, err := backend.HandleExistenceCheck(context.Background(), bare); err != nil || !exists {
		t.Errorf("got %v, %v", exists, err)
	}
	if _, _, err := backend.HandleExistenceCheck(context.Background(), req); err == nil || !strings.Contains(err.Error(), "count") {
		t.Errorf("the framework no longer converts data here (%v): ExistenceRequest may not be needed any more", err)
	}
}

// FuzzCheck checks that Check never panics, that the framework converts all data that Check
// accepts, and that an error does not contain the data.
func FuzzCheck(f *testing.F) {
	for _, seed := range []string{
		`{"count":"` + canary + `"}`, `{"secrets":{"A":1}}`, `{"labels":[]}`, `{"labels":[{}]}`, `{"names":"a,b"}`, `{"text":null}`,
		`{"count":1e3}`, `{"moment":"2026-02-03T04:05:06,7Z"}`, `{"period":"1d"}`, `{"enabled":0.0}`, `{"items":[[[]]]}`, `{"name":"x"}`,
		`{"object":{"":{"a":[null,true]}}}`, `{"period":-0.0}`, `{"big_count":"-0"}`, `{"s3cr3t_value":"x"}`,
	} {
		for op := range byte(4) {
			f.Add(seed, op, op%2 == 0)
		}
	}
	ops := []logical.Operation{logical.CreateOperation, logical.UpdateOperation, logical.PatchOperation, logical.ReadOperation}
	c := newChecker(f)
	f.Fuzz(func(t *testing.T, text string, op byte, numbers bool) {
		decoder := json.NewDecoder(strings.NewReader(text))
		if numbers {
			decoder.UseNumber()
		}
		var data map[string]any
		if decoder.Decode(&data) != nil {
			t.Skip()
		}
		err := c.Check(request(ops[int(op)%len(ops)], data))
		if err == nil {
			if err := convert(data); err != nil {
				t.Fatalf("the framework refuses what Check accepts: %v", err)
			}
			return
		}
		if !fault.Is(err, fault.Invalid) {
			t.Fatalf("%v is not of kind invalid", err)
		}
		ours := ownWords(data)
		eachString(data, func(value string) {
			if len(value) > 3 && strings.Contains(err.Error(), value) && !strings.Contains(ours, value) {
				t.Fatalf("%q contains the value %q", err, value)
			}
		})
	})
}

// ownWords holds all text that an error may contain: fields, forms, phrases and keys.
func ownWords(data map[string]any) string {
	words := []string{
		"unknown field; did you mean ", "? a write of this path accepts ", "? a patch of this path accepts ", "a read of this path accepts version_for_url",
		"invalid: a field with an unprintable name: unknown field; a write of this path accepts; a patch of this path accepts",
		": is only for a write or patch; ", ": is only for a read; a write of this path accepts ", ": is only for a read; a patch of this path accepts ",
		"; on the command line, give the whole request as JSON: - <<<'{\"object\": {...}}' - <<<'{\"secrets\": {...}}' - <<<'{\"items\": [...]}'",
		": is part of the path; remove it from the data", ": must not be null; omit the field (null resets a field only in a patch)",
		`secrets: the value of "`, `" must be a JSON string; quote numbers, true and false`, ": every value must be a JSON string",
	}
	for field, fieldType := range everyType {
		form, _ := formOf(fieldType)
		words = append(words, "invalid: "+field+": must be "+form.want)
	}
	eachKey(data, func(key string) { words = append(words, key) })
	return strings.Join(words, "\x00")
}

func eachString(value any, visit func(string)) {
	switch v := value.(type) {
	case string:
		visit(v)
	case []any:
		for _, item := range v {
			eachString(item, visit)
		}
	case map[string]any:
		for _, item := range v {
			eachString(item, visit)
		}
	}
}

func eachKey(value any, visit func(string)) {
	switch v := value.(type) {
	case []any:
		for _, item := range v {
			eachKey(item, visit)
		}
	case map[string]any:
		for key, item := range v {
			visit(key)
			eachKey(item, visit)
		}
	}
}
