package diagnose_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/stashbase/vault-stashbase/shared/client"
	"github.com/stashbase/vault-stashbase/terraform-provider/internal/diagnose"
)

func TestAnErrorSaysWhereAndWhatToDo(t *testing.T) {
	subject := diagnose.Subject{Name: `stashbase_secret "a"`, Undecided: "Check the result.", Attribute: func(field string) (path.Path, bool) {
		return path.Root("value_wo"), field == "value"
	}}
	cases := []struct {
		name   string
		err    error
		at     string
		detail string
	}{
		{"at its attribute", &client.Error{Kind: client.Invalid, Field: "value", Text: "value: must be a string"}, "value_wo", "value: must be a string"},
		{"of a field without an attribute", &client.Error{Kind: client.Invalid, Field: "other", Text: "other: is wrong"}, "", "other: is wrong"},
		{"found by the provider", diagnose.At("tags", "Too %s.", "many"), "tags", "Too many."},
		{"a missing permission", &client.Error{Kind: client.NoPermission, Method: "PUT", Path: "stashbase/secrets/a"}, "", `path "stashbase/secrets/a" { capabilities = ["create", "update"] }`},
		{"a missing permission to patch", &client.Error{Kind: client.NoPermission, Method: "PATCH", Path: "stashbase/config"}, "", `capabilities = ["patch"]`},
		{"nothing mounted", &client.Error{Kind: client.NoMount, Path: "elsewhere/config"}, "", "vault secrets enable -path=elsewhere vault-plugin-secrets-stashbase"},
		{"a conflict", &client.Error{Kind: client.Conflict, Text: "the newest version is 3"}, "", "The newest version is 3. If someone else has changed it meanwhile, plan again."},
		{"a quota", &client.Error{Kind: client.RateLimited}, "", "-parallelism"},
		{"sealed", &client.Error{Kind: client.Sealed, Text: "Vault is sealed"}, "", "Vault is sealed, in standby or starting"},
		{"an unexpected response", &client.Error{Kind: client.Strange, Method: "GET", Path: "x", Text: "status 500"}, "", "GET x: Status 500."},
		{"a lost response", &client.Error{Kind: client.Unreachable, Text: "it was cut", OutcomeUnknown: true}, "", "It was cut.\n\nCheck the result."},
		{"with a hint", diagnose.Hint(&client.Error{Kind: client.NotFound, Text: "it is gone"}, client.NotFound, "Look elsewhere."), "", "It is gone. Look elsewhere."},
		{"another error", errors.New("no token"), "", "No token."},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var diags diag.Diagnostics
			diagnose.Report(&diags, "update", subject, c.err)
			if len(diags) != 1 || diags[0].Summary() != `Cannot update stashbase_secret "a"` || !strings.Contains(diags[0].Detail(), c.detail) {
				t.Fatalf("%v", diags)
			}
			at := ""
			if withPath, ok := diags[0].(diag.DiagnosticWithPath); ok {
				at = withPath.Path().String()
			}
			if at != c.at {
				t.Errorf("it is at %q, want %q", at, c.at)
			}
		})
	}
}

func TestNoErrorReportsNothing(t *testing.T) {
	var diags diag.Diagnostics
	diagnose.Report(&diags, "update", diagnose.Subject{}, nil)
	if len(diags) != 0 {
		t.Fatal(diags)
	}
}
