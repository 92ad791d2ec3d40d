package backend

import (
	"context"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/workspaces"
)

func (b *Backend) projectPaths() []*framework.Path {
	settable := fields{fieldDescription: stringField("What the project is for, at most 512 bytes. Not encrypted by the workspace's keys.")}
	answers := response("The project.", fields{
		fieldName:        stringField("Name of the project."),
		fieldDescription: stringField("What the project is for."),
		fieldCreated:     timeField("When it was created."),
		fieldUpdated:     timeField("When it was last changed."),
		"environments":   intField("Number of environments."),
		"secrets":        intField("Number of secrets in all of them."),
	})
	return []*framework.Path{
		{
			Pattern:         "projects" + inWorkspace + "/?",
			DisplayAttrs:    display(),
			Fields:          pathFields(1, listFields()),
			HelpSynopsis:    "List the projects of a workspace.",
			HelpDescription: projectHelp,
			Operations: operations{
				logical.ListOperation: operation(b.handle(listProjects), "List the projects of a workspace.", "list", "projects",
					listResponse("The projects.", "By name: updated_time, environments, secrets.")),
			},
		},
		{
			Pattern:         "projects" + inProject,
			DisplayAttrs:    display(),
			Fields:          pathFields(2, settable, fields{fieldConfirm: query(stringField("For a delete of a project that holds anything: its name again."))}),
			ExistenceCheck:  b.exists(func(c *call) bool { return c.Tree.Exists(c.path) }),
			HelpSynopsis:    "Create, read, change or delete a project.",
			HelpDescription: projectHelp,
			Operations: operations{
				logical.ReadOperation:   operation(b.handle(readProject), "Read a project.", "read", "project", answers),
				logical.CreateOperation: changing(operation(b.handle(putProject), "Create a project.", "create", "project", answers)),
				logical.UpdateOperation: changing(operation(b.handle(putProject), "Change the fields given, keep the others.", "write", "project", answers)),
				logical.DeleteOperation: changing(operation(b.handle(deleteProject), "Delete a project and all it holds.", "delete", "project",
					response("What was deleted.", fields{
						fieldName:      stringField("Name the project had."),
						"environments": intField("Number of environments that went with it."),
						"secrets":      intField("Number of secrets that went with it."),
					}))),
			},
		},
	}
}

func listProjects(_ context.Context, c *call) (*logical.Response, error) {
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
	return answerList(c, items)
}

func readProject(_ context.Context, c *call) (*logical.Response, error) {
	p, err := c.Tree.Project(c.request(), c.path)
	if err != nil {
		return nil, err
	}
	return answer(describeProject(p))
}

func putProject(ctx context.Context, c *call) (*logical.Response, error) {
	p, err := c.Tree.PutProject(ctx, c.request(), c.path, func(record *store.Project) {
		assign(c, fieldDescription, &record.Description, "")
	})
	if err != nil {
		return nil, err
	}
	return answer(describeProject(p))
}

func deleteProject(ctx context.Context, c *call) (*logical.Response, error) {
	receipt, err := c.Tree.DeleteProject(ctx, c.request(), c.path, c.text(fieldConfirm))
	if err != nil {
		return nil, err
	}
	return answer(map[string]any{fieldName: c.path.Project, "environments": receipt.Environments, "secrets": receipt.Secrets})
}

func describeProject(p workspaces.Project) map[string]any {
	return map[string]any{
		fieldName: p.Name, fieldDescription: p.Description,
		fieldCreated: stamp(p.Stamp.Created), fieldUpdated: stamp(p.Stamp.Updated),
		"environments": p.Counts.Environments, "secrets": p.Counts.Secrets,
	}
}

const projectHelp = `
A project belongs to a workspace and holds environments, such as development and production.

    $ vault write -force stashbase/projects/acme/api
    $ vault list stashbase/projects/acme
    $ vault delete stashbase/projects/acme/api confirm=api

A project that holds a locked environment, or a production environment that does not allow its deletion, is not deleted.
`
