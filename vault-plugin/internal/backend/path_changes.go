package backend

import (
	"context"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/naming"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/secrets"
)

const (
	fieldFrom   = "from"
	fieldTo     = "to"
	fieldChange = "change"
)

func (b *Backend) changePaths() []*framework.Path {
	return []*framework.Path{
		{
			Pattern:      "compare" + inProject,
			DisplayAttrs: display(),
			Fields: pathFields(2, fields{
				fieldFrom: query(stringField("Name of one environment of the project.")),
				fieldTo:   query(stringField("Name of the other.")),
			}),
			HelpSynopsis:    "In which secrets two environments of a project differ, without values.",
			HelpDescription: compareHelp,
			Operations: operations{
				logical.ReadOperation: operation(b.handle(compareEnvironments), "Compare two environments.", "compare", "environments",
					response("The live secrets by what they have in common.", fields{
						"only_in_from": list("Secrets that only the one has."),
						"only_in_to":   list("Secrets that only the other has."),
						"different":    list("Secrets that both have, with different values."),
						"same":         list("Secrets that both have, with the same value."),
					})),
			},
		},
		{
			Pattern:         "changes" + inEnvironment,
			DisplayAttrs:    display(),
			Fields:          pathFields(3, fields{fieldLimit: query(intField("Answer at most this many changes, the newest, 1 to 1000. Left out: all."))}),
			HelpSynopsis:    "The changelog of an environment, newest first, without values.",
			HelpDescription: changesHelp,
			Operations: operations{
				logical.ReadOperation: operation(b.handle(readChanges), "Read the changelog of an environment.", "read", "changes",
					response("The changelog.", fields{
						"changes": {Type: framework.TypeSlice, Description: "Each with change (its id), time, created_by, comment, and secrets: name, version, action (created, updated or deleted)."},
					})),
			},
		},
		{
			Pattern:      "revert" + inEnvironment,
			DisplayAttrs: display(),
			Fields: pathFields(3, fields{
				fieldChange:  stringField("Id of the change after which the environment was as it shall be again."),
				fieldComment: stringField("Why, at most 512 bytes. Not encrypted by the workspace's keys."),
				fieldDryRun:  boolField("Answer what the revert would do, and do nothing."),
			}),
			HelpSynopsis:    "Have an environment as it was right after a change.",
			HelpDescription: changesHelp,
			Operations: operations{
				logical.UpdateOperation: changing(operation(b.handle(revertEnvironment), "Bring back what an environment held after a change, all or nothing.", "revert", "environment",
					importedResponse())),
			},
		},
	}
}

func compareEnvironments(ctx context.Context, c *call) (*logical.Response, error) {
	from, to := c.text(fieldFrom), c.text(fieldTo)
	for field, name := range map[string]string{fieldFrom: from, fieldTo: to} {
		if err := naming.Check(field, name); err != nil {
			return nil, err
		}
	}
	d, err := c.Secrets.Compare(ctx, c.request(), c.beside(from), c.beside(to))
	if err != nil {
		return nil, err
	}
	return answer(map[string]any{
		"only_in_from": append([]string{}, d.OnlyFrom...), "only_in_to": append([]string{}, d.OnlyTo...),
		"different": append([]string{}, d.Different...), "same": append([]string{}, d.Same...),
	})
}

func readChanges(ctx context.Context, c *call) (*logical.Response, error) {
	limit, err := c.limit()
	if err != nil {
		return nil, err
	}
	all, err := c.Secrets.Changes(ctx, c.request(), c.path)
	if err != nil {
		return nil, err
	}
	if limit > 0 && len(all) > limit {
		all = all[:limit]
	}
	described := make([]any, len(all))
	for i, change := range all {
		touched := make([]any, len(change.Secrets))
		for j, s := range change.Secrets {
			touched[j] = map[string]any{fieldName: s.Name, fieldVersion: int64(s.Version), "action": s.Action}
		}
		described[i] = map[string]any{
			fieldChange: change.ID, "time": stamp(change.Time), "created_by": describeActor(change.By),
			fieldComment: change.Comment, "secrets": touched,
		}
	}
	return answer(map[string]any{"changes": described})
}

func revertEnvironment(ctx context.Context, c *call) (*logical.Response, error) {
	in := secrets.Revert{Change: c.text(fieldChange), Comment: c.text(fieldComment), DryRun: c.flag(fieldDryRun)}
	if in.Change == "" {
		return nil, fault.New(fault.Invalid, "%s: is required: the id of a change, as changes/ lists them", fieldChange)
	}
	if err := secrets.CheckComment(in.Comment); err != nil {
		return nil, err
	}
	done, err := c.Secrets.Revert(ctx, c.request(), c.path, in)
	if err != nil {
		return nil, err
	}
	return answerImported(done, in.DryRun)
}

const compareHelp = `
Values are compared inside the engine and never answered. Even so, whoever may compare can find out whether a secret of one
environment equals one of another: give this only to those who may load both.

    $ vault read stashbase/compare/acme/api from=development to=production
`

const changesHelp = `
The changelog is derived from the versions that are kept: one entry for each request that wrote or deleted secrets. Going back to
a change writes new versions and soft-deletes what was not there then; it is a change itself and can be reverted. Where a version
it needs is destroyed or no longer kept, nothing is done.

    $ vault read -format=json stashbase/changes/acme/api/development limit=10
    $ vault write stashbase/revert/acme/api/development change=<id> dry_run=true
    $ vault write stashbase/revert/acme/api/development change=<id>
`
