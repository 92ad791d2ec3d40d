// Package diagnose turns errors into what Terraform prints: it is the only place of the provider where that is worded. It finds
// the attribute that an error is about, and says what to change. It is never given a value.
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

// Subject is what an error is about: a resource, and which of its attributes stand for the fields of the engine.
type Subject struct {
	Name string // "workspace \"acme\""
	// Attribute finds the attribute for a field of the engine; nil, or false, when the subject has none.
	Attribute func(field string) (path.Path, bool)
	// Undecided is the advice for an error after which it is unknown whether Vault has carried out the write; empty for none.
	Undecided string
}

// Report adds err to diags, worded for a person who was doing something ("create") to the subject.
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
		diags.AddError(summary, sentence(err.Error()))
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

// AttributeError is an error that the provider itself finds in an attribute.
type AttributeError struct{ Attribute, Text string }

// Error is the text behind the attribute's name.
func (e *AttributeError) Error() string { return e.Attribute + ": " + e.Text }

// At makes an AttributeError.
func At(attribute, format string, args ...any) error {
	return &AttributeError{Attribute: attribute, Text: fmt.Sprintf(format, args...)}
}

// Warn adds a warning at an attribute, or without one when attribute is empty.
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
		return fmt.Sprintf("Vault answers %q to %s %s. The token's policies need this line:\n\n    %s\n\n"+
			"If they have it, the token may have expired.", "permission denied", e.Method, e.Path, PolicyLine(e))
	case client.NoMount:
		mount, _, _ := strings.Cut(e.Path, "/")
		return fmt.Sprintf("Nothing is mounted at %s/. Check the provider's mount, namespace and address; or mount the engine:\n\n"+
			"    vault secrets enable -path=%s vault-plugin-secrets-stashbase", mount, mount)
	case client.Conflict:
		return sentence(e.Text) + " If somebody else has changed it meanwhile, plan again."
	case client.Sealed:
		return "Vault is sealed, in standby or starting: " + sentence(e.Text)
	case client.RateLimited:
		return "A rate limit quota of Vault refuses the request. Lower -parallelism, or raise the quota: vault read sys/quotas/rate-limit/<name>"
	case client.Strange:
		return fmt.Sprintf("%s %s: %s", e.Method, e.Path, sentence(e.Text))
	case client.Invalid:
		if e.Field != "" {
			return e.Text // it begins with the field's name, which stays as it is
		}
		return sentence(e.Text)
	default:
		return sentence(e.Text)
	}
}

// PolicyLine is the line that a policy lacks when e is a NoPermission.
func PolicyLine(e *client.Error) string {
	capabilities := map[string]string{
		http.MethodGet: `"read"`, http.MethodPut: `"create", "update"`, http.MethodPatch: `"patch"`, http.MethodDelete: `"delete"`,
	}
	return fmt.Sprintf("path %q { capabilities = [%s] }", e.Path, capabilities[e.Method])
}

// sentence makes a text begin with a capital and end with a full stop.
func sentence(text string) string {
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

// Unexpected makes one error of diagnostics of the framework.
func Unexpected(diags diag.Diagnostics) error {
	var all []error
	for _, d := range diags.Errors() {
		all = append(all, fmt.Errorf("%s: %s", d.Summary(), d.Detail()))
	}
	return errors.Join(all...)
}

// Hint adds what to do next to an error of a kind.
func Hint(err error, kind client.Kind, hint string) error {
	var e *client.Error
	if !errors.As(err, &e) || e.Kind != kind {
		return err
	}
	hinted := *e
	hinted.Text = sentence(e.Text) + " " + hint
	return &hinted
}

// Invalid refuses a value of the configuration.
func Invalid(diags *diag.Diagnostics, at path.Path, want string) {
	diags.AddAttributeError(at, "Invalid value", sentence(want))
}
