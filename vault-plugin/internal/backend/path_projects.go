package backend

import (
	"context"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/workspaces"
)

const projectInfo = "By name: updated_time, environments, secrets."

func (b *Backend) projectPaths() []*framework.Path {
	settable := fields{fieldDescription: stringField("What the project is for, at most 512 bytes. Not encrypted by the workspace's keys.")}
	responses := response("The project.", fields{
		fieldName:        stringField("Name of the project."),
		fieldDescription: stringField("What the project is for."),
		fieldCreated:     timeField("When it was created."),
		fieldUpdated:     timeField("When it was last changed."),
		"environments":   intField("Number of environments."),
		"secrets":        intField("Number of secrets in all its environments."),
	})
	return []*framework.Path{
		{
			Pattern:         "projects" + inWorkspace + "/?",
			DisplayAttrs:    display(),
			Fields:          pathFields(1, listFields()),
			HelpSynopsis:    "List the projects of a workspace.",
			HelpDescription: projectHelp,
			Operations: operations{
				logical.ListOperation: operation(b.handle(listing(projectItems)), "List the projects of a workspace.", "list", "projects",
					listResponse("The projects.", projectInfo)),
			},
		},
		{
			Pattern:         "projects" + inProject,
			DisplayAttrs:    display(),
			Fields:          pathFields(2, settable, fields{fieldConfirm: query(stringField("Name of the project, to confirm its deletion. Required to delete a project that contains environments."))}),
			ExistenceCheck:  b.exists(func(c *call) bool { return c.Tree.Exists(c.path) }),
			HelpSynopsis:    "Create, read, change or delete a project.",
			HelpDescription: projectHelp,
			Operations: operations{
				logical.ReadOperation:   operation(b.handle(readProject), "Read a project.", "read", "project", responses),
				logical.CreateOperation: changing(operation(b.handle(putProject), "Create a project.", "create", "project", responses)),
				logical.UpdateOperation: changing(operation(b.handle(putProject), "Change the given fields and keep the others.", "write", "project", responses)),
				logical.DeleteOperation: deleting(operation(b.handle(deleteProject), "Delete a project with its environments and secrets.", "delete", "project",
					response("What was deleted.", fields{
						fieldName:      stringField("Name of the project."),
						"environments": intField("Number of environments that were deleted with it."),
						"secrets":      intField("Number of secrets that were deleted with it."),
					}))),
			},
		},
	}
}

func projectItems(_ context.Context, c *call) ([]item, error) {
	all, err := c.Tree.Projects(c.request(), c.path.Workspace)
	if err != nil {
		return nil, err
	}
	items := make([]item, len(all))
	for i, p := range all {
		items[i] = item{p.Name, map[string]any{
			fieldUpdated: stamp(p.Stamp.Updated), "environments": p.Counts.Environments, "secrets": p.Counts.Secrets,
		}}
	}
	return items, nil
}

func readProject(_ context.Context, c *call) (*logical.Response, error) {
	p, err := c.Tree.Project(c.request(), c.path)
	if err != nil {
		return nil, err
	}
	return respond(describeProject(p))
}

func putProject(ctx context.Context, c *call) (*logical.Response, error) {
	p, err := c.Tree.PutProject(ctx, c.request(), c.path, func(record *store.Project) {
		assign(c, fieldDescription, &record.Description, "")
	})
	if err != nil {
		return nil, err
	}
	return respond(describeProject(p))
}

func deleteProject(ctx context.Context, c *call) (*logical.Response, error) {
	receipt, err := c.Tree.DeleteProject(ctx, c.request(), c.path, c.text(fieldConfirm))
	if err != nil {
		return nil, err
	}
	return respond(map[string]any{fieldName: c.path.Project, "environments": receipt.Environments, "secrets": receipt.Secrets})
}

func describeProject(p workspaces.Project) map[string]any {
	return map[string]any{
		fieldName: p.Name, fieldDescription: p.Description,
		fieldCreated: stamp(p.Stamp.Created), fieldUpdated: stamp(p.Stamp.Updated),
		"environments": p.Counts.Environments, "secrets": p.Counts.Secrets,
	}
}

const projectHelp = `
A project belongs to a workspace and contains environments, such as development and production.

    $ vault write -force stashbase/projects/acme/api
    $ vault list stashbase/projects/acme
    $ vault delete stashbase/projects/acme/api confirm=api

A project cannot be deleted while it contains a locked environment, or a production environment
without deletion_allowed.
`
