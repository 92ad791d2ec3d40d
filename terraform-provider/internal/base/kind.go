package base

import (
	"context"
	"encoding/json"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/stashbase/vault-stashbase/shared/client"
	"github.com/stashbase/vault-stashbase/terraform-provider/internal/connect"
	"github.com/stashbase/vault-stashbase/terraform-provider/internal/diagnose"
)

// Singleton is the id of a Kind without Keys: each mount has exactly one, so it has no name.
const Singleton = "config"

// Kind declares a type of resource. M is its model: a Raw, or a struct that embeds Model and has a
// `tfsdk` tag per attribute.
type Kind[M any] struct {
	Name string // without TypePrefix
	Help string // Markdown; an index shows the first sentence
	// Keys are the attributes that make up the id, outermost first. Changing one replaces the
	// resource.
	Keys       []Key
	Attributes map[string]schema.Attribute // without the keys, id and namespace
	// Fields maps fields of the engine to attributes with other names.
	Fields map[string]string

	// Create creates the object that Call.Model plans, and fails if the object exists. Read updates
	// Model; an error for which client.IsGone holds removes the resource from the state. Update
	// changes the object. Delete deletes it and succeeds if it is already gone.
	Create, Read, Update, Delete func(context.Context, *Call[M]) error
	// Adopt is called after a Create that found its object or whose outcome is unknown. It fills
	// Model from the existing object. It reports whether that object equals the planned one and
	// contains nothing else. If Adopt is nil, the Create fails.
	Adopt func(context.Context, *Call[M]) (bool, error)
	// Plan may mark computed attributes of Model as unknown. It is optional, and not called before
	// a destroy.
	Plan func(context.Context, *PlanCall[M]) error
}

// Model has the attributes of every resource and is embedded by models. Namespace is the engine's
// namespace. An integration may have a field of that name for its own Vault.
type Model struct {
	ID        types.String `tfsdk:"id"`
	Namespace types.String `tfsdk:"engine_namespace"`
}

// Call is one create, read, update or delete.
type Call[M any] struct {
	Client     *client.Client // in the resource's namespace
	Connection *connect.Connection
	Names      []string // values of the keys
	ID         string
	// Model is the plan, or the state for a read or delete. The caller stores it as the new state.
	Model M
	// Prior is the state before an update. Config is the configuration of a create or update; only
	// Config contains write-only attributes.
	Prior, Config M

	private
	diags         *diag.Diagnostics
	planned       tfsdk.State // the plan of a create
	importCommand string
}

// Place returns the environment that the first three keys name.
func (c *Call[M]) Place() client.Place {
	return client.Place{Workspace: c.Names[0], Project: c.Names[1], Environment: c.Names[2]}
}

// Warn adds a warning to an attribute, or to the resource if attribute is empty.
func (c *Call[M]) Warn(attribute, summary, detail string) {
	diagnose.Warn(c.diags, attribute, summary, detail)
}

// store is the framework's private state, whose type is not exported.
type store interface {
	GetKey(ctx context.Context, key string) ([]byte, diag.Diagnostics)
	SetKey(ctx context.Context, key string, value []byte) diag.Diagnostics
}

// private is the data that the provider stores beside a resource's state. The data is a declared
// struct of names and numbers and contains nothing derived from a value.
type private struct{ from, to store }

const privateKey = "kept"

// Recall fills kept with the data of the last Keep. It reports whether there is such data.
func (p private) Recall(ctx context.Context, kept any) bool {
	if p.from == nil {
		return false
	}
	content, diags := p.from.GetKey(ctx, privateKey)
	return !diags.HasError() && len(content) > 0 && json.Unmarshal(content, kept) == nil
}

// Keep stores data for a later Recall.
func (p private) Keep(ctx context.Context, kept any) error {
	content, err := json.Marshal(kept)
	if err != nil {
		return err
	}
	if diags := p.to.SetKey(ctx, privateKey, content); diags.HasError() {
		return diagnose.Unexpected(diags)
	}
	return nil
}
