package backend

import (
	"cmp"
	"context"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/charset"
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
				fieldFrom: query(stringField("Name of the first environment of the project.")),
				fieldTo:   query(stringField("Name of the second environment of the project.")),
			}),
			HelpSynopsis:    "Compare the secrets of two environments of a project, without their values.",
			HelpDescription: compareHelp,
			Operations: operations{
				logical.ReadOperation: operation(b.handle(compareEnvironments), "Compare two environments.", "compare", "environments",
					response("The names of the live secrets of both environments.", fields{
						"only_in_from": list("Secrets that exist only in the first environment."),
						"only_in_to":   list("Secrets that exist only in the second environment."),
						"different":    list("Secrets that exist in both environments, with different values."),
						"same":         list("Secrets that exist in both environments, with the same value."),
					})),
			},
		},
		{
			Pattern:      "changes" + inEnvironment,
			DisplayAttrs: display(),
			Fields: pathFields(3, fields{
				fieldLimit: query(intField("Maximum number of changes to return, newest first, 1 to 1000. Default: 1000. If the changes concern many secrets, fewer are returned.")),
				fieldAfter: query(stringField("Continues a changelog: the `next` of the previous page.")),
			}),
			HelpSynopsis:    "The changelog of an environment, newest first, without values.",
			HelpDescription: changesHelp,
			Operations: operations{
				logical.ReadOperation: operation(b.handle(readChanges), "Read the changelog of an environment.", "read", "changes",
					response("The changelog.", fields{
						"changes": {Type: framework.TypeSlice, Description: "List of changes: change (the id), time, created_by (a display name), comment, secrets and omitted. Each of the secrets has name, version and action (created, updated or deleted). omitted is the number of further secrets of a change that concerns more than 10,000."},
						"next":    stringField("Value of `after` that returns the next page. Absent on the last page."),
					}, "next")),
			},
		},
		{
			Pattern:      "revert" + inEnvironment,
			DisplayAttrs: display(),
			Fields: pathFields(3, fields{
				fieldChange:  stringField("Id of a change. The environment is restored to its state right after this change."),
				fieldComment: stringField("Reason for the revert, at most 512 bytes. Not encrypted by the workspace's keys."),
				fieldDryRun:  boolField("Return what the revert would do, without changing anything."),
			}),
			HelpSynopsis:    "Restore an environment to its state right after a change.",
			HelpDescription: changesHelp,
			Operations: operations{
				logical.UpdateOperation: changing(operation(b.handle(revertEnvironment), "Restore the secrets that an environment had right after a change: all of them or none.", "revert", "environment",
					importedResponse())),
			},
		},
	}
}

func compareEnvironments(ctx context.Context, c *call) (*logical.Response, error) {
	from, to := c.text(fieldFrom), c.text(fieldTo)
	for _, side := range []struct{ field, name, which string }{{fieldFrom, from, "first"}, {fieldTo, to, "second"}} {
		if side.name == "" {
			return nil, fault.New(fault.Invalid, "%s: is required; give the name of the %s environment", side.field, side.which)
		}
		if err := naming.Check(side.field, side.name); err != nil {
			return nil, err
		}
	}
	d, err := c.Secrets.Compare(ctx, c.request(), c.beside(from), c.beside(to))
	if err != nil {
		return nil, err
	}
	return respond(map[string]any{
		"only_in_from": append([]string{}, d.OnlyFrom...), "only_in_to": append([]string{}, d.OnlyTo...),
		"different": append([]string{}, d.Different...), "same": append([]string{}, d.Same...),
	})
}

func readChanges(ctx context.Context, c *call) (*logical.Response, error) {
	limit, err := c.limit()
	if err != nil {
		return nil, err
	}
	all, next, err := c.Secrets.Changes(ctx, c.request(), c.path, cmp.Or(limit, secrets.MaxChanges), c.text(fieldAfter))
	if err != nil {
		return nil, err
	}
	described := make([]any, len(all))
	for i, change := range all {
		touched := make([]any, len(change.Secrets))
		for j, s := range change.Secrets {
			touched[j] = map[string]any{fieldName: s.Name, fieldVersion: int64(s.Version), "action": s.Action}
		}
		described[i] = map[string]any{
			fieldChange: change.ID, "time": stamp(change.Time), fieldCreatedBy: change.By.DisplayName,
			fieldComment: change.Comment, "secrets": touched, "omitted": change.Omitted,
		}
	}
	data := map[string]any{"changes": described}
	if next != "" {
		data["next"] = next
	}
	return respond(data)
}

func revertEnvironment(ctx context.Context, c *call) (*logical.Response, error) {
	in := secrets.Revert{Change: charset.Trim(c.text(fieldChange)), Comment: c.text(fieldComment), DryRun: c.flag(fieldDryRun)}
	if in.Change == "" {
		return nil, fault.New(fault.Invalid, "%s: is required; give the id of a change, which changes/ lists", fieldChange)
	}
	if err := secrets.CheckComment(in.Comment); err != nil {
		return nil, err
	}
	done, err := c.Secrets.Revert(ctx, c.request(), c.path, in)
	if err != nil {
		return nil, err
	}
	return respondImported(done, in.DryRun)
}

const compareHelp = `
The engine compares the values and does not return them. A caller can still find out whether a secret
has the same value in two environments. Allow this path only to callers who may load both of them.

    $ vault read stashbase/compare/acme/api from=development to=production
`

const changesHelp = `
The changelog has one entry for each request that wrote or deleted secrets. It is derived from the
versions that are kept. A revert to a change writes new versions, and soft-deletes secrets that did
not exist then. A revert is also a change and can be reverted. If a version that it needs is destroyed
or no longer kept, the revert fails and changes nothing.

A response has at most 1,000 changes. If there are more, it has a field next: set after to its value
to read the next page.

    $ vault read -format=json stashbase/changes/acme/api/development limit=10
    $ vault write stashbase/revert/acme/api/development change=<id> dry_run=true
    $ vault write stashbase/revert/acme/api/development change=<id>
`
