package intake

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
)

// canary is planted wherever a caller could put a secret. No error may contain it.
const canary = "cAnArY-7f3d9"

// everyType has a field of each type that a path may declare.
var everyType = map[string]framework.FieldType{
	"text":            framework.TypeString,
	"lower":           framework.TypeLowerCaseString,
	"count":           framework.TypeInt,
	"big_count":       framework.TypeInt64,
	"enabled":         framework.TypeBool,
	"period":          framework.TypeDurationSecond,
	"offset":          framework.TypeSignedDurationSecond,
	"moment":          framework.TypeTime,
	"object":          framework.TypeMap,
	"secrets":         framework.TypeMap,
	"labels":          framework.TypeKVPairs,
	"items":           framework.TypeSlice,
	"names":           framework.TypeStringSlice,
	"comma_names":     framework.TypeCommaStringSlice,
	"version_for_url": framework.TypeInt,
}

// forURL is the field of everyType that is a query parameter.
const forURL = "version_for_url"

func handled(context.Context, *logical.Request, *framework.FieldData) (*logical.Response, error) {
	return &logical.Response{}, nil
}

func testPaths() []*framework.Path {
	fields := map[string]*framework.FieldSchema{"workspace": {Type: framework.TypeString}, "name": {Type: framework.TypeString}}
	for field, fieldType := range everyType {
		fields[field] = &framework.FieldSchema{Type: fieldType, Query: field == "version_for_url"}
	}
	return []*framework.Path{
		{
			Pattern: "things/(?P<workspace>[^/]+)/(?P<name>[^/]+)",
			Fields:  fields,
			Operations: map[logical.Operation]framework.OperationHandler{
				logical.CreateOperation: &framework.PathOperation{Callback: handled},
				logical.UpdateOperation: &framework.PathOperation{Callback: handled},
				logical.PatchOperation:  &framework.PathOperation{Callback: handled},
				logical.ReadOperation:   &framework.PathOperation{Callback: handled},
			},
			ExistenceCheck: func(context.Context, *logical.Request, *framework.FieldData) (bool, error) { return true, nil },
		},
		{
			Pattern:    "info$",
			Operations: map[logical.Operation]framework.OperationHandler{logical.ReadOperation: &framework.PathOperation{Callback: handled}},
		},
	}
}

