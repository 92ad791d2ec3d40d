package backend

import (
	"context"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/keys"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

func (b *Backend) keyPaths() []*framework.Path {
	answers := response("The workspace's key versions and progress.", fields{
		fieldLatestVersion:       intField("The version that seals what is written now."),
		"min_decryption_version": intField("The oldest version that may still open anything."),
		fieldVersions:            object("By version: `created_time`, `state` (active or decrypt-only)."),
		fieldRewrap: object("`state` (idle, running, done or failed), `target_version`, `total` secrets, `done`, `failed`, " +
			"and the times it was started and last moved."),
	})
	return []*framework.Path{
		{
			Pattern:         "keys" + inWorkspace,
			DisplayAttrs:    display(),
			Fields:          pathFields(1),
			HelpSynopsis:    "The key versions of a workspace, and how far a rewrap has come.",
			HelpDescription: keysHelp,
			Operations: operations{
				logical.ReadOperation: operation(b.handle(readKeys), "Read a workspace's key versions.", "read", "keys", answers),
			},
		},
		{
			Pattern:         "keys" + inWorkspace + "/rotate",
			DisplayAttrs:    display(),
			Fields:          pathFields(1),
			HelpSynopsis:    "Rotate a workspace's key.",
			HelpDescription: keysHelp,
			Operations: operations{
				logical.UpdateOperation: changing(operation(b.handle(rotateKeys), "Add a key version and seal everything stored again under it.", "rotate", "keys", answers)),
			},
		},
		{
			Pattern:         "keys" + inWorkspace + "/rewrap",
			DisplayAttrs:    display(),
			Fields:          pathFields(1),
			HelpSynopsis:    "Seal everything stored in a workspace again under its latest key version.",
			HelpDescription: keysHelp,
			Operations: operations{
				logical.UpdateOperation: changing(operation(b.handle(rewrapKeys), "Start a rewrap, unless one runs.", "rewrap", "keys", answers)),
			},
		},
	}
}

func readKeys(_ context.Context, c *call) (*logical.Response, error) {
	id, err := c.tree.WorkspaceID(c.scope(), c.workspace)
	if fault.Is(err, fault.NotFound) {
		return nil, fault.Missing("workspace %q does not exist", c.workspace) // here it is the last segment
	}
	if err != nil {
		return nil, err
	}
	return answerKeys(c, id)
}

func rotateKeys(ctx context.Context, c *call) (*logical.Response, error) {
	id, err := c.tree.WorkspaceID(c.scope(), c.workspace)
	if err != nil {
		return nil, err
	}
	if err := c.secrets.Rotate(ctx, id, c.req.ID); err != nil {
		return nil, err
	}
	return answerKeys(c, id)
}

func rewrapKeys(ctx context.Context, c *call) (*logical.Response, error) {
	id, err := c.tree.WorkspaceID(c.scope(), c.workspace)
	if err != nil {
		return nil, err
	}
	if err := c.secrets.Rewrap(ctx, id); err != nil {
		return nil, err
	}
	return answerKeys(c, id)
}

func answerKeys(c *call, id store.ID) (*logical.Response, error) {
	entry, ok := c.keys.Entry(id)
	if !ok || entry.Damaged {
		return nil, keys.ErrDamaged()
	}
	rewrap := map[string]any{"state": "idle", "total": entry.Rewrap.Total, "done": entry.Rewrap.Done, "failed": entry.Rewrap.Failed}
	if entry.Rewrap.State != store.RewrapIdle {
		rewrap["state"] = string(entry.Rewrap.State)
		rewrap["target_version"] = int(entry.Rewrap.Target)
		addTimes(rewrap, entry.Rewrap.Started, entry.Rewrap.Updated)
	}
	return answer(map[string]any{
		fieldLatestVersion:       int(entry.Latest),
		"min_decryption_version": int(entry.MinDecryption),
		fieldVersions:            describeVersions(entry.Versions, entry.Latest),
		fieldRewrap:              rewrap,
	})
}

func addTimes(to map[string]any, started, updated time.Time) {
	to["started_time"], to[fieldUpdated] = stamp(started), stamp(updated)
}

const keysHelp = `
Every workspace has an encryption key of its own, in versions. A rotation adds one in constant time: what is written from then on
is sealed under it, and what is stored already is sealed again in the background, all versions of all secrets, without the
plaintext ever leaving the engine. The progress is stored: a restart goes on where it was.

    $ vault write -force stashbase/keys/acme/rotate
    $ vault read stashbase/keys/acme

A rewrap that ended with failures names none of them here: the secrets in question answer an error when they are read. Start it
again with keys/<workspace>/rewrap when they are mended.
`
