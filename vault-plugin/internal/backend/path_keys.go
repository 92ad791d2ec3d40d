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
	responses := response("The workspace's key versions, and the progress of the rewrap.", fields{
		fieldLatestVersion: intField("Version that encrypts new data."),
		fieldMinDecryption: intField("Oldest version that can still decrypt."),
		fieldVersions:      object("By version: `created_time` and `state` (active, decrypt-only or refused)."),
		fieldAutoRotate:    durationField("Age of the latest version at which the key is rotated, in seconds; 0 means never."),
		"next_rotation":    stringField("When the key is rotated next, RFC 3339. Empty if no rotation is scheduled."),
		fieldRewrap: object("`state` (idle, running, done or failed), `target_version`, numbers of secrets as `total`, `done` and `failed`, " +
			"`started_time`, `updated_time`, `rate` in secrets per second, and `eta` while it runs."),
		fieldRewrapState: stringField("State of the rewrap: idle, running, done or failed."),
		fieldRewrapDone:  intField("Number of secrets that the rewrap has processed."),
		fieldRewrapTotal: intField("Number of secrets that the rewrap processes."),
	})
	return []*framework.Path{
		{
			Pattern:      "keys" + inWorkspace,
			DisplayAttrs: display(),
			Fields: pathFields(1, fields{
				fieldMinDecryption: intField("Oldest version that can still decrypt. It cannot be raised while stored data are encrypted under an older version."),
				fieldAutoRotate:    durationField("Age of the latest version at which the key is rotated: at least 24h, or 0 for never."),
				fieldForce:         boolField("Raise the minimum even if stored data need an older version, for example after a suspected exposure. These data cannot be read until the minimum is lowered again."),
			}),
			HelpSynopsis:    "Read the key versions of a workspace, their states, and the progress of a rewrap, or configure them.",
			HelpDescription: keysHelp,
			Operations: operations{
				logical.ReadOperation:   operation(b.handle(readKeys), "Read a workspace's key versions.", "read", "keys", responses),
				logical.UpdateOperation: changing(operation(b.handle(writeKeys), "Change the minimum version or the rotation period.", "configure", "keys", responses)),
			},
		},
		{
			Pattern:         "keys" + inWorkspace + "/trim",
			DisplayAttrs:    display(),
			Fields:          pathFields(1, fields{fieldForce: boolField("Destroy the versions even if stored data need them. These data are lost permanently.")}),
			HelpSynopsis:    "Destroy a workspace's key versions below the minimum.",
			HelpDescription: keysHelp,
			Operations: operations{
				logical.UpdateOperation: changing(operation(b.handle(trimKeys), "Destroy the key versions below the minimum.", "trim", "keys", responses)),
			},
		},
		{
			Pattern:         "keys" + inWorkspace + "/rotate",
			DisplayAttrs:    display(),
			Fields:          pathFields(1),
			HelpSynopsis:    "Rotate a workspace's key.",
			HelpDescription: keysHelp,
			Operations: operations{
				logical.UpdateOperation: changing(operation(b.handle(rotateKeys), "Add a key version and start a rewrap of all stored data.", "rotate", "keys", responses)),
			},
		},
		{
			Pattern:         "keys" + inWorkspace + "/rewrap",
			DisplayAttrs:    display(),
			Fields:          pathFields(1),
			HelpSynopsis:    "Encrypt all stored data of a workspace again under its latest key version.",
			HelpDescription: keysHelp,
			Operations: operations{
				logical.UpdateOperation: changing(operation(b.handle(rewrapKeys), "Start a rewrap, unless one is already running.", "rewrap", "keys", responses)),
			},
		},
	}
}

func readKeys(_ context.Context, c *call) (*logical.Response, error) {
	id, err := c.workspaceOfKeys()
	if err != nil {
		return nil, err
	}
	return respondKeys(c, id)
}

func writeKeys(ctx context.Context, c *call) (*logical.Response, error) {
	id, err := c.Tree.WorkspaceID(c.request(), c.path.Workspace)
	if err != nil {
		return nil, err
	}
	lowest, err := c.number(fieldMinDecryption)
	if err != nil || lowest != nil && (*lowest == 0 || *lowest > math.MaxUint32) {
		return nil, fault.New(fault.Invalid, "%s: must be the number of a key version, 1 or greater", fieldMinDecryption)
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
	return respondKeys(c, id)
}

func trimKeys(ctx context.Context, c *call) (*logical.Response, error) {
	id, err := c.Tree.WorkspaceID(c.request(), c.path.Workspace)
	if err != nil {
		return nil, err
	}
	if err := c.Rewrap.Trim(ctx, c.request(), c.path.Workspace, id, c.flag(fieldForce)); err != nil {
		return nil, err
	}
	return respondKeys(c, id)
}

func rotateKeys(ctx context.Context, c *call) (*logical.Response, error) {
	id, err := c.Tree.WorkspaceID(c.request(), c.path.Workspace)
	if err != nil {
		return nil, err
	}
	if err := c.Rewrap.Rotate(ctx, c.request(), id); err != nil {
		return nil, err
	}
	return respondKeys(c, id)
}

func rewrapKeys(ctx context.Context, c *call) (*logical.Response, error) {
	id, err := c.Tree.WorkspaceID(c.request(), c.path.Workspace)
	if err != nil {
		return nil, err
	}
	if err := c.Rewrap.Rewrap(ctx, c.request(), id); err != nil {
		return nil, err
	}
	return respondKeys(c, id)
}

func respondKeys(c *call, id store.ID) (*logical.Response, error) {
	entry, ok := c.Keys.Entry(id)
	if !ok || entry.Damaged {
		return nil, keys.ErrDamaged(id)
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
	return respond(map[string]any{
		fieldLatestVersion: int(entry.Latest),
		fieldMinDecryption: int(entry.MinDecryption),
		fieldVersions:      describeVersions(entry.Versions, entry.MinDecryption, entry.Latest),
		fieldAutoRotate:    int(entry.AutoRotate / time.Second),
		"next_rotation":    next,
		fieldRewrap:        rewrap,
		fieldRewrapState:   rewrap["state"], fieldRewrapDone: entry.Rewrap.Done, fieldRewrapTotal: entry.Rewrap.Total,
	})
}

// addPace adds the average rate of a rewrap, from its start to its last step. For a running rewrap
// it also adds the time at which the rewrap ends at this rate.
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
Every workspace has its own encryption key, which has versions. A rotation adds a version in constant
time. New data are encrypted under the new version. A rewrap in the background encrypts all stored
data again under it, including all versions of all secrets. The plaintext does not leave the engine.
After a restart of Vault, the rewrap continues from its stored progress.

    $ vault write -force stashbase/keys/acme/rotate
    $ vault read stashbase/keys/acme

When a rewrap is done, the older versions are no longer needed. Raise the minimum to stop decryption
under older versions, and trim to destroy these versions. Both fail while stored data still need the
versions; the error contains the counts.

    $ vault write stashbase/keys/acme min_decryption_version=2
    $ vault write -force stashbase/keys/acme/trim
    $ vault write stashbase/keys/acme auto_rotate_period=2160h

The state does not list the secrets that a rewrap could not process. A read of such a secret returns
an error. After the secrets are repaired, start the rewrap again with keys/<workspace>/rewrap.
`
