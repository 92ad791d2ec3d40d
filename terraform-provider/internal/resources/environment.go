package resources

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/stashbase/vault-stashbase/shared/client"
	"github.com/stashbase/vault-stashbase/shared/names"
	"github.com/stashbase/vault-stashbase/terraform-provider/internal/base"
	"github.com/stashbase/vault-stashbase/terraform-provider/internal/diagnose"
)

type environment struct {
	base.Model
	Workspace       types.String `tfsdk:"workspace"`
	Project         types.String `tfsdk:"project"`
	Name            types.String `tfsdk:"name"`
	Description     types.String `tfsdk:"description"`
	Production      types.Bool   `tfsdk:"production"`
	Locked          types.Bool   `tfsdk:"locked"`
	DeletionAllowed types.Bool   `tfsdk:"deletion_allowed"`
	Base            types.String `tfsdk:"base"`
	SharedWith      types.Set    `tfsdk:"shared_with"`
	ForceDestroy    types.Bool   `tfsdk:"force_destroy"`
	CreatedTime     types.String `tfsdk:"created_time"`
}

// Environment returns the resource stashbase_environment.
func Environment() resource.Resource {
	return base.New(base.Kind[environment]{
		Name: "environment",
		Help: "An environment: a set of secrets that is delivered as a whole.\n\n" +
			"An environment that contains secrets this configuration does not manage can be destroyed only after `force_destroy = true` was applied. A production environment also requires `deletion_allowed = true`.",
		Keys: []base.Key{base.Workspace(), base.Project(), {Name: "name", Help: "Name of the environment in the project."}},
		Attributes: map[string]schema.Attribute{
			"description":      textWithDefault("What the environment is for."),
			"production":       boolWithDefault("Whether this is a production environment."),
			"locked":           boolWithDefault("Whether the engine refuses all writes, including those of this provider."),
			"deletion_allowed": boolWithDefault("Whether a production environment may be destroyed."),
			"base":             environmentName("Environment to inherit secrets from: the name of an environment of the same project, or `project/environment`."),
			"shared_with":      textsWithDefault("Patterns `project/environment` of the environments that may refer to this one or inherit from it."),
			"force_destroy":    boolWithDefault("Whether destroying the environment also deletes the secrets that are still in it."),
			"created_time":     createdTime("the environment"),
		},
		Create: createEnvironment, Adopt: adoptEnvironment, Read: readEnvironment, Update: putEnvironment, Delete: deleteEnvironment, Plan: planEnvironment,
	})()
}

// environmentName makes an attribute for the name of an environment: environment, or
// project/environment. The empty text names none.
func environmentName(help string) schema.StringAttribute {
	attribute := textWithDefault(help)
	attribute.Validators = []validator.String{base.Text{Rule: "environment or project/environment", Check: func(text string) error {
		parts := strings.Split(text, "/")
		wrong := func(part string) bool { return names.Object.Check(part) != nil }
		if text != "" && (len(parts) > 2 || slices.ContainsFunc(parts, wrong)) {
			return errors.New("must be environment or project/environment; each name must be " + names.Rule)
		}
		return nil
	}}}
	return attribute
}

// planEnvironment keeps the spelling of base that the state has. After an import, that is the short
// form. Terraform accepts a planned value that equals the state.
func planEnvironment(ctx context.Context, c *base.PlanCall[environment]) error {
	warnRenamed(ctx, c)
	if c.Creates || c.Replaces != nil || c.Model.Base.IsUnknown() {
		return nil
	}
	project := c.Names[1]
	if shortBase(c.Model.Base.ValueString(), project) == shortBase(c.Prior.Base.ValueString(), project) {
		c.Model.Base = c.Prior.Base
	}
	return nil
}

func createEnvironment(ctx context.Context, c *base.Call[environment]) error {
	_, err := c.Client.Environment(ctx, c.Names[0], c.Names[1], c.Names[2])
	if err := c.MustNotExist(err); err != nil {
		return err
	}
	return putEnvironment(ctx, c)
}

