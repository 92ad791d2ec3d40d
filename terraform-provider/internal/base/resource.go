package base

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/identityschema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/stashbase/vault-stashbase/shared/client"
	"github.com/stashbase/vault-stashbase/terraform-provider/internal/diagnose"
)

// creating is the verb of a create in diagnostics.
const creating = "create"

// managed is the resource of a Kind.
type managed[M any] struct {
	Configured
	kind Kind[M]
}

var (
	_ resource.ResourceWithConfigure   = &managed[Model]{}
	_ resource.ResourceWithImportState = &managed[Model]{}
	_ resource.ResourceWithIdentity    = &managed[Model]{}
	_ resource.ResourceWithModifyPlan  = &managed[Model]{}
)

// New returns a constructor of the resource of a Kind.
func New[M any](kind Kind[M]) func() resource.Resource {
	return func() resource.Resource { return &managed[M]{kind: kind} }
}

// Metadata sets the name of the type.
func (r *managed[M]) Metadata(_ context.Context, _ resource.MetadataRequest, response *resource.MetadataResponse) {
	response.TypeName = TypePrefix + r.kind.Name
}

// Schema adds id, namespace and keys to the attributes of the Kind.
func (r *managed[M]) Schema(_ context.Context, _ resource.SchemaRequest, response *resource.SchemaResponse) {
	attributes := map[string]schema.Attribute{
		"id": schema.StringAttribute{
			Computed: true, MarkdownDescription: "Import id: `" + placeholder(r.kind.Keys) + "`. It begins with `<namespace>::` if `engine_namespace` is set.",
			PlanModifiers: []planmodifier.String{stringplanmodifier.UseStateForUnknown()},
		},
		"engine_namespace": schema.StringAttribute{
			Optional: true, MarkdownDescription: "Vault namespace (Enterprise) of the engine, if it is not the provider's. Changing it replaces the resource.",
			PlanModifiers: []planmodifier.String{stringplanmodifier.RequiresReplace()},
		},
	}
	for _, key := range r.kind.Keys {
		attributes[key.Name] = schema.StringAttribute{
			Required: true, MarkdownDescription: key.Help + " Changing it replaces the resource.",
			PlanModifiers: []planmodifier.String{stringplanmodifier.RequiresReplace()}, Validators: key.Validators(),
		}
	}
	for name, attribute := range r.kind.Attributes {
		attributes[name] = attribute
	}
	response.Schema = schema.Schema{MarkdownDescription: r.kind.Help, Attributes: attributes}
}

func placeholder(keys []Key) string {
	if len(keys) == 0 {
		return Singleton
	}
	text := ""
	for _, key := range keys {
		text += "/<" + key.Name + ">"
	}
	return text[1:]
}

// IdentitySchema declares the parts of the id.
func (r *managed[M]) IdentitySchema(_ context.Context, _ resource.IdentitySchemaRequest, response *resource.IdentitySchemaResponse) {
	attributes := map[string]identityschema.Attribute{
		"engine_namespace": identityschema.StringAttribute{OptionalForImport: true, Description: "Vault namespace of the engine, if it is not the provider's."},
	}
	for _, key := range r.kind.Keys {
		attributes[key.Name] = identityschema.StringAttribute{RequiredForImport: true, Description: key.Help}
	}
	if len(r.kind.Keys) == 0 {
		attributes["id"] = identityschema.StringAttribute{RequiredForImport: true, Description: "Always `" + Singleton + "`."}
	}
	response.IdentitySchema = identityschema.Schema{Attributes: attributes}
}

// Create creates the object.
func (r *managed[M]) Create(ctx context.Context, request resource.CreateRequest, response *resource.CreateResponse) {
	call, at, ok := r.begin(ctx, &tfsdk.State{Raw: request.Plan.Raw, Schema: request.Plan.Schema}, &response.Diagnostics)
	if !ok {
		return
	}
	response.Diagnostics.Append(load(ctx, request.Config.Raw, request.Config.Schema, &call.Config)...)
	call.private = private{to: response.Private}
	ctx = r.hearing(ctx, &response.Diagnostics, at)
	// A copy, because a model of the kind Object shares its values with what it was loaded from.
	call.planned = tfsdk.State{Raw: request.Plan.Raw.Copy(), Schema: request.Plan.Schema}
	if response.Diagnostics.HasError() || r.failed(&response.Diagnostics, creating, at, r.create(ctx, call, at)) {
		response.State.RemoveResource(ctx)
		return
	}
	response.Diagnostics.Append(r.save(ctx, &response.State, response.Identity, at, &call.Model)...)
}

// Read updates the state, and removes a resource whose object is gone.
func (r *managed[M]) Read(ctx context.Context, request resource.ReadRequest, response *resource.ReadResponse) {
	call, at, ok := r.begin(ctx, &request.State, &response.Diagnostics)
	if !ok {
		return
	}
	call.private = private{from: request.Private, to: response.Private}
	err := r.kind.Read(ctx, call)
	if client.IsGone(err) {
		if client.Is(err, client.NoMount) {
			call.Warn("", "Nothing is mounted at "+call.Client.Mount()+"/",
				"The objects in the state are treated as deleted. If they still exist, check the provider's mount, namespace and address before you apply.")
		}
		r.identify(ctx, response.Identity, at)
		response.State.RemoveResource(ctx)
		return
	}
	if r.failed(&response.Diagnostics, "read", at, err) {
		return
	}
	response.Diagnostics.Append(r.save(ctx, &response.State, response.Identity, at, &call.Model)...)
}

