package intake

import (
	"crypto/rand"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
)

// A name may be shown if it looks like the name of a field or of an environment variable. What looks
// like a credential may not: a caller may have sent it in the place of a name.
func TestOnlyNamesThatCannotBeCredentialsArePrintable(t *testing.T) {
	for _, name := range []string{
		"DB_USER", "_", "value", "max_versions", "API_KEY", "S3_BUCKET", "K8S_NODE", "OAUTH2_TOKEN", "camelCase", "_private", "YEAR_2026", "A", "PORT8080", "2FA_SEED",
		"partial_failure_response_code",
	} {
		if !Printable(name) || Printed(name) != name {
			t.Errorf("%s is not printable", name)
		}
	}
	for _, name := range []string{
		"", "a b", "a=b", "a/b", "Big-Count", "näme", "a\nb", strings.Repeat("a_", 32) + "a", rand.Text(), strings.ToLower(rand.Text()),
		"ghp_16C7e42F292c6912E7710c838347Ae178B4a", "sk_live_4eC39HqLyjWDarjtT1zdp7dc", "AKIAIOSFODNN7EXAMPLE", "hvs.CAESIJ3x", "550e8400-e29b-41d4-a716-446655440000",
		"d41d8cd98f00b204e9800998ecf8427e", "eyJhbGciOiJIUzI1NiJ9",
	} {
		if Printable(name) || Printed(name) != "a field with an unprintable name" {
			t.Errorf("%q is printable", name)
		}
	}
}

func TestAParameterCanBeRestrictedToAnOperation(t *testing.T) {
	paths := []*framework.Path{{
		Pattern: "things/(?P<workspace>[^/]+)",
		Fields: map[string]*framework.FieldSchema{
			"workspace": {Type: framework.TypeString}, "confirm": {Type: framework.TypeString, Query: true}, "version": {Type: framework.TypeInt, Query: true},
			"text": {Type: framework.TypeString},
		},
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.ReadOperation: &framework.PathOperation{Callback: handled}, logical.DeleteOperation: &framework.PathOperation{Callback: handled},
			logical.UpdateOperation: &framework.PathOperation{Callback: handled},
		},
	}}
	c, err := New(paths, Only("confirm", logical.DeleteOperation), Suggest(func(_ *framework.Path, op logical.Operation, field string) string {
		return "instead of " + field + ", " + string(op) + " something else"
	}))
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		op    logical.Operation
		field string
		want  string
	}{
		{logical.DeleteOperation, "confirm", ""},
		{logical.DeleteOperation, "version", ""},
		{logical.ReadOperation, "version", ""},
		{logical.UpdateOperation, "text", ""},
		{logical.ReadOperation, "confirm", "invalid: confirm: is only for a delete; a read of this path accepts version"},
		{logical.UpdateOperation, "confirm", "invalid: confirm: is only for a delete; a write of this path accepts text"},
		{logical.UpdateOperation, "version", "invalid: version: is only for a read or delete; a write of this path accepts text"},
		{logical.DeleteOperation, "text", "invalid: text: is only for a write; a delete of this path accepts confirm, version"},
		{logical.ReadOperation, "colour", "invalid: colour: unknown field; instead of colour, read something else; a read of this path accepts version"},
		{logical.ReadOperation, "verrsion", "invalid: verrsion: unknown field; did you mean version? a read of this path accepts version"},
	} {
		req := &logical.Request{Operation: tc.op, Path: "things/acme", Data: map[string]any{tc.field: "1"}}
		expect(t, c.Check(req), tc.want)
		if got := c.Accepts(tc.op, req.Path, tc.field); got != (tc.want == "") {
			t.Errorf("%s %s: Accepts is %t", tc.op, tc.field, got)
		}
	}
	if c.Accepts(logical.PatchOperation, "things/acme", "text") || c.Accepts(logical.ReadOperation, "none", "version") {
		t.Error("Accepts is true for an operation or a path that does not exist")
	}
}

func TestAFieldOfJSONShowsHowToPassIt(t *testing.T) {
	c := newChecker(t)
	for field, want := range map[string]string{
		"object": `invalid: object: must be a JSON object; on the command line, give the whole request as JSON: - <<<'{"object": {...}}'`,
		"items":  `invalid: items: must be a JSON array; on the command line, give the whole request as JSON: - <<<'{"items": [...]}'`,
	} {
		expect(t, c.Check(request(logical.UpdateOperation, map[string]any{field: canary})), want)
	}
}
