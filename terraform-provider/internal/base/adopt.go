package base

import (
	"context"
	"errors"

	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/stashbase/vault-stashbase/shared/client"
	"github.com/stashbase/vault-stashbase/terraform-provider/internal/diagnose"
)

// If the response of a create is lost, the object may exist although no state contains it, in this
// run and in every later apply. The resource adopts such an object if nothing is overwritten and
// nothing of others comes under its control. That is the case if the object is exactly as
// configured and contains nothing else. Otherwise the error gives the command that imports it.

// existsError is the error of a Create whose object already exists.
type existsError struct{ importCommand string }

func (e *existsError) Error() string {
	return "the object already exists, and it differs from the configuration or contains other objects; to manage it here, import it: " + e.importCommand
}

// AlreadyExists returns the error of a Create whose object already exists.
func (c *Call[M]) AlreadyExists() error { return &existsError{c.importCommand} }

// ImportCommand returns the command that imports the object.
func (c *Call[M]) ImportCommand() string { return c.importCommand }

// MustNotExist returns an error unless err, the result of reading the object before a create, shows
// that the object does not exist.
func (c *Call[M]) MustNotExist(err error) error {
	switch {
	case err == nil:
		return c.AlreadyExists()
	case client.IsGone(err):
		return nil
	default:
		return err
	}
}

// AsPlanned reports whether Model, filled from the existing object, equals the planned object.
// Attributes that are known only after the create are not compared.
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
		// A value of the framework compares sets without regard to order.
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

// create creates the object, or adopts the one that an earlier attempt created.
func (r *managed[M]) create(ctx context.Context, call *Call[M], at place) error {
	failure := r.kind.Create(ctx, call)
	found := errors.As(failure, new(*existsError))
	if r.kind.Adopt == nil || !found && !client.OutcomeUnknown(failure) {
		return failure
	}
	switch adopted, err := r.kind.Adopt(ctx, call); {
	case !found && client.IsGone(err):
		// The object does not exist. Every Create can be repeated, even if Vault carries out the
		// lost request later.
		return r.kind.Create(ctx, call)
	case err != nil || !adopted:
		return failure // not err: the error of the create says what happened
	}
	if found {
		call.Warn("", r.describe(at)+" already existed", "The object is exactly as configured and contains nothing else, for example because the response of an earlier apply was lost. This resource now manages it.")
	}
	return nil
}

// undecided returns the advice for an error after which it is unknown whether Vault performed the
// write.
func (r *managed[M]) undecided(doing string, at place) string {
	const lost = "The response was lost, so the write may have happened. "
	if doing != creating {
		return lost + "Plan again to see the current state."
	}
	return lost + "Apply again: the resource then takes over an object that is exactly as configured and contains nothing else. Otherwise import the object: " + r.importCommand(at)
}

// importCommand returns the command that imports the object. The provider does not know the name of
// the resource's block.
func (r *managed[M]) importCommand(at place) string {
	return "terraform import " + TypePrefix + r.kind.Name + ".<name> " + at.id()
}
