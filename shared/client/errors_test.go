package client

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/vault/api"
)

// refused returns the error that Vault's client makes of a refusal.
func refused(status int, texts ...string) error {
	return &api.ResponseError{HTTPMethod: "PUT", URL: "https://vault.example/v1/x", StatusCode: status, Errors: texts}
}

func TestAnErrorIsRecognisedByItsWord(t *testing.T) {
	cases := []struct {
		name  string
		err   error
		kind  Kind
		field string
		text  string
	}{
		{"as Vault presents a plugin's", refused(400, "1 error occurred:\n\t* invalid: max_versions: must be between 1 and 100\n\n"), Invalid, "max_versions", "max_versions: must be between 1 and 100"},
		{"as a coded error", refused(400, "invalid: value: must be a string"), Invalid, "value", "value: must be a string"},
		{"invalid without a field", refused(400, "invalid: the request is empty"), Invalid, "", "the request is empty"},
		{"a missing parent", refused(400, `not_found: workspace "x" does not exist`), NotFound, "", `workspace "x" does not exist`},
		{"missing itself", refused(404, `not_found: secret "x" does not exist`), NotFound, "", `secret "x" does not exist`},
		{"missing without a text", refused(404), NotFound, "", ""},
		{"check-and-set", refused(409, "conflict: cas: the newest version is 3"), Conflict, "", "cas: the newest version is 3"},
		{"locked", refused(409, "locked: the environment is locked"), Locked, "", "the environment is locked"},
		{"limit", refused(400, "limit: 5000 secrets"), Limit, "", "5000 secrets"},
		{"denied by the engine", refused(403, "denied: base: not shared"), Denied, "", "base: not shared"},
		{"denied by Vault", refused(403, "permission denied"), NoPermission, "", "permission denied"},
		{"unavailable", refused(503, "unavailable: starting"), Unavailable, "", "starting"},
		{"of a provider", refused(400, "provider: it returned 500"), Provider, "", "it returned 500"},
		{"nothing mounted", refused(404, `no handler for route "x/y". route entry not found.`), NoMount, "", `no handler for route "x/y". route entry not found.`},
		{"sealed", refused(503, "Vault is sealed"), Sealed, "", "Vault is sealed"},
		{"a quota", refused(429, "request path: rate limit quota exceeded"), RateLimited, "", "request path: rate limit quota exceeded"},
		{"anything else", refused(500, "internal error with a value in it"), Strange, "", "status 500"},
		{"a page of a proxy", &api.ResponseError{StatusCode: 502, RawError: true, Errors: []string{"<html>a value</html>"}}, Strange, "", "status 502; the response did not come from Vault"},
		{"a proxy that knows no such page", &api.ResponseError{StatusCode: 404, RawError: true, Errors: []string{"404 page not found"}}, Strange, "", "status 404; the response did not come from Vault"},
		{"no response", fmt.Errorf("dial tcp: %w", context.Canceled), Unreachable, "", "no complete response from Vault: dial tcp: context canceled"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			e := parse(c.err)
			if e.Kind != c.kind || e.Field != c.field || e.Text != c.text {
				t.Errorf("%q, field %q, %q; want %q, %q, %q", e.Kind, e.Field, e.Text, c.kind, c.field, c.text)
			}
			if !Is(fmt.Errorf("while: %w", e), c.kind) || Is(nil, c.kind) {
				t.Error("Is does not recognise the kind")
			}
			if gone := c.kind == NotFound || c.kind == NoMount; IsGone(e) != gone {
				t.Errorf("IsGone is %t", IsGone(e))
			}
		})
	}
}

func TestACancelledRequestIsRecognised(t *testing.T) {
	if err := parse(fmt.Errorf("dial tcp: %w", context.Canceled)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestASegmentStaysASegment(t *testing.T) {
	if got := below("secrets", "a/../b", "c?d"); got != "secrets/a%2F..%2Fb/c%3Fd" {
		t.Error(got)
	}
}

// Every error of a server has a kind. A text that is not the engine's or Vault's is dropped.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"1 error occurred:\n\t* invalid: f: x", "permission denied", "invalid: ", "", "no handler for route"} {
		f.Add(400, seed)
	}
	f.Fuzz(func(t *testing.T, status int, text string) {
		e := parse(refused(status, text))
		if e.Kind == "" || e.Status != status {
			t.Fatalf("%+v", e)
		}
		if e.Field != "" && (e.Kind != Invalid || !strings.HasPrefix(e.Text, e.Field+": ")) {
			t.Fatalf("field %q of %q", e.Field, e.Text)
		}
		if e.Kind == Strange && e.Text != fmt.Sprintf("status %d", status) {
			t.Fatalf("%q is repeated", e.Text)
		}
	})
}