// Update changes the object.
func (r *managed[M]) Update(ctx context.Context, request resource.UpdateRequest, response *resource.UpdateResponse) {
	call, at, ok := r.begin(ctx, &tfsdk.State{Raw: request.Plan.Raw, Schema: request.Plan.Schema}, &response.Diagnostics)
	if !ok {
		return
	}
	response.Diagnostics.Append(load(ctx, request.Config.Raw, request.Config.Schema, &call.Config)...)
	response.Diagnostics.Append(load(ctx, request.State.Raw, request.State.Schema, &call.Prior)...)
	call.private = private{from: request.Private, to: response.Private}
	ctx = r.hearing(ctx, &response.Diagnostics, at)
	if response.Diagnostics.HasError() || r.failed(&response.Diagnostics, "update", at, r.kind.Update(ctx, call)) {
		return
	}
	response.Diagnostics.Append(r.save(ctx, &response.State, response.Identity, at, &call.Model)...)
}

// Delete deletes the object, and succeeds if it is already gone.
func (r *managed[M]) Delete(ctx context.Context, request resource.DeleteRequest, response *resource.DeleteResponse) {
	call, at, ok := r.begin(ctx, &request.State, &response.Diagnostics)
	if !ok {
		return
	}
	call.private = private{from: request.Private}
	ctx = r.hearing(ctx, &response.Diagnostics, at)
	if err := r.kind.Delete(ctx, call); !client.IsGone(err) {
		r.failed(&response.Diagnostics, "delete", at, err)
	}
}

// hearing returns a context under which the warnings in responses of Vault become diagnostics.
func (r *managed[M]) hearing(ctx context.Context, diags *diag.Diagnostics, at place) context.Context {
	return client.WithWarnings(ctx, func(warning string) {
		diagnose.Warn(diags, "", "Vault warns about "+r.describe(at), diagnose.Sentence(warning))
	})
}

// begin prepares a call from a plan or state.
func (r *managed[M]) begin(ctx context.Context, from *tfsdk.State, diags *diag.Diagnostics) (*Call[M], place, bool) {
	call := &Call[M]{Connection: r.Connection, diags: diags}
	keys, err := r.keysIn(from.Raw)
	at := keys.place()
	diags.Append(load(ctx, from.Raw, from.Schema, &call.Model)...)
	if r.failed(diags, "read the keys of", at, err) || diags.HasError() {
		return nil, at, false
	}
	call.Names, call.ID, call.importCommand = at.names, at.id(), r.importCommand(at)
	if call.Client, err = r.Connection.Client(ctx, at.namespace); err != nil {
		diagnose.Report(diags, "connect to Vault for", diagnose.Subject{Name: r.describe(at)}, err)
		return nil, at, false
	}
	return call, at, true
}

// save stores the model with its id, and the identity.
func (r *managed[M]) save(ctx context.Context, to *tfsdk.State, identity *tfsdk.ResourceIdentity, at place, model *M) diag.Diagnostics {
	diags := keep(ctx, to, model)
	diags.Append(setID(ctx, to, at.id())...)
	r.identify(ctx, identity, at)
	return diags
}

// setID sets the id if it differs. A change copies the whole state.
func setID(ctx context.Context, to *tfsdk.State, id string) diag.Diagnostics {
	attributes := map[string]tftypes.Value{}
	if err := to.Raw.As(&attributes); err == nil && attributes["id"].Equal(tftypes.NewValue(tftypes.String, id)) {
		return nil
	}
	return to.SetAttribute(ctx, path.Root("id"), id)
}

// identify sets the identity. The framework requires that from a resource that declares one, even
// if Terraform does not support identities.
func (r *managed[M]) identify(ctx context.Context, identity *tfsdk.ResourceIdentity, at place) {
	if identity == nil {
		return
	}
	known := map[string]string{}
	if at.namespace != "" {
		known["engine_namespace"] = at.namespace
	}
	for i, key := range r.kind.Keys {
		known[key.Name] = at.names[i]
	}
	if len(r.kind.Keys) == 0 {
		known["id"] = Singleton
	}
	parts := map[string]tftypes.Value{}
	for name := range identity.Schema.GetAttributes() {
		parts[name] = tftypes.NewValue(tftypes.String, nil)
		if value, ok := known[name]; ok {
			parts[name] = tftypes.NewValue(tftypes.String, value)
		}
	}
	identity.Raw = tftypes.NewValue(identity.Schema.Type().TerraformType(ctx), parts)
}

func (r *managed[M]) failed(diags *diag.Diagnostics, doing string, at place, err error) bool {
	diagnose.Report(diags, doing, diagnose.Subject{Name: r.describe(at), Attribute: r.attribute, Undecided: r.undecided(doing, at)}, err)
	return err != nil
}

// attribute returns the attribute for a field of the engine.
func (r *managed[M]) attribute(field string) (path.Path, bool) {
	if renamed, ok := r.kind.Fields[field]; ok {
		return path.Root(renamed), true
	}
	if _, ok := r.kind.Attributes[field]; ok {
		return path.Root(field), true
	}
	for _, key := range r.kind.Keys {
		if key.Name == field {
			return path.Root(field), true
		}
	}
	return path.Path{}, false
}

func (r *managed[M]) describe(at place) string {
	if len(at.names) == 0 {
		return TypePrefix + r.kind.Name
	}
	return fmt.Sprintf("%s%s %q", TypePrefix, r.kind.Name, at.id())
}
