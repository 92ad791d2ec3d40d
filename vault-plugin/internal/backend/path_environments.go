package backend

import (
	"context"

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

func environmentFields() fields {
	return fields{
		fieldDescription:     stringField("What the environment is for, at most 512 bytes. Not encrypted by the workspace's keys."),
		fieldProduction:      boolField("Whether this is a production environment; it is then deleted only with deletion_allowed."),
		fieldLocked:          boolField("Whether writes are refused."),
		fieldDeletionAllowed: boolField("Whether a production environment may be deleted."),
		fieldBase:            stringField("Environment whose secrets are inherited: one of the same project, or project/environment; empty for none."),
		fieldSharedWith:      wordsField("Patterns project/environment of the environments that may refer to this one or inherit from it. Never set, or reset: for production none, else the project's other environments that are not production."),
	}
}

func (b *Backend) environmentPaths() []*framework.Path {
	answered := environmentFields()
	answered[fieldName] = stringField("Name of the environment.")
	answered[fieldCreated] = timeField("When it was created.")
	answered[fieldUpdated] = timeField("When its settings were last changed.")
	answered["secrets"] = intField("Number of secrets, soft-deleted ones included.")
	answers := response("The environment.", answered, fieldSharedWith)
	return []*framework.Path{
		{
			Pattern:         "environments" + inProject + "/?",
			DisplayAttrs:    display(),
			Fields:          pathFields(2, listFields()),
			HelpSynopsis:    "List the environments of a project.",
			HelpDescription: environmentHelp,
			Operations: operations{
				logical.ListOperation: operation(b.handle(listEnvironments), "List the environments of a project.", "list", "environments",
					listResponse("The environments.", "By name: updated_time, production, locked, secrets.")),
			},
		},
		{
			Pattern:         "environments" + inEnvironment,
			DisplayAttrs:    display(),
			Fields:          pathFields(3, environmentFields(), fields{fieldConfirm: query(stringField("For a delete of an environment that holds secrets: its name again."))}),
			ExistenceCheck:  b.exists(func(c *call) bool { return c.Tree.Exists(c.path) }),
			HelpSynopsis:    "Create, read, change or delete an environment: a set of secrets that is delivered as one.",
			HelpDescription: environmentHelp,
			Operations: operations{
				logical.ReadOperation:   operation(b.handle(readEnvironment), "Read an environment.", "read", "environment", answers),
				logical.CreateOperation: changing(operation(b.handle(putEnvironment), "Create an environment.", "create", "environment", answers)),
				logical.UpdateOperation: changing(operation(b.handle(putEnvironment), "Change the fields given, keep the others.", "write", "environment", answers)),
				logical.PatchOperation:  changing(operation(b.handle(patchEnvironment), "Change the fields given; null resets one.", "patch", "environment", answers)),
				logical.DeleteOperation: changing(operation(b.handle(deleteEnvironment), "Delete an environment and its secrets.", "delete", "environment",
					response("What was deleted.", fields{
						fieldName: stringField("Name the environment had."),
						"secrets": intField("Number of secrets that went with it."),
					}))),
			},
		},
	}
}

func listEnvironments(_ context.Context, c *call) (*logical.Response, error) {
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
	return answerList(c, items)
}

func readEnvironment(_ context.Context, c *call) (*logical.Response, error) {
	e, err := c.Tree.Environment(c.request(), c.path)
	if err != nil {
		return nil, err
	}
	return answer(describeEnvironment(e))
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
		if present, null := c.given(fieldSharedWith); present {
			record.Shares = !null
			assign(c, fieldSharedWith, &record.SharedWith, nil)
		}
	})
	if err != nil {
		return nil, err
	}
	return answer(describeEnvironment(e))
}

// patchEnvironment changes an environment that exists: null brings shared_with back to its default.
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
	return answer(map[string]any{fieldName: c.path.Environment, "secrets": receipt.Secrets})
}

func describeEnvironment(e workspaces.Environment) map[string]any {
	all := map[string]any{
		fieldName: e.Name, fieldDescription: e.Description, fieldProduction: e.Production, fieldLocked: e.Locked,
		fieldDeletionAllowed: e.DeletionAllowed, fieldBase: e.Base,
		fieldCreated: stamp(e.Stamp.Created), fieldUpdated: stamp(e.Stamp.Updated), "secrets": e.Secrets,
	}
	if e.Shares { // else the default holds, which follows production
		all[fieldSharedWith] = append([]string{}, e.SharedWith...)
	}
	return all
}

const environmentHelp = `
An environment holds the secrets that one deployment of a project needs; they are delivered together by load/. A locked
environment can be read and not written. A production environment is deleted only when deletion_allowed is set.

    $ vault write -force stashbase/environments/acme/api/development
    $ vault write stashbase/environments/acme/api/production production=true
    $ vault write stashbase/environments/acme/api/production locked=true

With a base it inherits the base's secrets, except those it has itself. An environment is inherited, and referred to by secrets
elsewhere, only where its own shared_with lets it: whoever may write one environment gets nothing out of another by that.

    $ vault write stashbase/environments/acme/api/staging base=development
    $ vault write stashbase/environments/acme/shared/common shared_with=api/*,web/staging
`
