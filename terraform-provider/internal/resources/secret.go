package resources

import (
	"context"
	"errors"

	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/stashbase/vault-stashbase/shared/client"
	"github.com/stashbase/vault-stashbase/shared/names"
	"github.com/stashbase/vault-stashbase/terraform-provider/internal/base"
	"github.com/stashbase/vault-stashbase/terraform-provider/internal/diagnose"
)

// The values of on_drift and of on_destroy.
const (
	overwrite = "overwrite"
	ignore    = "ignore"
	fail      = "error"

	soft  = "soft"
	purge = "purge"
)

const (
	driftHelp = "What to do if someone else wrote a newer version. `overwrite`: write the value again; `ignore`: keep the newer version; `error`: fail the plan."
	writeOnly = " Write-only: sent to Vault, and stored in neither the state nor a plan."
)

type secret struct {
	base.Model
	Workspace      types.String `tfsdk:"workspace"`
	Project        types.String `tfsdk:"project"`
	Environment    types.String `tfsdk:"environment"`
	Name           types.String `tfsdk:"name"`
	Value          types.String `tfsdk:"value"`
	ValueWO        types.String `tfsdk:"value_wo"`
	ValueWOVersion types.Int64  `tfsdk:"value_wo_version"`
	Encoding       types.String `tfsdk:"encoding"`
	References     types.Bool   `tfsdk:"references"`
	Comment        types.String `tfsdk:"comment"`
	Tags           types.Set    `tfsdk:"tags"`
	OnDrift        types.String `tfsdk:"on_drift"`
	OnDestroy      types.String `tfsdk:"on_destroy"`
	Version        types.Int64  `tfsdk:"version"`
}

// written is the private data of a secret.
type written struct {
	// Version is the last version that this resource wrote, or the version that it imported; 0 if
	// none.
	Version int64 `json:"version"`
	// Imported is true from an import until the resource writes a version. It is then unknown
	// whether the configuration sets the value, because an import does not see the configuration.
	Imported bool `json:"imported,omitempty"`
}

// importedNumber is the number of the value or credential that an import finds.
const importedNumber = 1

// Secret returns the resource stashbase_secret.
func Secret() resource.Resource {
	return base.New(base.Kind[secret]{
		Name: "secret",
		Help: "A secret of an environment.\n\n" +
			"There are three ways to set the value. `value_wo` keeps it out of the state. `value` stores it in the state. With neither, the value is set elsewhere: " +
			"the resource then tracks the version and manages the tags, even before the secret has a value.\n\n" +
			"If someone else writes a new version, the next plan shows it. No value is stored for that: the resource records the version it wrote. A secret that was deleted elsewhere is created again.\n\n" +
			"An import keeps the value. It counts as the value of `value_wo_version = 1`; any other number sends `value_wo`.",
		Keys: []base.Key{base.Workspace(), base.Project(), base.Environment(), {Name: "name", Help: "Name of the secret.", Kind: names.Secret}},
		Attributes: map[string]schema.Attribute{
			"value": schema.StringAttribute{Optional: true, Sensitive: true, MarkdownDescription: "The value. It is stored in the state; prefer `value_wo`.", Validators: []validator.String{
				stringvalidator.ConflictsWith(path.MatchRoot("value_wo"), path.MatchRoot("value_wo_version")),
			}},
			"value_wo": schema.StringAttribute{Optional: true, Sensitive: true, WriteOnly: true, MarkdownDescription: "The value." + writeOnly, Validators: []validator.String{
				stringvalidator.ConflictsWith(path.MatchRoot("value")),
				stringvalidator.AlsoRequires(path.MatchRoot("value_wo_version")),
			}},
			"value_wo_version": schema.Int64Attribute{Optional: true, Computed: true, MarkdownDescription: "Change this number to send `value_wo` again. Any different number works. `1` after an import.", Validators: []validator.Int64{
				int64validator.AlsoRequires(path.MatchRoot("value_wo")),
			}},
			"encoding":   choiceWithDefault("Encoding of the value.", "text", "base64"),
			"references": boolWithDefault("Whether `${NAME}`, `${environment/NAME}` and `${project/environment/NAME}` in the value refer to other secrets. In a Terraform string, write `$${NAME}`."),
			"comment":    schema.StringAttribute{Optional: true, Computed: true, MarkdownDescription: "Why the next version is written. The provider does not read it back."},
			"tags":       schema.SetAttribute{Optional: true, Computed: true, ElementType: types.StringType, MarkdownDescription: "Tags of the secret. If absent, the resource does not manage the tags."},
			"on_drift":   choiceWithDefault(driftHelp, overwrite, ignore, fail),
			"on_destroy": choice("What to do with the secret when the resource is destroyed. `soft`: mark its newest version as deleted, which can be undone; `purge`: remove all versions permanently. "+
				"Default: `soft`, or nothing if the value is set elsewhere.", soft, purge),
			"version": schema.Int64Attribute{Computed: true, MarkdownDescription: "Number of the newest version; 0 if there is none."},
		},
		Fields: map[string]string{"value": "value_wo", "cas": "version"},
		Create: createSecret, Adopt: adoptWritten, Read: readSecret, Update: updateSecret, Delete: deleteSecret, Plan: planSecret,
	})()
}

