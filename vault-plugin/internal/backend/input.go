package backend

import (
	"strings"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/intake"
)

// newIntake returns the checker of raw input for the paths.
func newIntake(paths []*framework.Path) (*intake.Checker, error) {
	return intake.New(paths,
		intake.StringValues("secrets", "metadata", "custom_metadata"),
		// A delete that ignored version would delete the newest version, and a read that ignored
		// versions would seem to refer to them.
		intake.Only(fieldVersion, logical.ReadOperation),
		intake.Only(fieldVersions, logical.DeleteOperation),
		intake.Only(fieldConfirm, logical.DeleteOperation),
		intake.Only(fieldPurge, logical.DeleteOperation),
		intake.Suggest(suggest))
}

// suggest returns what a caller probably wants who sends an unknown field.
func suggest(p *framework.Path, op logical.Operation, field string) string {
	has := func(name string) bool { return p.Fields[name] != nil }
	writes := op == logical.CreateOperation || op == logical.UpdateOperation || op == logical.PatchOperation
	switch {
	case field == fieldVersion && has(fieldVersionAt):
		return "an environment has no version; to deliver a past state, give " + fieldVersionAt
	case writes && has(fieldValue):
		return "give the value of this secret in " + fieldValue + "=, or write several secrets at once with import"
	case writes && has(fieldSecrets) && has(fieldContent):
		return "give names and values in " + fieldSecrets + ": " + intake.JSONExample(fieldSecrets, framework.TypeMap)
	}
	return ""
}

// describeJSON adds to the help of each field that takes JSON how the command line passes it.
func describeJSON(paths []*framework.Path) {
	for _, p := range paths {
		for name, f := range p.Fields {
			if example := intake.JSONExample(name, f.Type); example != "" && !strings.HasSuffix(f.Description, example) {
				f.Description += " On the command line: " + example
			}
		}
	}
}

// unsupported returns the error for an operation that a path does not have. People who know KV write
// to the path that they load.
func (b *Backend) unsupported(req *logical.Request) error {
	hint := ""
	category, _, _ := strings.Cut(req.Path, "/")
	switch req.Operation {
	case logical.CreateOperation, logical.UpdateOperation, logical.PatchOperation:
		if category == loadCategory || category == renderCategory || category == "secrets" || category == "metadata" {
			hint = "write one secret with secrets/<workspace>/<project>/<environment>/<name>, or several with import/<workspace>/<project>/<environment>"
		}
	case logical.DeleteOperation:
		if category == loadCategory || category == renderCategory || category == "secrets" {
			hint = "delete one secret with secrets/<workspace>/<project>/<environment>/<name>"
		}
	}
	return b.intake.Unsupported(req, hint)
}
