package derived

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/stashbase/vault-stashbase/shared/client"
	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/terraform-provider/internal/base"
	"github.com/stashbase/vault-stashbase/terraform-provider/internal/diagnose"
)

const (
	fieldAuth       = provider.FieldAuth
	fieldGeneration = provider.FieldGeneration
	fieldState      = provider.FieldState

	unreadable = "unreadable"

	suffixValue   = "_wo"
	suffixVersion = "_wo_version"
)

// integration is the resource of a provider.
type integration struct {
	provider.Declaration
	columns []column
	results []column
	secrets []provider.Field
}

// supplied is the private data of an integration.
type supplied struct {
	// Generation is that of the credential that this resource last supplied, or that it imported.
	Generation int64 `json:"generation"`
	// Imported is true from an import until the resource supplies a credential.
	Imported bool `json:"imported,omitempty"`
}

// importedNumber is the number of the credential that an import finds.
const importedNumber = json.Number("1")

// Integration returns the resource stashbase_integration_<provider>.
func Integration(d provider.Declaration) func() resource.Resource {
	own := provider.IntegrationFields(d)
	r := integration{Declaration: d, columns: settings(own), results: results(own)}
	for _, f := range d.Fields {
		r.columns = append(r.columns, column{Field: f})
	}
	for _, kind := range d.Auth {
		for _, f := range kind.Fields {
			r.add(f)
		}
	}
	return base.New(base.Kind[base.Object]{
		Name:       "integration_" + attributeName(d.Name),
		Help:       d.Title + ": an integration of a workspace. " + d.Help + "\n\n" + credentialHelp,
		Keys:       keys(own),
		Attributes: r.attributes(), Fields: r.renamed(),
		Create: r.create, Adopt: r.adopt, Read: r.read, Update: r.update, Delete: r.delete, Plan: r.plan,
	})
}

const credentialHelp = "The credential is write-only: it is sent to Vault, sealed there, and stored in neither the state nor a plan. The provider supplies it again when its `_wo_version` changes, " +
	"when the endpoint changes, when someone else supplied another credential, and when the engine can no longer read the credential. Without it in the configuration, the credential is set elsewhere. " +
	"An import keeps the credential. It counts as the credential of number 1; any other number supplies it again."

// add adds a field of an auth kind, unless another auth kind has added it.
func (r *integration) add(f provider.Field) {
	switch {
	case f.Secret && !slices.ContainsFunc(r.secrets, func(s provider.Field) bool { return s.Name == f.Name }):
		r.secrets = append(r.secrets, f)
	case !f.Secret && !slices.ContainsFunc(r.columns, func(c column) bool { return c.Name == f.Name }):
		r.columns = append(r.columns, column{Field: f, sometimes: true})
	}
}

// attributeName converts a name of the engine to Terraform's form: "vault-kv" becomes "vault_kv".
func attributeName(name string) string { return strings.ReplaceAll(name, "-", "_") }

func (r *integration) attributes() map[string]schema.Attribute {
	all := map[string]schema.Attribute{}
	for _, c := range r.results {
		all[c.Name] = c.computed()
	}
	for _, c := range r.columns {
		all[c.Name] = c.attribute()
	}
	for _, f := range r.secrets {
		value, version := f.Name+suffixValue, f.Name+suffixVersion
		all[value] = schema.StringAttribute{
			Optional: true, Sensitive: true, WriteOnly: true, MarkdownDescription: f.Help + " Write-only.",
			Validators: []validator.String{stringvalidator.AlsoRequires(path.MatchRoot(version))},
		}
		all[version] = schema.Int64Attribute{
			Optional: true, Computed: true, MarkdownDescription: "Change this number to supply the credential again. Any different number works. `1` after an import.",
			Validators: []validator.Int64{int64validator.AlsoRequires(path.MatchRoot(value))},
		}
	}
	return all
}

// renamed maps secret fields to their attributes, for errors.
func (r *integration) renamed() map[string]string {
	all := map[string]string{}
	for _, f := range r.secrets {
		all[f.Name] = f.Name + suffixValue
	}
	return all
}

// of reports whether a field belongs to the auth kind in the plan. A field that no auth kind has
// belongs to all.
func (r *integration) of(plan *base.Object, name string) bool {
	auth, err := plan.JSON(fieldAuth)
	if kind, ok := auth.(string); ok && err == nil {
		belongs := func(f provider.Field) bool { return f.Name == name }
		return slices.ContainsFunc(r.SettingsOf(kind), belongs) || slices.ContainsFunc(r.SecretsOf(kind), belongs)
	}
	return true
}

