package backend

import (
	"context"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/caller"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/secrets"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/workspaces"
)

func versionsField(help string) *framework.FieldSchema {
	return &framework.FieldSchema{Type: framework.TypeCommaIntSlice, Description: help}
}

func (b *Backend) versionPaths() []*framework.Path {
	return []*framework.Path{
		b.markPath("undelete", "Take back the deletion of versions.", undeleteHelp, (*secrets.Service).Undelete),
		b.markPath("destroy", "Remove the values of versions for ever.", destroyHelp, (*secrets.Service).Destroy),
		{
			Pattern:      "rollback" + inSecret,
			DisplayAttrs: display(),
			Fields: pathFields(4, fields{
				fieldVersion: intField("The version whose value comes back."),
				fieldComment: stringField("Why, at most 512 bytes. Not encrypted by the workspace's keys."),
				fieldCAS:     intField("Go back only if the newest version has this number."),
			}),
			HelpSynopsis:    "Make an older version the newest again.",
			HelpDescription: rollbackHelp,
			Operations: operations{
				logical.UpdateOperation: changing(operation(b.handle(rollBack), "Write a new version with the value of an older one.", "roll-back", "secret",
					response("The version that was written.", versionAnswer()))),
			},
		},
	}
}

type marker func(s *secrets.Service, ctx context.Context, call caller.Request, path workspaces.Path, name string, versions []uint64) (secrets.Metadata, error)

// markPath declares a path that does something to versions of a secret.
func (b *Backend) markPath(verb, synopsis, description string, mark marker) *framework.Path {
	return &framework.Path{
		Pattern:         verb + inSecret,
		DisplayAttrs:    display(),
		Fields:          pathFields(4, fields{fieldVersions: versionsField("Numbers of the versions, such as 1,2. Those that are no longer kept are passed over.")}),
		HelpSynopsis:    synopsis,
		HelpDescription: description,
		Operations: operations{
			logical.UpdateOperation: changing(operation(b.handle(func(ctx context.Context, c *call) (*logical.Response, error) {
				versions, err := c.versions(true)
				if err != nil {
					return nil, err
				}
				m, err := mark(c.Secrets, ctx, c.request(), c.path, c.name, versions)
				if err != nil {
					return nil, err
				}
				return answer(describeHistory(c, m))
			}), synopsis, verb, "versions", historyResponse())),
		},
	}
}

// versions reads the field of that name; required refuses a request without any.
func (c *call) versions(required bool) ([]uint64, error) {
	var numbers []uint64
	raw, _ := c.data.Get(fieldVersions).([]int)
	for _, n := range raw {
		if n < 1 {
			return nil, fault.New(fault.Invalid, "%s: must be numbers of versions from 1 on, such as 1,2", fieldVersions)
		}
		numbers = append(numbers, uint64(n))
	}
	if required && len(numbers) == 0 {
		return nil, fault.New(fault.Invalid, "%s: is required: the numbers of the versions, such as 1,2", fieldVersions)
	}
	return numbers, nil
}

func rollBack(ctx context.Context, c *call) (*logical.Response, error) {
	version, err := c.number(fieldVersion)
	if err != nil || version == nil || *version == 0 {
		return nil, fault.New(fault.Invalid, "%s: is required: the number of the version whose value comes back, from 1 on", fieldVersion)
	}
	in := secrets.Input{Comment: c.text(fieldComment)}
	if in.CAS, err = c.number(fieldCAS); err != nil {
		return nil, err
	}
	w, err := c.Secrets.Rollback(ctx, c.request(), c.path, c.name, *version, in)
	if err != nil {
		return nil, err
	}
	return answer(describeVersion(c.name, w.Version, w.Tags))
}

const undeleteHelp = `
What a delete, or delete_version_after, has marked is answered again. A destroyed version does not come back.

    $ vault write stashbase/undelete/acme/api/development/DATABASE_URL versions=2
`

const destroyHelp = `
The values are removed from storage and cannot be brought back by anyone; the metadata stay and say so. To remove the secret with
all its versions, delete its metadata.

    $ vault write stashbase/destroy/acme/api/development/DATABASE_URL versions=1,2
`

const rollbackHelp = `
The value of the older version is written as a new one, under a new number. It is atomic: no other write comes between the read
and the write.

    $ vault write stashbase/rollback/acme/api/development/DATABASE_URL version=1 comment="the new cluster is not ready"
`
