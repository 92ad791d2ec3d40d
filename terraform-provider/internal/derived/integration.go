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

// integration is the resource for a provider.
type integration struct {
	provider.Declaration
	columns []column
	results []column
	secrets []provider.Field
}

// supplied is the private data of an integration.
type supplied struct {
	Generation int64 `json:"generation"` // of the credential that was last supplied here
}

// Integration makes stashbase_integration_<provider>.
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

const credentialHelp = "The credential is write-only: it is sent to Vault, sealed there, and stands neither in the state nor in a plan. It is supplied again when its `_wo_version` changes, " +
	"when the endpoint changes, when somebody else has supplied one, and when the engine can no longer read it. Without it in the configuration, it is set elsewhere."

// add takes a field of an auth kind in, once.
func (r *integration) add(f provider.Field) {
	switch {
	case f.Secret && !slices.ContainsFunc(r.secrets, func(s provider.Field) bool { return s.Name == f.Name }):
		r.secrets = append(r.secrets, f)
	case !f.Secret && !slices.ContainsFunc(r.columns, func(c column) bool { return c.Name == f.Name }):
		r.columns = append(r.columns, column{Field: f, sometimes: true})
	}
}

// attributeName is a name of the engine in the form of Terraform's: "vault-kv" is vault_kv.
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
			Optional: true, MarkdownDescription: "Another number than before supplies the credential again. It need not be greater.",
			Validators: []validator.Int64{int64validator.AlsoRequires(path.MatchRoot(value))},
		}
	}
	return all
}

// renamed are the attributes of secret fields, for errors.
func (r *integration) renamed() map[string]string {
	all := map[string]string{}
	for _, f := range r.secrets {
		all[f.Name] = f.Name + suffixValue
	}
	return all
}

// of reports whether a field belongs to the auth kind that a plan names. What belongs to none is of all.
func (r *integration) of(plan *base.Object, name string) bool {
	auth, err := plan.JSON(fieldAuth)
	if kind, ok := auth.(string); ok && err == nil {
		belongs := func(f provider.Field) bool { return f.Name == name }
		return slices.ContainsFunc(r.SettingsOf(kind), belongs) || slices.ContainsFunc(r.SecretsOf(kind), belongs)
	}
	return true
}

// misplaced finds what is given and belongs to another auth kind than the one in the plan.
func (r *integration) misplaced(plan, config *base.Object) error {
	if auth := (*plan)[fieldAuth]; !auth.IsKnown() {
		return nil
	}
	for _, c := range r.columns {
		if c.sometimes && config.Given(c.Name) && !r.of(plan, c.Name) {
			return diagnose.At(c.Name, "It belongs to another way to prove who we are. Change auth, or leave it out.")
		}
	}
	for _, f := range r.secrets {
		if name := f.Name + suffixValue; config.Given(name) && !r.of(plan, f.Name) {
			return diagnose.At(name, "It belongs to another way to prove who we are. Change auth, or leave it out.")
		}
	}
	return nil
}

// given reports whether the configuration has a credential, known yet or not.
func (r *integration) given(config *base.Object) bool {
	return slices.ContainsFunc(r.secrets, func(f provider.Field) bool { return config.Given(f.Name + suffixValue) })
}

// moved reports whether a plan changes to whom the credential is sent; with values that are not known yet, it may.
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

// supplies decides whether an update sends the credential. It is the one place that does.
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
	if err := r.misplaced(&c.Model, &c.Config); err != nil || c.Creates {
		return err
	}
	var last supplied
	c.Recall(ctx, &last)
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
			"The plan changes to whom the credential is sent, and the configuration does not have the credential. It opens only under the endpoint it was supplied with, so nothing can use the integration until it is supplied again. Give "+r.names()+".")
	case state == unreadable:
		c.Warn("", "The credential is unreadable", "Nothing can use the integration until its credential is supplied again. Give "+r.names()+".")
	}
	return nil
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
	if err := c.New(err); err != nil {
		return err
	}
	return r.write(ctx, c, true)
}

// adopt writes the integration again, because the credential of the one that exists cannot be compared.
func (r *integration) adopt(ctx context.Context, c *base.Call[base.Object]) (bool, error) {
	now, err := c.Client.Integration(ctx, r.place(c))
	if err != nil {
		return false, err
	}
	if syncs, _ := now["syncs"].([]any); len(syncs) > 0 {
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
	answer, err := c.Client.Integration(ctx, r.place(c))
	if err != nil {
		return err
	}
	if err := fill(r.columns, &c.Model, answer); err != nil {
		return err
	}
	return r.fillResults(&c.Model, answer)
}

func (r *integration) fillResults(model *base.Object, answer client.Settings) error {
	for _, result := range r.results {
		if err := model.SetJSON(result.Name, result.kind(), answer[result.Name]); err != nil {
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
	answer, err := c.Client.WriteIntegration(ctx, r.place(c), body)
	if err != nil {
		return err
	}
	if answer[fieldState] == unreadable {
		hint, _ := answer[provider.FieldHint].(string)
		c.Warn("", "The credential is unreadable", "Nothing can use the integration until its credential is supplied again. Give "+r.names()+". The engine says: "+hint)
	}
	planned := c.Model[fieldState]
	if !planned.IsKnown() || c.Prior == nil {
		if err := r.fillResults(&c.Model, answer); err != nil {
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