func adoptEnvironment(ctx context.Context, c *base.Call[environment]) (bool, error) {
	e, err := c.Client.Environment(ctx, c.Names[0], c.Names[1], c.Names[2])
	if err != nil || e.Secrets > 0 {
		return false, err
	}
	syncs, err := c.Client.Syncs(ctx, c.Place())
	if err != nil || len(syncs) > 0 {
		return false, err
	}
	if err := c.Model.fill(ctx, e); err != nil {
		return false, err
	}
	return c.AsPlanned(ctx)
}

func readEnvironment(ctx context.Context, c *base.Call[environment]) error {
	e, err := c.Client.Environment(ctx, c.Names[0], c.Names[1], c.Names[2])
	if err != nil {
		return err
	}
	return c.Model.fill(ctx, e)
}

func putEnvironment(ctx context.Context, c *base.Call[environment]) error {
	m := &c.Model
	shared, err := words(ctx, m.SharedWith)
	if err != nil {
		return err
	}
	e, err := c.Client.PutEnvironment(ctx, client.Environment{
		Workspace: c.Names[0], Project: c.Names[1], Name: c.Names[2], Description: m.Description.ValueString(),
		Production: m.Production.ValueBool(), Locked: m.Locked.ValueBool(), DeletionAllowed: m.DeletionAllowed.ValueBool(),
		Base: m.Base.ValueString(), SharedWith: shared,
	})
	if err != nil {
		return err
	}
	return m.fill(ctx, e)
}

// deleteEnvironment sends the confirmation itself if only soft-deleted secrets are left. Destroying
// a stashbase_secret leaves them.
func deleteEnvironment(ctx context.Context, c *base.Call[environment]) error {
	m := &c.Model
	if m.Production.ValueBool() && !m.DeletionAllowed.ValueBool() {
		return diagnose.At("deletion_allowed", "This is a production environment. To destroy it, apply deletion_allowed = true first.")
	}
	if !m.ForceDestroy.ValueBool() {
		at := client.Place{Workspace: c.Names[0], Project: c.Names[1], Environment: c.Names[2]}
		all, err := c.Client.Metadata(ctx, at)
		if err != nil {
			return err
		}
		if live := living(all); len(live) > 0 {
			return diagnose.At("force_destroy", "The environment contains secrets that are not managed here: %s. Delete them, or apply force_destroy = true first.", some(live))
		}
	}
	return c.Client.DeleteEnvironment(ctx, c.Names[0], c.Names[1], c.Names[2], true)
}

func (m *environment) fill(ctx context.Context, e *client.Environment) error {
	m.Description = types.StringValue(e.Description)
	// The engine returns project/environment. The configuration may have the short form of the same
	// environment.
	if short := shortBase(e.Base, e.Project); m.Base.IsNull() || shortBase(m.Base.ValueString(), e.Project) != short {
		m.Base = types.StringValue(short)
	}
	m.Production, m.Locked = types.BoolValue(e.Production), types.BoolValue(e.Locked)
	m.DeletionAllowed, m.CreatedTime = types.BoolValue(e.DeletionAllowed), types.StringValue(e.CreatedTime)
	// The engine does not know it, and it is null after an import.
	m.ForceDestroy = types.BoolValue(m.ForceDestroy.ValueBool())
	shared, err := set(ctx, e.SharedWith)
	m.SharedWith = shared
	return err
}

// shortBase removes the project if it is the environment's own.
func shortBase(environment, project string) string {
	return strings.TrimPrefix(environment, project+"/")
}

func living(all map[string]client.Version) []string {
	var live []string
	for name, version := range all {
		if version.Live() {
			live = append(live, name)
		}
	}
	slices.Sort(live)
	return live
}

// some joins the first ten names and counts the rest.
func some(names []string) string {
	const most = 10
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