// hasValue reports whether a configuration sets the value, even if the value is not known yet.
func (m *secret) hasValue() bool { return !m.Value.IsNull() || !m.ValueWO.IsNull() }

// value returns the value in a configuration.
func (m *secret) value() string {
	if !m.ValueWO.IsNull() {
		return m.ValueWO.ValueString()
	}
	return m.Value.ValueString()
}

// sends decides whether an update writes a version. Nothing else decides that.
func sends(config, plan, prior *secret, last written) bool {
	switch {
	case !config.hasValue():
		return false
	case !config.Value.IsNull() && !config.Value.Equal(prior.Value):
		return true
	case !config.ValueWO.IsNull() && (!plan.ValueWOVersion.Equal(prior.ValueWOVersion) || !prior.Value.IsNull()):
		return true
	case !plan.Encoding.Equal(prior.Encoding), !plan.References.Equal(prior.References):
		return true
	}
	return plan.OnDrift.ValueString() == overwrite && drifted(prior, last)
}

// drifted reports whether someone else wrote the newest version.
func drifted(prior *secret, last written) bool {
	return last.Version != 0 && last.Version != prior.Version.ValueInt64()
}

func planSecret(ctx context.Context, c *base.PlanCall[secret]) error {
	var last written
	c.Recall(ctx, &last)
	if c.Creates {
		c.Model.omit(&c.Config, &secret{Tags: types.SetNull(types.StringType)})
		return nil
	}
	if c.Config.hasValue() && c.Model.OnDrift.ValueString() == fail && drifted(&c.Prior, last) {
		return diagnose.At("on_drift", "Version %d was written by someone else; this resource last wrote version %d. Set on_drift to %q to write the value again, or to %q to keep the newer version.",
			c.Prior.Version.ValueInt64(), last.Version, overwrite, ignore)
	}
	warnSecretReplaced(c)
	c.Model.Version = c.Prior.Version
	switch {
	case sends(&c.Config, &c.Model, &c.Prior, last):
		c.Model.Version = types.Int64Unknown()
		c.Model.omit(&c.Config, &secret{Tags: types.SetNull(types.StringType)})
	case last.Imported:
		c.Model.omit(&c.Config, &c.Prior)
		if !c.Prior.Comment.IsNull() {
			c.Model.Comment = c.Prior.Comment // the resource has written no version that it describes
		}
	default:
		c.Model.omit(&c.Config, &secret{Tags: types.SetNull(types.StringType)})
	}
	return nil
}

// omit sets the attributes that the configuration omits.
func (m *secret) omit(config, to *secret) {
	if config.Comment.IsNull() {
		m.Comment = to.Comment
	}
	if config.Tags.IsNull() {
		m.Tags = to.Tags
	}
	if config.ValueWOVersion.IsNull() {
		m.ValueWOVersion = to.ValueWOVersion
	}
}

func createSecret(ctx context.Context, c *base.Call[secret]) error {
	if !c.Config.hasValue() {
		return adoptSecret(ctx, c)
	}
	err := writeSecret(ctx, c, 0)
	if !client.Is(err, client.Conflict) {
		return err
	}
	known, readErr := c.Client.SecretMetadata(ctx, c.Place(), c.Names[3])
	switch {
	case readErr != nil:
		return errors.Join(err, readErr)
	case known.Live():
		return c.AlreadyExists()
	}
	return writeSecret(ctx, c, known.Version) // a deleted secret continues its version numbers
}

// adoptSecret starts to manage a secret whose value is set elsewhere, even before that happens.
func adoptSecret(ctx context.Context, c *base.Call[secret]) error {
	known, found, err := c.Connection.Metadata(ctx, c.Client, c.Place(), c.Names[3])
	if err != nil {
		return err
	}
	c.Model.Version = types.Int64Value(known.Version)
	if !found {
		return nil
	}
	return tagSecret(ctx, c)
}