// misplaced returns an error for an attribute that is set but belongs to another auth kind than the
// planned one.
func (r *integration) misplaced(plan, config *base.Object) error {
	if auth := (*plan)[fieldAuth]; !auth.IsKnown() {
		return nil
	}
	for _, c := range r.columns {
		if c.sometimes && config.Given(c.Name) && !r.of(plan, c.Name) {
			return diagnose.At(c.Name, "This attribute belongs to another authentication method. Change auth, or remove the attribute.")
		}
	}
	for _, f := range r.secrets {
		if name := f.Name + suffixValue; config.Given(name) && !r.of(plan, f.Name) {
			return diagnose.At(name, "This attribute belongs to another authentication method. Change auth, or remove the attribute.")
		}
	}
	return nil
}

// given reports whether the configuration sets a credential, even if its value is not known yet.
func (r *integration) given(config *base.Object) bool {
	return slices.ContainsFunc(r.secrets, func(f provider.Field) bool { return config.Given(f.Name + suffixValue) })
}

// moved reports whether the plan changes the party that receives the credential. Unknown values
// count as a change.
func (r *integration) moved(plan, prior *base.Object) bool {
	now, known := r.endpoint(plan)
	before, was := r.endpoint(prior)
	return !known || !was || now != before
}

func (r *integration) endpoint(o *base.Object) (digest [32]byte, known bool) {
	settings := provider.Values{}
	for _, c := range r.columns {
		if value := (*o)[c.Name]; value.Type() != nil && !value.IsKnown() {
			return digest, false
		}
		if text, err := o.JSON(c.Name); err == nil && c.Type == provider.Text && text != nil {
			settings[c.Name] = text
		}
	}
	digest, err := provider.EndpointDigest(r.Declaration, settings.Text(fieldAuth), settings)
	return digest, err == nil
}

// supplies decides whether an update sends the credential. Nothing else decides that.
func (r *integration) supplies(config, plan, prior *base.Object, last supplied) bool {
	if !r.given(config) {
		return false
	}
	for _, f := range r.secrets {
		if version := f.Name + suffixVersion; !(*plan)[version].Equal((*prior)[version]) {
			return true
		}
	}
	state, _ := prior.JSON(fieldState)
	return state == unreadable || last.Generation != 0 && last.Generation != generation(prior) || r.moved(plan, prior)
}

func generation(o *base.Object) int64 {
	value, err := o.JSON(fieldGeneration)
	number, ok := value.(json.Number)
	if err != nil || !ok {
		return 0
	}
	n, err := number.Int64()
	if err != nil {
		return 0
	}
	return n
}

func (r *integration) plan(ctx context.Context, c *base.PlanCall[base.Object]) error {
	var last supplied
	c.Recall(ctx, &last)
	r.omit(c, last.Imported)
	if err := r.misplaced(&c.Model, &c.Config); err != nil || c.Creates {
		return err
	}
	if last.Imported && r.supplies(&c.Config, &c.Model, &c.Prior, last) {
		r.omit(c, false)
	}
	r.warnReplaced(c)
	supplies, moves := r.supplies(&c.Config, &c.Model, &c.Prior, last), r.moved(&c.Model, &c.Prior)
	for _, result := range r.results {
		c.Model[result.Name] = c.Prior[result.Name]
		if supplies || moves {
			c.Model.Unknown(result.Name, result.kind())
		}
	}
	state, _ := c.Prior.JSON(fieldState)
	switch {
	case supplies:
	case moves:
		c.Warn("", "The credential will be unreadable",
			"The plan changes the endpoint, and the configuration does not set the credential. A credential works only with the endpoint it was supplied for, so nothing can use the integration until the credential is supplied again. Set "+r.names()+".")
	case state == unreadable:
		c.Warn("", "The credential is unreadable", "Nothing can use the integration until its credential is supplied again. Set "+r.names()+".")
	}
	return nil
}

// omit sets the numbers that the configuration omits: to those of the state, or to null.
func (r *integration) omit(c *base.PlanCall[base.Object], keeps bool) {
	for _, f := range r.secrets {
		name := f.Name + suffixVersion
		if c.Config.Given(name) {
			continue
		}
		c.Model[name] = tftypes.NewValue(tftypes.Number, nil)
		if keeps {
			c.Model[name] = c.Prior[name]
		}
	}
}

