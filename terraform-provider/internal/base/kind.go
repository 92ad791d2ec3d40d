package base

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/stashbase/vault-stashbase/shared/client"
	"github.com/stashbase/vault-stashbase/terraform-provider/internal/connect"
	"github.com/stashbase/vault-stashbase/terraform-provider/internal/diagnose"
)

// Singleton is the id of what a mount has once, and so has no name: a Kind without Keys.
const Singleton = "config"

// Kind declares a type of resource. M is its model: a struct with a `tfsdk` tag per attribute that embeds Model, or a Raw.
type Kind[M any] struct {
	Name string // without TypePrefix
	Help string // Markdown; its first sentence is what an index shows
	// Keys are the attributes that make up the id, from the outermost. They cannot be changed: another name is another object.
	Keys       []Key
	Attributes map[string]schema.Attribute // beside the keys, id and namespace
	// Fields are the attributes for fields of the engine, where their names differ.
	Fields map[string]string

	// Create makes the object that Call.Model plans; it is an error when it exists. Read brings Model up to date; an error for
	// which client.IsGone holds removes the resource from the state. Update and Delete do what they say; that there is nothing
	// left to delete is no error.
	Create, Read, Update, Delete func(context.Context, *Call[M]) error
	// Adopt follows a Create that found its object, or whose outcome is unknown. It reports whether the object that exists is
	// what Model plans and holds nothing else, and fills Model from it. Nil: such a Create fails.
	Adopt func(context.Context, *Call[M]) (bool, error)
	// Plan may change what Model plans, by making computed attributes unknown. Nil changes nothing. It is not called for a
	// destruction.
	Plan func(context.Context, *PlanCall[M]) error
	// Imported is kept as private data of a resource that was imported; nil keeps none.
	Imported any
}

// Key is an attribute that is part of an id.
type Key struct{ Name, Help string }

// Workspace is the first key of what belongs to a workspace.
func Workspace() Key { return Key{"workspace", "Name of the workspace."} }

// Project is the second key of what belongs to a project.
func Project() Key { return Key{"project", "Name of the project in the workspace."} }

// Environment is the third key of what belongs to an environment.
func Environment() Key { return Key{"environment", "Name of the environment in the project."} }

// Model has the attributes of every resource. Models embed it. The namespace is the engine's own: what a provider of integrations
// calls a namespace is another Vault's.
type Model struct {
	ID        types.String `tfsdk:"id"`
	Namespace types.String `tfsdk:"engine_namespace"`
}

// Call is one create, read, update or delete.
type Call[M any] struct {
	Client     *client.Client // in the resource's namespace
	Connection *connect.Connection
	Names      []string // of the keys
	ID         string
	// Model is the plan, or for a read or delete the state; what is in it afterwards becomes the state.
	Model M
	// Prior is the state before an update. Config, for a create or update, is what the person wrote; only there are the
	// write-only attributes.
	Prior, Config M

	private
	diags         *diag.Diagnostics
	planned       tfsdk.State // of a create
	importCommand string
}

// Place is the environment that the first three keys name.
func (c *Call[M]) Place() client.Place {
	return client.Place{Workspace: c.Names[0], Project: c.Names[1], Environment: c.Names[2]}
}

// Warn adds a warning at an attribute, or at none when that is empty.
func (c *Call[M]) Warn(attribute, summary, detail string) {
	diagnose.Warn(c.diags, attribute, summary, detail)
}

// PlanCall is a plan to create, when there is no state, or to update.
type PlanCall[M any] struct {
	Connection *connect.Connection // nil while Terraform only validates
	Names      []string            // of the keys; "" for one that is not known yet
	Creates    bool
	// Model is what is planned, Prior the state, Config what the person wrote.
	Model, Prior, Config M

	private
	namespace string
	diags     *diag.Diagnostics
}

// Client reaches Vault in the resource's namespace. A plan must do without where that is an error: the provider's configuration may not be
// known yet, and what it leads to may not be there.
func (c *PlanCall[M]) Client(ctx context.Context) (*client.Client, error) {
	if c.Connection == nil {
		return nil, errors.New("there is no Vault while a configuration is only validated")
	}
	return c.Connection.Client(ctx, c.namespace)
}

// Warn adds a warning at an attribute, or at none when that is empty.
func (c *PlanCall[M]) Warn(attribute, summary, detail string) {
	diagnose.Warn(c.diags, attribute, summary, detail)
}

// store is the framework's private state, whose own type it does not export.
type store interface {
	GetKey(ctx context.Context, key string) ([]byte, diag.Diagnostics)
	SetKey(ctx context.Context, key string, value []byte) diag.Diagnostics
}

// private is what the provider keeps about a resource beside its state. A declared struct of names and numbers goes in, and
// nothing that is derived from a value.
type private struct{ from, to store }

const privateKey = "kept"

// Recall fills kept with what an earlier Keep stored, and reports whether there is something.
func (p private) Recall(ctx context.Context, kept any) bool {
	if p.from == nil {
		return false
	}
	content, diags := p.from.GetKey(ctx, privateKey)
	return !diags.HasError() && len(content) > 0 && json.Unmarshal(content, kept) == nil
}

// Keep stores what a later Recall finds.
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
