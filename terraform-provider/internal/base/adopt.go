package base

import (
	"context"
	"errors"

	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/stashbase/vault-stashbase/shared/client"
	"github.com/stashbase/vault-stashbase/terraform-provider/internal/diagnose"
)

// A create whose response was lost may have been done. The object then exists although no state has it: in this run, and in every
// later apply. It is taken over where that overwrites nothing and hands over nothing: where it is exactly what the configuration
// makes, and holds nothing else. Otherwise the error gives the command that imports it.

// existsError is the error of a Create that finds its object.
type existsError struct{ importCommand string }

func (e *existsError) Error() string {
	return "it exists already, and is not exactly as configured or holds something; to manage it here, import it: " + e.importCommand
}

// Exists returns the error of a Create that finds its object.
func (c *Call[M]) Exists() error { return &existsError{c.importCommand} }

// ImportCommand returns the command that imports the object.
func (c *Call[M]) ImportCommand() string { return c.importCommand }

// New turns the result of a read before a create into an error, unless it shows that the object does not exist.
func (c *Call[M]) New(err error) error {
	switch {
	case err == nil:
		return c.Exists()
	case client.IsGone(err):
		return nil
	default:
		return err
	}
}

// AsPlanned reports whether Model, filled from the object, is what the create plans. Attributes that are only known after the
// create do not count.
func (c *Call[M]) AsPlanned(ctx context.Context) (bool, error) {
	filled := tfsdk.State{Raw: c.planned.Raw, Schema: c.planned.Schema}
	if diags := keep(ctx, &filled, &c.Model); diags.HasError() {
		return false, diagnose.Unexpected(diags)
	}
	want, got := map[string]tftypes.Value{}, map[string]tftypes.Value{}
	if err := errors.Join(c.planned.Raw.As(&want), filled.Raw.As(&got)); err != nil {
		return false, err
	}
	for name, value := range want {
		if !value.IsFullyKnown() {
			continue
		}
		// A value of the framework compares a set without regard to the order of its elements.
		is := filled.Schema.GetAttributes()[name].GetType()
		planned, errPlanned := is.ValueFromTerraform(ctx, value)
		present, errPresent := is.ValueFromTerraform(ctx, got[name])
		if err := errors.Join(errPlanned, errPresent); err != nil || !planned.Equal(present) {
			return false, err
		}
	}
	return true, nil
}

// Again returns the Adopt of a kind whose create can be repeated at any time.
func Again[M any](create func(context.Context, *Call[M]) error) func(context.Context, *Call[M]) (bool, error) {
	return func(ctx context.Context, c *Call[M]) (bool, error) {
		err := create(ctx, c)
		return err == nil, err
	}
}

// create makes the object, or takes over the one that an earlier attempt has made.
func (r *managed[M]) create(ctx context.Context, call *Call[M], at place) error {
	failure := r.kind.Create(ctx, call)
	found := errors.As(failure, new(*existsError))
	if r.kind.Adopt == nil || !found && !client.OutcomeUnknown(failure) {
		return failure
	}
	// The object is read again. An error of that decides nothing, and the first one says what has happened.
	if adopted, err := r.kind.Adopt(ctx, call); err != nil || !adopted {
		return failure
	}
	if found {
		call.Warn("", r.describe(at)+" existed already", "It is exactly as configured and holds nothing else, as after an apply whose response was lost. It is managed here from now on.")
	}
	return nil
}

// undecided is the advice for an error that leaves open whether Vault has carried out the write.
func (r *managed[M]) undecided(doing string, at place) string {
	const lost = "The response was lost, so the write may have happened. "
	if doing != creating {
		return lost + "Plan again to see the current state."
	}
	return lost + "Apply again: what is exactly as configured and holds nothing else is then taken over. Otherwise import it: " + r.importCommand(at)
}

// importCommand returns the command that imports the object. A provider does not know the name of the resource's block.
func (r *managed[M]) importCommand(at place) string {
	return "terraform import " + TypePrefix + r.kind.Name + ".<name> " + at.id()
}
