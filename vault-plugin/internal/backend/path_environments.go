package backend

import (
	"context"
	"fmt"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/workspaces"
)

const (
	fieldProduction = "production"
	fieldLocked     = "locked"
	fieldBase       = "base"
	fieldSharedWith = "shared_with"
)

const environmentInfo = "By name: updated_time, production, locked, secrets."

func environmentFields() fields {
	return fields{
		fieldDescription:     stringField("What the environment is for, at most 512 bytes. Not encrypted by the workspace's keys."),
		fieldProduction:      boolField("Whether this is a production environment. It can be deleted only if deletion_allowed is true."),
		fieldLocked:          boolField("Whether the environment is locked: it can be read, but not written."),
		fieldDeletionAllowed: boolField("Whether a production environment may be deleted."),
		fieldBase:            stringField("Environment whose secrets are inherited: the name of one in the same project, or project/environment. Empty for none."),
		fieldSharedWith:      wordsField("Patterns project/environment of the environments that may refer to this one or inherit from it; at most 64, each of at most 256 bytes. Default: none."),
	}
}

func (b *Backend) environmentPaths() []*framework.Path {
	returned := environmentFields()
	returned[fieldName] = stringField("Name of the environment.")
	returned[fieldCreated] = timeField("When it was created.")
	returned[fieldUpdated] = timeField("When its settings were last changed.")
	returned["secrets"] = intField("Number of secrets, including soft-deleted ones.")
	responses := response("The environment.", returned)
	return []*framework.Path{
		{
			Pattern:         "environments" + inProject + "/?",
			DisplayAttrs:    display(),
			Fields:          pathFields(2, listFields()),
			HelpSynopsis:    "List the environments of a project.",
			HelpDescription: environmentHelp,
			Operations: operations{
				logical.ListOperation: operation(b.handle(listing(environmentItems)), "List the environments of a project.", "list", "environments",
					listResponse("The environments.", environmentInfo)),
			},
		},
		{
			Pattern:         "environments" + inEnvironment,
			DisplayAttrs:    display(),
			Fields:          pathFields(3, environmentFields(), fields{fieldConfirm: query(stringField("Name of the environment, to confirm its deletion. Required to delete an environment that contains secrets."))}),
			ExistenceCheck:  b.exists(func(c *call) bool { return c.Tree.Exists(c.path) }),
			HelpSynopsis:    "Create, read, change or delete an environment: a set of secrets that are delivered together.",
			HelpDescription: environmentHelp,
			Operations: operations{
				logical.ReadOperation:   operation(b.handle(readEnvironment), "Read an environment.", "read", "environment", responses),
				logical.CreateOperation: changing(operation(b.handle(putEnvironment), "Create an environment.", "create", "environment", responses)),
				logical.UpdateOperation: changing(operation(b.handle(putEnvironment), "Change the given fields and keep the others.", "write", "environment", responses)),
				logical.PatchOperation:  changing(operation(b.handle(patchEnvironment), "Change the given fields; null resets a field.", "patch", "environment", responses)),
				logical.DeleteOperation: deleting(operation(b.handle(deleteEnvironment), "Delete an environment and its secrets.", "delete", "environment",
					response("What was deleted.", fields{
						fieldName: stringField("Name of the environment."),
						"secrets": intField("Number of secrets that were deleted with it."),
					}))),
			},
		},
	}
}

func environmentItems(_ context.Context, c *call) ([]item, error) {
	all, err := c.Tree.ProjectEnvironments(c.request(), c.path)
	if err != nil {
		return nil, err
	}
	items := make([]item, len(all))
	for i, e := range all {
		items[i] = item{e.Name, map[string]any{
			fieldUpdated: stamp(e.Stamp.Updated), fieldProduction: e.Production, fieldLocked: e.Locked, "secrets": e.Secrets,
		}}
	}
	return items, nil
}

func readEnvironment(_ context.Context, c *call) (*logical.Response, error) {
	e, err := c.Tree.Environment(c.request(), c.path)
	if err != nil {
		return nil, err
	}
	return respond(describeEnvironment(e))
}

func putEnvironment(ctx context.Context, c *call) (*logical.Response, error) {
	base, err := workspaces.BasePath(c.path.Project, c.text(fieldBase))
	if err != nil {
		return nil, err
	}
	e, err := c.Tree.PutEnvironment(ctx, c.request(), c.path, func(record *store.Environment) {
		assign(c, fieldDescription, &record.Description, "")
		assign(c, fieldProduction, &record.Production, false)
		assign(c, fieldLocked, &record.Locked, false)
		assign(c, fieldDeletionAllowed, &record.DeletionAllowed, false)
		if present, _ := c.given(fieldBase); present {
			record.Base = base
		}
		assign(c, fieldSharedWith, &record.SharedWith, nil)
	})
	if err != nil {
		return nil, err
	}
	resp, err := respond(describeEnvironment(e))
	if !e.Production && (e.Name == "prod" || e.Name == "production") {
		resp.AddWarning(fmt.Sprintf("environment %s is not marked as a production environment, so the rules for these do not protect it; mark it with production=true", c.path))
	}
	return resp, err
}

// patchEnvironment changes an existing environment.
func patchEnvironment(ctx context.Context, c *call) (*logical.Response, error) {
	if _, err := c.Tree.Environment(c.request(), c.path); err != nil {
		return nil, err
	}
	return putEnvironment(ctx, c)
}

func deleteEnvironment(ctx context.Context, c *call) (*logical.Response, error) {
	receipt, err := c.Tree.DeleteEnvironment(ctx, c.request(), c.path, c.text(fieldConfirm))
	if err != nil {
		return nil, err
	}
	return respond(map[string]any{fieldName: c.path.Environment, "secrets": receipt.Secrets})
}

func describeEnvironment(e workspaces.Environment) map[string]any {
	return map[string]any{
		fieldName: e.Name, fieldDescription: e.Description, fieldProduction: e.Production, fieldLocked: e.Locked,
		fieldDeletionAllowed: e.DeletionAllowed, fieldBase: e.Base,
		fieldSharedWith: append([]string{}, e.SharedWith...),
		fieldCreated:    stamp(e.Stamp.Created), fieldUpdated: stamp(e.Stamp.Updated), "secrets": e.Secrets,
	}
}

const environmentHelp = `
An environment contains the secrets that one deployment of a project needs. load/ delivers all of
them. A locked environment can be read, but not written. A production environment can be deleted only
if deletion_allowed is true.

    $ vault write -force stashbase/environments/acme/api/development
    $ vault write stashbase/environments/acme/api/production production=true
    $ vault write stashbase/environments/acme/api/production locked=true

An environment with a base inherits the base's secrets, except those that it has itself. An
environment can be a base, or the target of references, only for environments that its own shared_with
allows. By default it allows none, also within a project. A caller who can write one environment
therefore cannot read another one through it.

    $ vault write stashbase/environments/acme/api/development shared_with=api/staging
    $ vault write stashbase/environments/acme/api/staging base=development
    $ vault write stashbase/environments/acme/shared/common shared_with=api/*,web/staging
`