func newChecker(t testing.TB) *Checker {
	t.Helper()
	c, err := New(testPaths(), StringValues("secrets"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func request(op logical.Operation, data map[string]any) *logical.Request {
	return &logical.Request{Operation: op, Path: "things/acme/db", Data: data}
}

// convert converts data as the framework does after Check.
func convert(data map[string]any) error {
	fd := framework.FieldData{Raw: data, Schema: testPaths()[0].Fields}
	if err := fd.Validate(); err != nil {
		return err
	}
	for field := range data {
		if _, _, err := fd.GetOkErr(field); err != nil {
			return err
		}
	}
	return nil
}

func TestGoodFormsPassAndTheFrameworkConvertsThem(t *testing.T) {
	good := map[string][]any{
		"text":        {"", canary, "12"},
		"lower":       {"ABC"},
		"count":       {float64(0), float64(-3), 1e3, json.Number("7"), "0", "12", "-4", 5, int64(6)},
		"big_count":   {"9007199254740993", json.Number("9223372036854775807"), float64(1<<53 - 1)},
		"enabled":     {true, false, "true", "false", "1", "0", "T", float64(1), float64(0), json.Number("1")},
		"period":      {float64(90), json.Number("90"), "90", "90s", "1h30m", "7d", "0", 60},
		"offset":      {"-90s", float64(-1), "1d"},
		"moment":      {"2026-02-03T04:05:06Z", "2026-02-03T04:05:06.789+01:00"},
		"object":      {map[string]any{}, map[string]any{"a": []any{1.5, nil}}, map[string]string{"a": "b"}},
		"secrets":     {map[string]any{"A": canary, "B": ""}},
		"labels":      {map[string]any{"a": "b"}, map[string]string{"a": "b"}, "a=b", []any{"a=b", "c=d=e"}, []string{"a="}, []any{}},
		"items":       {[]any{}, []any{map[string]any{"a": 1.0}}, []string{"a"}},
		"names":       {"", "one", []any{"a", "b"}, []string{"a"}, []any{}},
		"comma_names": {"", "a,b", []any{"a", "b"}, []string{"a"}},
	}
	c := newChecker(t)
	for field, values := range good {
		for _, value := range values {
			t.Run(fmt.Sprintf("%s=%T(%v)", field, value, value), func(t *testing.T) {
				data := map[string]any{field: value}
				if err := c.Check(request(logical.UpdateOperation, data)); err != nil {
					t.Error(err)
				}
				if err := convert(data); err != nil {
					t.Errorf("the framework refuses what Check accepts: %v", err)
				}
			})
		}
	}
}

func TestBadFormsAreRefusedByFieldAndFormAlone(t *testing.T) {
	object, list := map[string]any{"a": canary}, []any{canary}
	bad := map[string][]any{
		"text":        {float64(12), json.Number("12"), true, object, list, []string{canary, canary}},
		"lower":       {float64(12), list},
		"count":       {canary, "", "1.5", "010", "0x1F", "1_000", "+5", " 5", 1.5, 1e300, float64(1 << 53), json.Number("1e3"), json.Number("5.0"), "9223372036854775808", true, object, list},
		"big_count":   {canary, "9223372036854775808", -1e19},
		"enabled":     {canary, "", "yes", float64(2), json.Number("1.0"), object, list},
		"period":      {canary, "", "-1h", "-1", float64(-1), 1.5, "500ms", "1.5s", "1y", 1e15, "9999999999999d", true, object, list},
		"offset":      {canary, "500ms", object},
		"moment":      {canary, "", "2026-02-03", "1770000000", float64(1770000000), json.Number("1770000000"), object},
		"object":      {canary, "", "{}", float64(1), list, []any{object}},
		"secrets":     {canary, list, map[string]any{"A": 12.0}, map[string]any{"A": canary, "B": nil}, map[string]any{"A": object}, map[string]any{canary + "!": true}},
		"labels":      {canary, "", "=" + canary, []any{"a=b", canary}, map[string]any{"a": 1.0}, map[string]any{"a": nil}, float64(1), []any{object}},
		"items":       {canary, float64(1), object},
		"names":       {float64(1), true, object, []any{canary, 1.0}, []any{nil}},
		"comma_names": {float64(1), json.Number("1"), object, []any{canary, 1.0}, []any{list}},
	}
	c := newChecker(t)
	for field, values := range bad {
		for _, value := range values {
			t.Run(fmt.Sprintf("%s=%T(%v)", field, value, value), func(t *testing.T) {
				err := c.Check(request(logical.UpdateOperation, map[string]any{field: value}))
				if !fault.Is(err, fault.Invalid) {
					t.Fatalf("got %v, want an error of kind invalid", err)
				}
				if !strings.HasPrefix(err.Error(), "invalid: "+field+": ") || !strings.Contains(err.Error(), "must be ") {
					t.Errorf("%q does not name the field and the form", err)
				}
				if strings.Contains(err.Error(), canary) {
					t.Errorf("%q contains the input", err)
				}
			})
		}
	}
	for field := range everyType {
		if bad[field] == nil && field != "version_for_url" {
			t.Errorf("no invalid form of %s is tried", field)
		}
	}
}

func TestTheKeyOfASecretThatIsNoStringIsNamed(t *testing.T) {
	c := newChecker(t)
	for _, tc := range []struct {
		name    string
		op      logical.Operation
		secrets map[string]any
		want    string
	}{
		{"a number", logical.UpdateOperation, map[string]any{"A": "x", "PORT": 8080.0}, `invalid: secrets: the value of "PORT" must be a JSON string; quote numbers, true and false`},
		{"the first of several", logical.UpdateOperation, map[string]any{"B": true, "A": 1.0}, `invalid: secrets: the value of "A" must be a JSON string; quote numbers, true and false`},
		{"under a key that is no name", logical.UpdateOperation, map[string]any{"to be=hidden": 1.0}, `invalid: secrets: every value must be a JSON string; quote numbers, true and false`},
		{"null in a write", logical.UpdateOperation, map[string]any{"A": nil}, `invalid: secrets: the value of "A" must be a JSON string; quote numbers, true and false`},
		{"null in a patch", logical.PatchOperation, map[string]any{"A": nil}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			expect(t, c.Check(request(tc.op, map[string]any{"secrets": tc.secrets})), tc.want)
		})
	}
}

func TestNullResetsAFieldInAPatchOnly(t *testing.T) {
	c := newChecker(t)
	for field := range everyType {
		if field == forURL {
			continue
		}
		data := map[string]any{field: nil}
		for _, op := range []logical.Operation{logical.CreateOperation, logical.UpdateOperation} {
			expect(t, c.Check(request(op, data)), "invalid: "+field+": must not be null; omit the field (null resets a field only in a patch)")
		}
		expect(t, c.Check(request(logical.PatchOperation, data)), "")
		if err := convert(data); err != nil {
			t.Errorf("the framework refuses null for %s: %v", field, err)
		}
	}
}

func TestUnknownFieldsAreRefused(t *testing.T) {
	all := slices.DeleteFunc(slices.Sorted(maps.Keys(everyType)), func(field string) bool { return field == forURL })
	takes := strings.Join(all, ", ")
	c := newChecker(t)
	for _, tc := range []struct {
		name string
		op   logical.Operation
		data map[string]any
		want string
	}{
		{"by name", logical.UpdateOperation, map[string]any{"colour": canary}, "invalid: colour: unknown field; a write of this path accepts " + takes},
		{"with what was meant", logical.CreateOperation, map[string]any{"perod": canary}, "invalid: perod: unknown field; did you mean period? a write of this path accepts " + takes},
		{"with what was meant, in another spelling", logical.PatchOperation, map[string]any{"Big-Count": 1.0}, "invalid: a field with an unprintable name: unknown field; did you mean big_count? a patch of this path accepts " + takes},
		{"without a name that may be a value", logical.UpdateOperation, map[string]any{canary: ""}, "invalid: a field with an unprintable name: unknown field; a write of this path accepts " + takes},
		{"without a long name", logical.UpdateOperation, map[string]any{strings.Repeat("a", 65): ""}, "invalid: a field with an unprintable name: unknown field; a write of this path accepts " + takes},
		{"without an empty name", logical.UpdateOperation, map[string]any{"": ""}, "invalid: a field with an unprintable name: unknown field; a write of this path accepts " + takes},
		{"in a URL, unless declared for it", logical.ReadOperation, map[string]any{"text": canary}, "invalid: text: is only for a write or patch; a read of this path accepts version_for_url"},
		{"in a body, if declared for a URL", logical.PatchOperation, map[string]any{forURL: "1"}, "invalid: version_for_url: is only for a read; a patch of this path accepts " + takes},
		{"by a name of an environment variable", logical.UpdateOperation, map[string]any{"DB_USER": canary}, "invalid: DB_USER: unknown field; a write of this path accepts " + takes},
		{"the first by name", logical.UpdateOperation, map[string]any{"zz": 1.0, "count": canary}, "invalid: count: must be a whole number"},
		{"repeating the path", logical.UpdateOperation, map[string]any{"name": "other"}, "invalid: name: is part of the path; remove it from the data"},
		{"repeating the path with the same value", logical.UpdateOperation, map[string]any{"workspace": "acme"}, "invalid: workspace: is part of the path; remove it from the data"},
		{"not when declared for the URL", logical.ReadOperation, map[string]any{"version_for_url": "3"}, ""},
		{"repeated in the URL", logical.ReadOperation, map[string]any{"version_for_url": []any{"3", canary}}, "invalid: version_for_url: must be a whole number"},
	} {
		t.Run(tc.name, func(t *testing.T) { expect(t, c.Check(request(tc.op, tc.data)), tc.want) })
	}
	err := c.Check(&logical.Request{Operation: logical.ReadOperation, Path: "info", Data: map[string]any{"x": "y"}})
	expect(t, err, "invalid: x: unknown field; a read of this path accepts no fields")
}

func expect(t *testing.T, err error, want string) {
	t.Helper()
	got := ""
	if err != nil {
		got = err.Error()
	}
	if got != want {
		t.Errorf("\n got %q\nwant %q", got, want)
	}
}

func TestNewRefusesWhatCannotBeChecked(t *testing.T) {
	text := map[string]*framework.FieldSchema{"a": {Type: framework.TypeString}}
	for _, tc := range []struct {
		name    string
		path    framework.Path
		options []Option
		want    string
	}{
		{"a blank pattern", framework.Path{}, nil, `the pattern is empty`},
		{"a broken pattern", framework.Path{Pattern: "(", Fields: text}, nil, `error parsing regexp`},
		{"a capture without a field", framework.Path{Pattern: "(?P<b>x)", Fields: text}, nil, `the capture "b" has no field`},
		{"a type without a form", framework.Path{Pattern: "x", Fields: map[string]*framework.FieldSchema{"a": {Type: framework.TypeHeader}}}, nil, `field "a": no form for type header`},
		{"arbitrary input", framework.Path{Pattern: "x", TakesArbitraryInput: true}, nil, `arbitrary input`},
		{"string values of a field nobody declares", framework.Path{Pattern: "x", Fields: text}, []Option{StringValues("b")}, `"b", which no path declares`},
		{"string values of a field that is no map", framework.Path{Pattern: "x", Fields: text}, []Option{StringValues("a")}, `"a", which is not a TypeMap`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.path.Operations = map[logical.Operation]framework.OperationHandler{}
			if _, err := New([]*framework.Path{&tc.path}, tc.options...); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q in it", err, tc.want)
			}
		})
	}
	if _, err := New([]*framework.Path{{Pattern: "x", Fields: text}}); err == nil || !strings.Contains(err.Error(), "no Operations") {
		t.Errorf("a path without operations: got %v", err)
	}
}
