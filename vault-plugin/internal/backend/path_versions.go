package backend

import (
	"context"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/caller"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/secrets"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/settings"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/workspaces"
)

func versionsField(help string) *framework.FieldSchema {
	return &framework.FieldSchema{Type: framework.TypeCommaIntSlice, Description: help}
}

func (b *Backend) versionPaths() []*framework.Path {
	return []*framework.Path{
		b.markPath("undelete", "Restore deleted versions.", undeleteHelp, "Numbers of the versions, such as 1,2. If one of them is not kept or is destroyed, the request fails and restores none.", (*secrets.Service).Undelete),
		b.markPath("destroy", "Permanently remove the values of versions.", destroyHelp, "Numbers of the versions, such as 1,2. Versions that are not kept are ignored.", (*secrets.Service).Destroy),
		{
			Pattern:      "rollback" + inSecret,
			DisplayAttrs: display(),
			Fields: pathFields(4, fields{
				fieldVersion: intField("Number of the version to restore."),
				fieldComment: stringField("Reason for the rollback, at most 512 bytes. Not encrypted by the workspace's keys."),
				fieldCAS:     intField("Roll back only if the newest version has this number."),
			}),
			HelpSynopsis:    "Restore the value of an older version.",
			HelpDescription: rollbackHelp,
			Operations: operations{
				logical.UpdateOperation: changing(operation(b.handle(rollBack), "Write a new version with the value of an older one.", "roll-back", "secret",
					response("The version that was written.", versionResult()))),
			},
		},
	}
}

// marker is a method of the secrets service that changes the state of versions.
type marker func(s *secrets.Service, ctx context.Context, call caller.Request, path workspaces.Path, name string, versions []uint64) (secrets.Metadata, error)

// markPath declares a path that changes the state of versions of a secret.
func (b *Backend) markPath(verb, synopsis, description, numbers string, mark marker) *framework.Path {
	return &framework.Path{
		Pattern:         verb + inSecret,
		DisplayAttrs:    display(),
		Fields:          pathFields(4, fields{fieldVersions: versionsField(numbers)}),
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
				return respond(describeHistory(c, m))
			}), synopsis, verb, "versions", historyResponse())),
		},
	}
}

// maxMarked is the largest number of versions in one request.
const maxMarked = 1000

// versions returns the numbers in the field versions. If required is set, an empty field is an
// error.
func (c *call) versions(required bool) ([]uint64, error) {
	var numbers []uint64
	raw, _ := c.data.Get(fieldVersions).([]int)
	if len(raw) > maxMarked {
		return nil, fault.New(fault.Limit, "%s: has %d numbers; at most %d are allowed, and a secret keeps at most %d versions", fieldVersions, len(raw), maxMarked, settings.MaxVersions.Max)
	}
	for _, n := range raw {
		if n < 1 {
			return nil, fault.New(fault.Invalid, "%s: must be version numbers, 1 or greater, such as 1,2", fieldVersions)
		}
		numbers = append(numbers, uint64(n))
	}
	if required && len(numbers) == 0 {
		return nil, fault.New(fault.Invalid, "%s: is required; give the numbers of the versions, such as 1,2", fieldVersions)
	}
	return numbers, nil
}

func rollBack(ctx context.Context, c *call) (*logical.Response, error) {
	version, err := c.number(fieldVersion)
	if err != nil || version == nil || *version == 0 {
		return nil, fault.New(fault.Invalid, "%s: is required; give the number of the version to restore, 1 or greater", fieldVersion)
	}
	in := secrets.Input{Comment: c.text(fieldComment)}
	if in.CAS, err = c.number(fieldCAS); err != nil {
		return nil, err
	}
	w, err := c.Secrets.Rollback(ctx, c.request(), c.path, c.name, *version, in)
	if err != nil {
		return nil, err
	}
	return respond(describeVersion(c.name, w.Version, w.Tags))
}

const undeleteHelp = `
Restores versions that were deleted by a delete or by delete_version_after. If one of the versions is
not kept or is destroyed, the request fails and restores none.

    $ vault write stashbase/undelete/acme/api/development/DATABASE_URL versions=2
`

const destroyHelp = `
Removes the values of versions from storage. They cannot be restored. The metadata stay and mark the
versions as destroyed. To remove the secret with all its versions, delete its metadata.

    $ vault write stashbase/destroy/acme/api/development/DATABASE_URL versions=1,2
`

const rollbackHelp = `
Writes the value of an older version as a new version with a new number. The operation is atomic: no
other write can happen between its read and its write.

    $ vault write stashbase/rollback/acme/api/development/DATABASE_URL version=1 comment="the new cluster is not ready"
`
