package base

import (
	"context"
	"errors"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/stashbase/vault-stashbase/shared/client"
	"github.com/stashbase/vault-stashbase/terraform-provider/internal/connect"
	"github.com/stashbase/vault-stashbase/terraform-provider/internal/diagnose"
)

// PlanCall is a plan to create or update an object.
type PlanCall[M any] struct {
	Connection *connect.Connection // nil while Terraform only validates
	Names      []string            // values of the keys; "" for an unknown one
	Creates    bool
	// Replaces is the object that Terraform destroys because a key changes; nil if none does.
	// Terraform then makes a second plan, which creates the object under its new names.
	Replaces *Replaced
	// Model is the planned state, Prior the present state, and Config the configuration.
	Model, Prior, Config M

	private
	namespace string
	diags     *diag.Diagnostics
}

// Replaced is an object that a plan destroys, because names cannot change.
type Replaced struct {
	Attribute string // the first key that changes
	ID        string
	Names     []string // values of the keys

	connection *connect.Connection
	namespace  string
}

// Client returns a client in the namespace of the replaced object. It fails under the same
// conditions as PlanCall.Client.
func (r *Replaced) Client(ctx context.Context) (*client.Client, error) {
	return open(ctx, r.connection, r.namespace)
}

// Client returns a client in the resource's namespace. A plan must not depend on it: the provider's
// configuration may not be known yet, and Vault may not exist yet.
func (c *PlanCall[M]) Client(ctx context.Context) (*client.Client, error) {
	return open(ctx, c.Connection, c.namespace)
}

func open(ctx context.Context, connection *connect.Connection, namespace string) (*client.Client, error) {
	if connection == nil {
		return nil, errors.New("there is no connection to Vault while Terraform only validates")
	}
	return connection.Client(ctx, namespace)
}

// Warn adds a warning to an attribute, or to the resource if attribute is empty.
func (c *PlanCall[M]) Warn(attribute, summary, detail string) {
	diagnose.Warn(c.diags, attribute, summary, detail)
}

// ModifyPlan plans the id as soon as it is known, and calls Plan of the Kind.
func (r *managed[M]) ModifyPlan(ctx context.Context, request resource.ModifyPlanRequest, response *resource.ModifyPlanResponse) {
	if request.Plan.Raw.IsNull() {
		return
	}
	keys, err := r.keysIn(request.Plan.Raw)
	if r.failed(&response.Diagnostics, "plan", keys.place(), err) {
		return
	}
	if r.kind.Plan != nil && !r.plan(ctx, keys, request, response) {
		return
	}
	if keys.known() {
		planned := tfsdk.State{Raw: response.Plan.Raw, Schema: response.Plan.Schema}
		response.Diagnostics.Append(setID(ctx, &planned, keys.place().id())...)
		response.Plan.Raw = planned.Raw
	}
}

// plan calls Plan of the Kind, and stores the model that it changes. It reports whether there was
// no error.
func (r *managed[M]) plan(ctx context.Context, keys keyed, request resource.ModifyPlanRequest, response *resource.ModifyPlanResponse) bool {
	diags, at := &response.Diagnostics, keys.place()
	call := &PlanCall[M]{
		Connection: r.Connection, Names: at.names, Creates: request.State.Raw.IsNull(),
		private: private{from: request.Private, to: response.Private}, namespace: at.namespace, diags: diags,
	}
	diags.Append(load(ctx, request.Plan.Raw, request.Plan.Schema, &call.Model)...)
	diags.Append(load(ctx, request.Config.Raw, request.Config.Schema, &call.Config)...)
	if !call.Creates {
		diags.Append(load(ctx, request.State.Raw, request.State.Schema, &call.Prior)...)
		var err error
		if call.Replaces, err = r.replaced(keys, request.State.Raw); r.failed(diags, "plan", at, err) {
			return false
		}
	}
	if diags.HasError() || r.failed(diags, "plan", at, r.kind.Plan(ctx, call)) {
		return false
	}
	planned := tfsdk.State{Raw: response.Plan.Raw, Schema: response.Plan.Schema}
	diags.Append(keep(ctx, &planned, &call.Model)...)
	response.Plan.Raw = planned.Raw
	return true
}

// replaced returns the object that a plan with the given keys destroys; nil if no key changes.
func (r *managed[M]) replaced(planned keyed, state tftypes.Value) (*Replaced, error) {
	prior, err := r.keysIn(state)
	if err != nil {
		return nil, err
	}
	attribute, changes := planned.differs(prior)
	if !changes {
		return nil, nil
	}
	at := prior.place()
	return &Replaced{Attribute: attribute, ID: at.id(), Names: at.names, connection: r.Connection, namespace: at.namespace}, nil
}