// warnReplaced warns that a changed key destroys a credential that the configuration does not set.
func (r *integration) warnReplaced(c *base.PlanCall[base.Object]) {
	if c.Replaces != nil && !r.given(&c.Config) {
		c.Warn(c.Replaces.Attribute, "The credential of the integration "+c.Replaces.ID+" will be destroyed",
			"Names cannot change, so changing "+c.Replaces.Attribute+" destroys the integration and creates another one. The configuration does not set the credential, so the new integration cannot be created. Set "+r.names()+".")
	}
}

func (r *integration) names() string {
	names := make([]string, len(r.secrets))
	for i, f := range r.secrets {
		names[i] = f.Name + suffixValue + " and " + f.Name + suffixVersion
	}
	return strings.Join(names, ", ")
}

func (r *integration) place(c *base.Call[base.Object]) client.IntegrationPlace {
	return client.IntegrationPlace{Workspace: c.Names[0], Provider: r.Name, Name: c.Names[1]}
}

func (r *integration) create(ctx context.Context, c *base.Call[base.Object]) error {
	_, err := c.Client.Integration(ctx, r.place(c))
	if err := c.MustNotExist(err); err != nil {
		return err
	}
	return r.write(ctx, c, true)
}

// adopt writes the integration again if everything else is as planned, because the existing
// credential cannot be compared.
func (r *integration) adopt(ctx context.Context, c *base.Call[base.Object]) (bool, error) {
	now, err := c.Client.Integration(ctx, r.place(c))
	if err != nil {
		return false, err
	}
	if syncs, _ := now[provider.FieldSyncs].([]any); len(syncs) > 0 {
		return false, nil
	}
	if err := fill(r.columns, &c.Model, now); err != nil {
		return false, err
	}
	if same, err := c.AsPlanned(ctx); err != nil || !same {
		return false, err
	}
	return true, r.write(ctx, c, true)
}

func (r *integration) read(ctx context.Context, c *base.Call[base.Object]) error {
	found, err := c.Client.Integration(ctx, r.place(c))
	if err != nil {
		return err
	}
	imports := !c.Model.Given(fieldGeneration)
	if err := fill(r.columns, &c.Model, found); err != nil {
		return err
	}
	if err := r.fillResults(&c.Model, found); err != nil || !imports {
		return err
	}
	auth, _ := found[fieldAuth].(string)
	for _, f := range r.SecretsOf(auth) {
		if err := c.Model.SetJSON(f.Name+suffixVersion, tftypes.Number, importedNumber); err != nil {
			return err
		}
	}
	return c.Keep(ctx, supplied{Generation: generation(&c.Model), Imported: true})
}

func (r *integration) fillResults(model *base.Object, response client.Settings) error {
	for _, result := range r.results {
		if err := model.SetJSON(result.Name, result.kind(), response[result.Name]); err != nil {
			return err
		}
	}
	return nil
}

func (r *integration) update(ctx context.Context, c *base.Call[base.Object]) error {
	var last supplied
	c.Recall(ctx, &last)
	return r.write(ctx, c, r.supplies(&c.Config, &c.Model, &c.Prior, last))
}

func (r *integration) write(ctx context.Context, c *base.Call[base.Object], supplies bool) error {
	columns := slices.DeleteFunc(slices.Clone(r.columns), func(column column) bool { return column.sometimes && !r.of(&c.Model, column.Name) })
	body, err := sent(columns, &c.Model, &c.Prior)
	if err != nil {
		return err
	}
	for _, f := range r.secrets {
		if name := f.Name + suffixValue; supplies && c.Config.Given(name) {
			if body[f.Name], err = c.Config.JSON(name); err != nil {
				return err
			}
		}
	}
	written, err := c.Client.WriteIntegration(ctx, r.place(c), body)
	if err != nil {
		return err
	}
	if written[fieldState] == unreadable {
		hint, _ := written[provider.FieldHint].(string)
		c.Warn("", "The credential is unreadable", "Nothing can use the integration until its credential is supplied again. Set "+r.names()+". The engine reports: "+hint)
	}
	planned := c.Model[fieldState]
	if !planned.IsKnown() || c.Prior == nil {
		if err := r.fillResults(&c.Model, written); err != nil {
			return err
		}
	}
	if !supplies {
		return nil
	}
	return c.Keep(ctx, supplied{Generation: generation(&c.Model)})
}

func (r *integration) delete(ctx context.Context, c *base.Call[base.Object]) error {
	return c.Client.DeleteIntegration(ctx, r.place(c))
}
