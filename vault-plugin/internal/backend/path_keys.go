package backend

import (
	"context"
	"math"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/keys"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

const (
	fieldMinDecryption = "min_decryption_version"
	fieldAutoRotate    = "auto_rotate_period"
	fieldForce         = "force"
)

func (b *Backend) keyPaths() []*framework.Path {
	answers := response("The workspace's key versions and progress.", fields{
		fieldLatestVersion: intField("The version that seals what is written now."),
		fieldMinDecryption: intField("The oldest version that may still open anything."),
		fieldVersions:      object("By version: `created_time`, `state` (active, decrypt-only or refused)."),
		fieldAutoRotate:    durationField("How old the latest version may get before it is rotated, in seconds; 0 is for ever."),
		"next_rotation":    stringField("When the latest version is rotated, RFC 3339; empty where it is not."),
		fieldRewrap: object("`state` (idle, running, done or failed), `target_version`, `total` secrets, `done`, `failed`, " +
			"the times it was started and last moved, `rate` in secrets per second, and while it runs `eta`."),
	})
	return []*framework.Path{
		{
			Pattern:      "keys" + inWorkspace,
			DisplayAttrs: display(),
			Fields: pathFields(1, fields{
				fieldMinDecryption: intField("The oldest version that may still open anything. Raising it is refused while something stored is sealed under a version below."),
				fieldAutoRotate:    durationField("How old the latest version may get before it is rotated: at least 24h, or 0 for ever."),
				fieldForce:         boolField("Raise the minimum though something stored needs the versions below, for a suspected exposure: it cannot be read until the minimum is lowered again."),
			}),
			HelpSynopsis:    "The key versions of a workspace, which of them may be used, and how far a rewrap has come.",
			HelpDescription: keysHelp,
			Operations: operations{
				logical.ReadOperation:   operation(b.handle(readKeys), "Read a workspace's key versions.", "read", "keys", answers),
				logical.UpdateOperation: changing(operation(b.handle(writeKeys), "Change the minimum version or the period of rotation.", "configure", "keys", answers)),
			},
		},
		{
			Pattern:         "keys" + inWorkspace + "/trim",
			DisplayAttrs:    display(),
			Fields:          pathFields(1, fields{fieldForce: boolField("Destroy the versions though something stored needs them. It is lost for ever.")}),
			HelpSynopsis:    "Destroy a workspace's key versions below the minimum.",
			HelpDescription: keysHelp,
			Operations: operations{
				logical.UpdateOperation: changing(operation(b.handle(trimKeys), "Destroy the key versions below the minimum.", "trim", "keys", answers)),
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
	id, err := c.Tree.WorkspaceID(c.request(), c.path.Workspace)
	if fault.Is(err, fault.NotFound) {
		return nil, fault.Missing("workspace %q does not exist", c.path.Workspace) // here it is the last segment
	}
	if err != nil {
		return nil, err
	}
	return answerKeys(c, id)
}

func writeKeys(ctx context.Context, c *call) (*logical.Response, error) {
	id, err := c.Tree.WorkspaceID(c.request(), c.path.Workspace)
	if err != nil {
		return nil, err
	}
	lowest, err := c.number(fieldMinDecryption)
	if err != nil || lowest != nil && (*lowest == 0 || *lowest > math.MaxUint32) {
		return nil, fault.New(fault.Invalid, "%s: must be the number of a key version, from 1 on", fieldMinDecryption)
	}
	if present, _ := c.given(fieldAutoRotate); present {
		var period time.Duration
		assignSeconds(c, fieldAutoRotate, &period, 0)
		if err := c.Rewrap.SetAutoRotate(ctx, c.request(), id, period); err != nil {
			return nil, err
		}
	}
	if lowest != nil {
		if err := c.Rewrap.SetMinDecryption(ctx, c.request(), c.path.Workspace, id, uint32(*lowest), c.flag(fieldForce)); err != nil {
			return nil, err
		}
	}
	return answerKeys(c, id)
}

func trimKeys(ctx context.Context, c *call) (*logical.Response, error) {
	id, err := c.Tree.WorkspaceID(c.request(), c.path.Workspace)
	if err != nil {
		return nil, err
	}
	if err := c.Rewrap.Trim(ctx, c.request(), c.path.Workspace, id, c.flag(fieldForce)); err != nil {
		return nil, err
	}
	return answerKeys(c, id)
}

func rotateKeys(ctx context.Context, c *call) (*logical.Response, error) {
	id, err := c.Tree.WorkspaceID(c.request(), c.path.Workspace)
	if err != nil {
		return nil, err
	}
	if err := c.Rewrap.Rotate(ctx, c.request(), id); err != nil {
		return nil, err
	}
	return answerKeys(c, id)
}

func rewrapKeys(ctx context.Context, c *call) (*logical.Response, error) {
	id, err := c.Tree.WorkspaceID(c.request(), c.path.Workspace)
	if err != nil {
		return nil, err
	}
	if err := c.Rewrap.Rewrap(ctx, c.request(), id); err != nil {
		return nil, err
	}
	return answerKeys(c, id)
}

func answerKeys(c *call, id store.ID) (*logical.Response, error) {
	entry, ok := c.Keys.Entry(id)
	if !ok || entry.Damaged {
		return nil, keys.ErrDamaged()
	}
	rewrap := map[string]any{"state": "idle", "total": entry.Rewrap.Total, "done": entry.Rewrap.Done, "failed": entry.Rewrap.Failed}
	if entry.Rewrap.State != store.RewrapIdle {
		rewrap["state"] = string(entry.Rewrap.State)
		rewrap["target_version"] = int(entry.Rewrap.Target)
		rewrap["started_time"], rewrap[fieldUpdated] = stamp(entry.Rewrap.Started), stamp(entry.Rewrap.Updated)
		addPace(rewrap, entry.Rewrap)
	}
	next := ""
	if due := entry.Due(); !due.IsZero() {
		next = stamp(due)
	}
	return answer(map[string]any{
		fieldLatestVersion: int(entry.Latest),
		fieldMinDecryption: int(entry.MinDecryption),
		fieldVersions:      describeVersions(entry.Versions, entry.MinDecryption, entry.Latest),
		fieldAutoRotate:    int(entry.AutoRotate / time.Second),
		"next_rotation":    next,
		fieldRewrap:        rewrap,
	})
}

// addPace tells how fast a rewrap moves, from its start to its last step, and when it ends if it goes on so.
func addPace(to map[string]any, r store.Rewrap) {
	took, through := r.Updated.Sub(r.Started), r.Done+r.Failed
	if took <= 0 || through == 0 {
		return
	}
	to["rate"] = int(float64(through) / took.Seconds())
	if r.State == store.RewrapRunning {
		left := time.Duration(float64(took) / float64(through) * float64(max(0, r.Total-through)))
		to["eta"] = stamp(r.Updated.Add(left))
	}
}

const keysHelp = `
Every workspace has an encryption key of its own, in versions. A rotation adds one in constant time: what is written from then on
is sealed under it, and what is stored already is sealed again in the background, all versions of all secrets, without the
plaintext ever leaving the engine. The progress is stored: a restart goes on where it was.

    $ vault write -force stashbase/keys/acme/rotate
    $ vault read stashbase/keys/acme

When a rewrap is done, the older versions are of no more use: raise the minimum, and nothing sealed under them is accepted any
more; trim, and they are destroyed. Both are refused, with counts, while something stored still needs them.

    $ vault write stashbase/keys/acme min_decryption_version=2
    $ vault write -force stashbase/keys/acme/trim
    $ vault write stashbase/keys/acme auto_rotate_period=2160h

A rewrap that ended with failures names none of them here: the secrets in question answer an error when they are read. Start it
again with keys/<workspace>/rewrap when they are mended.
`
