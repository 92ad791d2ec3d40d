package backend

import (
	"context"
	"strconv"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/keys"
)

const (
	fieldLatestVersion = "latest_version"
	fieldVersions      = "versions"
	fieldRewrap        = "rewrap"
	fieldRewrapState   = "rewrap_state"
	fieldRewrapDone    = "rewrap_done"
	fieldRewrapTotal   = "rewrap_total"
)

func (b *Backend) masterKeyPaths() []*framework.Path {
	responses := response("The master key's versions, and the progress of the rewrap.", fields{
		fieldLatestVersion: intField("Version that wraps new workspace keys."),
		fieldVersions:      object("By version: `created_time` and `state` (active or decrypt-only)."),
		fieldRewrap: object("`state` (idle, running, failed or waiting), and numbers of workspaces: `total`, `done` (under the latest version), `failed`, " +
			"`waiting` (until their damaged or missing record is restored), and `locked` (until they are unlocked)."),
		fieldRewrapState: stringField("State of the rewrap: idle, running, failed or waiting."),
		fieldRewrapDone:  intField("Number of workspaces under the latest version."),
		fieldRewrapTotal: intField("Number of workspaces."),
	})
	return []*framework.Path{
		{
			Pattern:         "master-key",
			DisplayAttrs:    display(),
			HelpSynopsis:    "Read the versions of the master key and the progress of a rotation.",
			HelpDescription: masterKeyHelp,
			Operations: operations{
				logical.ReadOperation: operation(b.handle(readMasterKey), "Read the master key's versions.", "read", "master-key", responses),
			},
		},
		{
			Pattern:         "master-key/rotate",
			DisplayAttrs:    display(),
			HelpSynopsis:    "Rotate the master key.",
			HelpDescription: masterKeyHelp,
			Operations: operations{
				logical.UpdateOperation: changing(operation(b.handle(rotateMasterKey), "Add a master key version and start to wrap every workspace's keys under it.", "rotate", "master-key", responses)),
			},
		},
	}
}

func readMasterKey(_ context.Context, c *call) (*logical.Response, error) {
	return respond(describeMaster(c.Keys.MasterStatus()))
}

func rotateMasterKey(ctx context.Context, c *call) (*logical.Response, error) {
	if err := c.Keys.RotateMaster(ctx, c.request()); err != nil {
		return nil, err
	}
	return respond(describeMaster(c.Keys.MasterStatus()))
}

func describeMaster(m keys.MasterStatus) map[string]any {
	state := "idle"
	switch {
	case m.Running:
		state = "running"
	case m.Failed > 0:
		state = "failed"
	case m.Waiting+m.Locked > 0:
		state = "waiting"
	}
	return map[string]any{
		fieldLatestVersion: int(m.Latest),
		fieldVersions:      describeVersions(m.Versions, 0, m.Latest),
		fieldRewrap: map[string]any{
			"state": state, "total": m.Total, "done": m.Done, "failed": m.Failed, "waiting": m.Waiting, "locked": m.Locked,
		},
		fieldRewrapState: state, fieldRewrapDone: m.Done, fieldRewrapTotal: m.Total,
	}
}

func describeVersions(versions []keys.Version, lowest, latest uint32) map[string]any {
	all := make(map[string]any, len(versions))
	for _, v := range versions {
		all[strconv.FormatUint(uint64(v.Version), 10)] = describeKeyVersion(v, lowest, latest)
	}
	return all
}

func describeKeyVersion(v keys.Version, lowest, latest uint32) map[string]any {
	state := "decrypt-only"
	switch {
	case v.Version == latest:
		state = "active"
	case v.Version < lowest:
		state = "refused"
	}
	return map[string]any{fieldCreated: stamp(v.Created), "state": state}
}

const masterKeyHelp = `
The master key wraps only the keys of the workspaces, and never leaves Vault's barrier. After a
rotation, the engine wraps one small entry per workspace again, in the background. It does not touch
secrets. When no entry needs an older version any more, the engine destroys the older versions. Before
that, it checks that every entry opens under the latest version. The keys of a locked workspace are
wrapped again when it is unlocked.

    $ vault write -force stashbase/master-key/rotate
    $ vault read stashbase/master-key
`
