package resources

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/stashbase/vault-stashbase/shared/client"
	"github.com/stashbase/vault-stashbase/terraform-provider/internal/base"
)

type project struct {
	base.Model
	Workspace    types.String `tfsdk:"workspace"`
	Name         types.String `tfsdk:"name"`
	Description  types.String `tfsdk:"description"`
	ForceDestroy types.Bool   `tfsdk:"force_destroy"`
	CreatedTime  types.String `tfsdk:"created_time"`
}

// Project returns the resource stashbase_project.
func Project() resource.Resource {
	return base.New(base.Kind[project]{
		Name: "project",
		Help: "A project: it belongs to a workspace and contains environments.\n\nA project that contains environments this configuration does not manage can be destroyed only after `force_destroy = true` was applied.",
		Keys: []base.Key{base.Workspace(), {Name: "name", Help: "Name of the project in the workspace."}},
		Attributes: map[string]schema.Attribute{
			"description":   textWithDefault("What the project is for."),
			"force_destroy": boolWithDefault("Whether destroying the project also deletes the environments that are still in it."),
			"created_time":  createdTime("the project"),
		},
		Create: createProject, Adopt: adoptProject, Read: readProject, Update: putProject, Delete: deleteProject, Plan: planProject,
	})()
}

func createProject(ctx context.Context, c *base.Call[project]) error {
	_, err := c.Client.Project(ctx, c.Names[0], c.Names[1])
	if err := c.MustNotExist(err); err != nil {
		return err
	}
	return putProject(ctx, c)
}

func adoptProject(ctx context.Context, c *base.Call[project]) (bool, error) {
	p, err := c.Client.Project(ctx, c.Names[0], c.Names[1])
	if err != nil || p.Environments > 0 {
		return false, err
	}
	c.Model.fill(p)
	return c.AsPlanned(ctx)
}

func readProject(ctx context.Context, c *base.Call[project]) error {
	p, err := c.Client.Project(ctx, c.Names[0], c.Names[1])
	if err != nil {
		return err
	}
	c.Model.fill(p)
	return nil
}

func putProject(ctx context.Context, c *base.Call[project]) error {
	p, err := c.Client.PutProject(ctx, client.Project{Workspace: c.Names[0], Name: c.Names[1], Description: c.Model.Description.ValueString()})
	if err != nil {
		return err
	}
	c.Model.fill(p)
	return nil
}

func deleteProject(ctx context.Context, c *base.Call[project]) error {
	return c.Client.DeleteProject(ctx, c.Names[0], c.Names[1], c.Model.ForceDestroy.ValueBool())
}

func (m *project) fill(p *client.Project) {
	m.Description, m.CreatedTime = types.StringValue(p.Description), types.StringValue(p.CreatedTime)
	// The engine does not know it, and it is null after an import.
	m.ForceDestroy = types.BoolValue(m.ForceDestroy.ValueBool())
}
