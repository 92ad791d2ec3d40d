// Package diagnose owns the wording of diagnostics: it turns errors into what Terraform prints. It
// finds the attribute that an error is about and says what to change. It is never given a value.
package diagnose

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/stashbase/vault-stashbase/shared/client"
)

// Subject is the resource that an error is about.
type Subject struct {
	Name string // "workspace \"acme\""
	// Attribute returns the attribute for a field of the engine, and false if there is none. It may
	// be nil.
	Attribute func(field string) (path.Path, bool)
	// Undecided is the advice for an error after which it is unknown whether Vault performed the
	// write. Empty means no advice.
	Undecided string
}

// Report adds err to diags. doing is the failed action, such as "create".
func Report(diags *diag.Diagnostics, doing string, subject Subject, err error) {
	if err == nil {
		return
	}
	summary := fmt.Sprintf("Cannot %s %s", doing, subject.Name)
	var about *AttributeError
	if errors.As(err, &about) {
		diags.AddAttributeError(path.Root(about.Attribute), summary, about.Text)
		return
	}
	var e *client.Error
	if !errors.As(err, &e) {
		diags.AddError(summary, Sentence(err.Error()))
		return
	}
	detail := explain(e)
	if e.OutcomeUnknown && subject.Undecided != "" {
		detail += "\n\n" + subject.Undecided
	}
	if e.Field != "" && subject.Attribute != nil {
		if at, ok := subject.Attribute(e.Field); ok {
			diags.AddAttributeError(at, summary, detail)
			return
		}
	}
	diags.AddError(summary, detail)
}

// AttributeError is an error in an attribute that the provider itself finds.
type AttributeError struct{ Attribute, Text string }

// Error returns the text after the attribute's name.
func (e *AttributeError) Error() string { return e.Attribute + ": " + e.Text }

// At returns an AttributeError.
func At(attribute, format string, args ...any) error {
	return &AttributeError{Attribute: attribute, Text: fmt.Sprintf(format, args...)}
}

// Warn adds a warning to an attribute, or to the resource if attribute is empty.
func Warn(diags *diag.Diagnostics, attribute, summary, detail string) {
	if attribute == "" {
		diags.AddWarning(summary, detail)
		return
	}
	diags.AddAttributeWarning(path.Root(attribute), summary, detail)
}

func explain(e *client.Error) string {
	switch e.Kind {
	case client.NoPermission:
		return fmt.Sprintf("Vault denied %s %s. The token's policies need this line:\n\n    %s\n\n"+
			"If they contain it, the token may have expired.", e.Method, e.Path, PolicyLine(e))
	case client.NoMount:
		mount, _, _ := strings.Cut(e.Path, "/")
		return fmt.Sprintf("Nothing is mounted at %s/. Check the provider's mount, namespace and address, or mount the engine:\n\n"+
			"    vault secrets enable -path=%s vault-plugin-secrets-stashbase", mount, mount)
	case client.Conflict:
		return Sentence(e.Text) + " If someone else has changed it meanwhile, plan again."
	case client.Sealed:
		return "Vault is sealed, in standby or starting: " + Sentence(e.Text)
	case client.RateLimited:
		return "A rate limit quota of Vault rejected the request. Lower -parallelism, or raise the quota: vault read sys/quotas/rate-limit/<name>"
	case client.Strange:
		return fmt.Sprintf("%s %s: %s", e.Method, e.Path, Sentence(e.Text))
	case client.Invalid:
		if e.Field != "" {
			return e.Text // begins with the field's name, which keeps its case
		}
		return Sentence(e.Text)
	default:
		return Sentence(e.Text)
	}
}

// PolicyLine returns the policy line that is missing if e is a NoPermission.
func PolicyLine(e *client.Error) string {
	capabilities := map[string]string{
		http.MethodGet: `"read"`, http.MethodPut: `"create", "update"`, http.MethodPatch: `"patch"`, http.MethodDelete: `"delete"`,
	}
	return fmt.Sprintf("path %q { capabilities = [%s] }", e.Path, capabilities[e.Method])
}

// Sentence capitalizes the first letter of a text and ends the text with a period.
func Sentence(text string) string {
	text = strings.TrimSpace(text)
	if text == "" {
		return text
	}
	if first := text[0]; first >= 'a' && first <= 'z' {
		text = string(first-'a'+'A') + text[1:]
	}
	if strings.HasSuffix(text, ".") || strings.Contains(text, "\n") {
		return text
	}
	return text + "."
}

// Unexpected joins the errors among diagnostics of the framework.
func Unexpected(diags diag.Diagnostics) error {
	var all []error
	for _, d := range diags.Errors() {
		all = append(all, fmt.Errorf("%s: %s", d.Summary(), d.Detail()))
	}
	return errors.Join(all...)
}

// Hint appends a hint to an error of the given kind.
func Hint(err error, kind client.Kind, hint string) error {
	var e *client.Error
	if !errors.As(err, &e) || e.Kind != kind {
		return err
	}
	hinted := *e
	hinted.Text = Sentence(e.Text) + " " + hint
	return &hinted
}

// Invalid reports an invalid value in the configuration; want describes a valid one.
func Invalid(diags *diag.Diagnostics, at path.Path, want string) {
	diags.AddAttributeError(at, "Invalid value", Sentence(want))
}