// adoptWritten compares the existing secret with the configuration. A token that may not read the
// secret adopts nothing.
func adoptWritten(ctx context.Context, c *base.Call[secret]) (bool, error) {
	c.Connection.Forget(c.Client.Namespace(), c.Place())
	if !c.Config.hasValue() {
		return true, adoptSecret(ctx, c)
	}
	m := &c.Model
	now, err := c.Client.Secret(ctx, c.Place(), c.Names[3])
	if err != nil || now.Value != c.Config.value() || now.Comment != m.Comment.ValueString() {
		return false, err
	}
	m.Encoding, m.References, m.Version = types.StringValue(now.Encoding), types.BoolValue(now.References), types.Int64Value(now.Version.Version)
	if !m.Tags.IsNull() {
		if m.Tags, err = set(ctx, now.Tags); err != nil {
			return false, err
		}
	}
	if err := c.Keep(ctx, written{Version: now.Version.Version}); err != nil {
		return false, err
	}
	return c.AsPlanned(ctx)
}

func readSecret(ctx context.Context, c *base.Call[secret]) error {
	m := &c.Model
	known, found, err := c.Connection.Metadata(ctx, c.Client, c.Place(), c.Names[3])
	if err != nil {
		return err
	}
	var last written
	c.Recall(ctx, &last)
	imports := m.Version.IsNull()
	if (!found || !known.Live()) && (imports || last.Version != 0) {
		return &client.Error{Kind: client.NotFound, Text: "the secret does not exist, or its newest version is deleted"}
	}
	m.Version = types.Int64Value(known.Version)
	if imports {
		return importSecret(ctx, c, known)
	}
	if found && !m.Tags.IsNull() {
		m.Tags, err = set(ctx, known.Tags)
	}
	return err
}

// importSecret fills the model of an imported secret. Only a read of the secret shows whether its
// value has references. The value itself is dropped.
func importSecret(ctx context.Context, c *base.Call[secret], known client.Version) error {
	m := &c.Model
	references := false
	switch now, err := c.Client.Secret(ctx, c.Place(), c.Names[3]); {
	case err == nil:
		known.Encoding, references = now.Encoding, now.References
	case !client.Is(err, client.NoPermission):
		return err
	}
	m.Encoding, m.References = types.StringValue(known.Encoding), types.BoolValue(references)
	m.OnDrift, m.Comment, m.ValueWOVersion = types.StringValue(overwrite), types.StringValue(""), types.Int64Value(importedNumber)
	var err error
	if m.Tags, err = set(ctx, known.Tags); err != nil {
		return err
	}
	return c.Keep(ctx, written{Version: known.Version, Imported: true})
}

func updateSecret(ctx context.Context, c *base.Call[secret]) error {
	var last written
	c.Recall(ctx, &last)
	if sends(&c.Config, &c.Model, &c.Prior, last) {
		return writeSecret(ctx, c, c.Prior.Version.ValueInt64())
	}
	c.Model.Version = c.Prior.Version
	if !c.Config.hasValue() && !last.Imported {
		// The value is now set elsewhere, so versions of others are not drift.
		if err := c.Keep(ctx, written{}); err != nil {
			return err
		}
	}
	if c.Model.Tags.Equal(c.Prior.Tags) || c.Prior.Version.ValueInt64() == 0 {
		return nil
	}
	return tagSecret(ctx, c)
}

// writeSecret writes a version that replaces version over, or the first version if over is 0. The
// write fails if someone else has written meanwhile.
func writeSecret(ctx context.Context, c *base.Call[secret], over int64) error {
	m := &c.Model
	tags, err := words(ctx, m.Tags)
	if err != nil {
		return err
	}
	version, err := c.Client.PutSecret(ctx, c.Place(), c.Names[3], client.SecretInput{
		Value: c.Config.value(), Encoding: m.Encoding.ValueString(), References: m.References.ValueBool(),
		Comment: c.Config.Comment.ValueString(), Tags: tags, CAS: &over,
	})
	if err != nil {
		return err
	}
	c.Connection.Forget(c.Client.Namespace(), c.Place())
	m.Version = types.Int64Value(version.Version)
	return c.Keep(ctx, written{Version: version.Version})
}

func tagSecret(ctx context.Context, c *base.Call[secret]) error {
	tags, err := words(ctx, c.Model.Tags)
	if err != nil || tags == nil {
		return err
	}
	c.Connection.Forget(c.Client.Namespace(), c.Place())
	return c.Client.SetTags(ctx, c.Place(), c.Names[3], tags)
}

func deleteSecret(ctx context.Context, c *base.Call[secret]) error {
	var last written
	c.Recall(ctx, &last)
	defer c.Connection.Forget(c.Client.Namespace(), c.Place())
	switch how := c.Model.OnDestroy.ValueString(); {
	case how == purge:
		return c.Client.PurgeSecret(ctx, c.Place(), c.Names[3])
	case how == soft || last.Version != 0 && !last.Imported:
		return c.Client.DeleteSecret(ctx, c.Place(), c.Names[3])
	case last.Imported:
		c.Warn("", "The secret was not deleted", "The resource imported the secret and never wrote it, so the value may be set elsewhere. To delete such a secret, apply on_destroy = \"soft\" before the resource is destroyed.")
	}
	return nil
}
