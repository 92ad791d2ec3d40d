package base

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/schema/validator"

	"github.com/stashbase/vault-stashbase/shared/names"
	"github.com/stashbase/vault-stashbase/terraform-provider/internal/diagnose"
)

// Key is an attribute that is part of an id.
type Key struct {
	Name, Help string
	Kind       names.Kind // the rule for its values
}

// Workspace is the first key of a resource in a workspace.
func Workspace() Key {
	return Key{Name: "workspace", Help: "Name of the workspace.", Kind: names.Workspace}
}

// Project is the second key of a resource in a project.
func Project() Key { return Key{Name: "project", Help: "Name of the project in the workspace."} }

// Environment is the third key of a resource in an environment.
func Environment() Key {
	return Key{Name: "environment", Help: "Name of the environment in the project."}
}

// Validators returns the check of the attribute's values during the plan.
func (k Key) Validators() []validator.String { return []validator.String{Name(k.Kind)} }

// Name returns the check that a text is a valid name of the given kind.
func Name(kind names.Kind) validator.String {
	return Text{Rule: "a valid name", Check: kind.Check}
}

// Text checks a text that is known during the plan.
type Text struct {
	Rule  string // a short description of valid texts
	Check func(text string) error
}

var _ validator.String = Text{}

// Description returns the rule.
func (t Text) Description(context.Context) string { return t.Rule }

// MarkdownDescription returns the rule.
func (t Text) MarkdownDescription(context.Context) string { return t.Rule }

// ValidateString reports a text that the check refuses. The error contains nothing of the text.
func (t Text) ValidateString(_ context.Context, request validator.StringRequest, response *validator.StringResponse) {
	if request.ConfigValue.IsNull() || request.ConfigValue.IsUnknown() {
		return
	}
	if err := t.Check(request.ConfigValue.ValueString()); err != nil {
		diagnose.Invalid(&response.Diagnostics, request.Path, err.Error())
	}
}
