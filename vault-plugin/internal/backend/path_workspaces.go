package backend

import (
	"context"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/workspaces"
)

const workspaceInfo = "By name: updated_time, locked, projects, environments, secrets."

func workspaceFields() fields {
	all := settingsFields()
	for _, f := range all {
		f.Description += " If 0 or absent, the value in the engine's config applies."
	}
	all[fieldCASRequired].Description = "Whether every write of a secret must include `cas`. If true in config, it applies to all workspaces."
	all[fieldDescription] = stringField("What the workspace is for, at most 512 bytes. Not encrypted by the workspace's keys.")
	all["metadata"] = object("Your own names and values: at most 64; names up to 128 bytes, values up to 512 bytes. Not encrypted by the workspace's keys.")
	all[fieldPaused] = boolField("Whether requests to providers are stopped for this workspace.")
	all[fieldDeletionAllowed] = boolField("Whether the workspace may be deleted. A delete makes everything in it permanently unreadable.")
	return all
}

func (b *Backend) workspacePaths() []*framework.Path {
	returned := workspaceFields()
	for name, f := range (fields{
		fieldName:      stringField("Name of the workspace."),
		"id":           stringField("Id of the workspace. A workspace that is deleted and created again gets a new id."),
		fieldCreated:   timeField("When it was created."),
		fieldUpdated:   timeField("When its settings were last changed."),
		fieldLocked:    boolField("Whether the workspace is locked."),
		"lock_reason":  stringField("The reason that was given with the lock."),
		"effective":    object("The settings that apply: the workspace's own, and the engine's where it has none."),
		"projects":     intField("Number of projects."),
		"environments": intField("Number of environments."),
		"secrets":      intField("Number of secrets."),
	}) {
		returned[name] = f
	}
	responses := response("The workspace.", returned)
	return []*framework.Path{
		{
			Pattern:         "workspaces/?",
			DisplayAttrs:    display(),
			Fields:          listFields(),
			HelpSynopsis:    "List the workspaces.",
			HelpDescription: workspaceHelp,
			Operations: operations{
				logical.ListOperation: operation(b.handle(listing(workspaceItems)), "List the workspaces.", "list", "workspaces",
					listResponse("The workspaces.", workspaceInfo)),
			},
		},
		{
			Pattern:         "workspaces" + inWorkspace,
			DisplayAttrs:    display(),
			Fields:          pathFields(1, workspaceFields(), fields{fieldConfirm: query(stringField("Name of the workspace, to confirm its deletion. Required by a delete."))}),
			ExistenceCheck:  b.exists(func(c *call) bool { return c.Tree.Exists(c.path) }),
			HelpSynopsis:    "Create, read, change or shred a workspace: a tenant with its own encryption keys.",
			HelpDescription: workspaceHelp,
			Operations: operations{
				logical.ReadOperation:   operation(b.handle(readWorkspace), "Read a workspace.", "read", "workspace", responses),
				logical.CreateOperation: changing(operation(b.handle(putWorkspace), "Create a workspace and its keys.", "create", "workspace", responses)),
				logical.UpdateOperation: changing(operation(b.handle(putWorkspace), "Change the given fields and keep the others.", "write", "workspace", responses)),
				logical.PatchOperation:  changing(operation(b.handle(putWorkspace), "Change the given fields; null resets a field.", "patch", "workspace", responses)),
				logical.DeleteOperation: deleting(operation(b.handle(deleteWorkspace), "Delete a workspace and destroy its keys.", "delete", "workspace",
					response("What was deleted.", fields{
						fieldName:      stringField("Name of the workspace."),
						"key_versions": intField("Number of key versions destroyed."),
						"projects":     intField("Number of projects that were deleted with it."),
						"environments": intField("Number of environments that were deleted with it."),
						"secrets":      intField("Number of secrets that were deleted with it."),
					}))),
			},
		},
	}
}

// lock is the verb of a path that locks or unlocks a workspace.
type lock struct {
	verb, synopsis, summary string
	fields                  fields
	handler                 handler
}

func (b *Backend) lockPaths() []*framework.Path {
	reason := stringField("Why the workspace is locked, in one line of at most 256 bytes. Every refusal contains it, so it must not be confidential.")
	var paths []*framework.Path
	for _, l := range []lock{
		{"lock", "Lock a workspace.", "Reject every request in a workspace and wipe its keys from memory.", fields{"reason": reason}, lockWorkspace},
		{"unlock", "Unlock a workspace.", "Allow requests in a workspace again.", nil, unlockWorkspace},
	} {
		paths = append(paths, &framework.Path{
			Pattern:         "workspaces" + inWorkspace + "/" + l.verb,
			DisplayAttrs:    display(),
			Fields:          pathFields(1, l.fields),
			HelpSynopsis:    l.synopsis,
			HelpDescription: lockHelp,
			Operations: operations{
				logical.UpdateOperation: changing(operation(b.handle(l.handler), l.summary, l.verb, "workspace", response("The lock of the workspace.", fields{
					fieldName:     stringField("Name of the workspace."),
					fieldLocked:   boolField("Whether the workspace is locked."),
					"lock_reason": stringField("The reason that was given with the lock."),
				}))),
			},
		})
	}
	return paths
}

func lockWorkspace(ctx context.Context, c *call) (*logical.Response, error) {
	w, err := c.Tree.Lock(ctx, c.request(), c.path.Workspace, given[string](c, "reason"))
	if err != nil {
		return nil, err
	}
	resp, err := respond(describeLock(w))
	c.interrupt(ctx, w.ID, resp)
	return resp, err
}

func unlockWorkspace(ctx context.Context, c *call) (*logical.Response, error) {
	w, err := c.Tree.Unlock(ctx, c.request(), c.path.Workspace)
	if err != nil {
		return nil, err
	}
	c.Rewrap.Unlocked(w.ID)
	return respond(describeLock(w))
}

func describeLock(w workspaces.Workspace) map[string]any {
	return map[string]any{fieldName: w.Name, fieldLocked: w.Locked, "lock_reason": w.LockReason}
}

const lockHelp = `
While a workspace is locked, the engine rejects every request in it, from every caller. This includes
reads, writes and key operations. Only the settings of the workspace can be read, and the workspace
can be unlocked. Every refusal contains the reason of the lock.

    $ vault write stashbase/workspaces/acme/lock reason="an incident is being investigated"
    $ vault write -force stashbase/workspaces/acme/unlock

When a lock returns, no operation in the workspace is running. The workspace's keys are not in memory,
and the engine does not unwrap them until the workspace is unlocked. It delivers nothing that was read
before. A rotation of the master key waits for the unlock before it wraps the keys of the workspace
again. A lock persists across restarts.

To lock a locked workspace again replaces the reason, if one is given.
`

// interruptWithin limits how long a lock or a pause waits for the end of canceled provider calls.
const interruptWithin = 2 * time.Second

// interrupt cancels the provider calls of a workspace that was locked or paused. It adds a warning
// to the response if they have not ended in time.
func (c *call) interrupt(ctx context.Context, ws store.ID, resp *logical.Response) {
	ctx, cancel := context.WithTimeout(ctx, interruptWithin)
	defer cancel()
	if !c.Integrations.Interrupt(ctx, ws) {
		resp.AddWarning("requests to providers were canceled, but have not ended yet; they may still have an effect at the provider")
	}
}

func workspaceItems(_ context.Context, c *call) ([]item, error) {
	all := c.Tree.Workspaces()
	items := make([]item, len(all))
	for i, w := range all {
		items[i] = item{w.Name, map[string]any{
			fieldUpdated: stamp(w.Stamp.Updated), fieldLocked: w.Locked, "projects": w.Counts.Projects,
			"environments": w.Counts.Environments, "secrets": w.Counts.Secrets,
		}}
	}
	return items, nil
}

func readWorkspace(_ context.Context, c *call) (*logical.Response, error) {
	w, err := c.Tree.Workspace(c.path.Workspace)
	if err != nil {
		return nil, err
	}
	return respond(describeWorkspace(w))
}

func putWorkspace(ctx context.Context, c *call) (*logical.Response, error) {
	mustExist := c.req.Operation == logical.PatchOperation
	w, err := c.Tree.PutWorkspace(ctx, c.request(), c.path.Workspace, mustExist, func(record *store.Workspace) {
		assign(c, fieldDescription, &record.Description, "")
		assign(c, fieldDeletionAllowed, &record.DeletionAllowed, false)
		assign(c, fieldPaused, &record.Paused, false)
		assignSettings(c, &record.Settings, store.Settings{})
		assignMetadata(c, "metadata", &record.Metadata)
	})
	if err != nil {
		return nil, err
	}
	resp, err := respond(describeWorkspace(w))
	if w.Paused {
		c.interrupt(ctx, w.ID, resp)
	}
	return resp, err
}

// assignMetadata replaces the metadata. A patch changes only the given entries; null removes an
// entry.
func assignMetadata(c *call, field string, to *map[string]string) {
	present, null := c.given(field)
	if !present {
		return
	}
	next := make(map[string]string)
	if c.req.Operation == logical.PatchOperation && !null {
		for k, v := range *to {
			next[k] = v
		}
	}
	raw, _ := c.req.Data[field].(map[string]any)
	for k, v := range raw {
		if s, ok := v.(string); ok {
			next[k] = s
		} else {
			delete(next, k)
		}
	}
	*to = next
}

func deleteWorkspace(ctx context.Context, c *call) (*logical.Response, error) {
	receipt, err := c.Tree.DeleteWorkspace(ctx, c.request(), c.path.Workspace, c.text(fieldConfirm), c.keyVersions)
	if err != nil {
		return nil, err
	}
	c.Integrations.Forget()
	return respond(map[string]any{
		fieldName: c.path.Workspace, "key_versions": receipt.KeyVersions,
		"projects": receipt.Projects, "environments": receipt.Environments, "secrets": receipt.Secrets,
	})
}

func (c *call) keyVersions(ws store.ID) int {
	entry, _ := c.Keys.Entry(ws)
	return len(entry.Versions)
}

func describeWorkspace(w workspaces.Workspace) map[string]any {
	all := describeSettings(w.Settings)
	all[fieldPaused] = w.Paused
	for name, value := range map[string]any{
		fieldName: w.Name, "id": string(w.ID), fieldDescription: w.Description, "metadata": stringMap(w.Metadata),
		fieldLocked: w.Locked, "lock_reason": w.LockReason, fieldDeletionAllowed: w.DeletionAllowed, fieldCreated: stamp(w.Stamp.Created), fieldUpdated: stamp(w.Stamp.Updated),
		"effective": describeSettings(w.Effective),
		"projects":  w.Counts.Projects, "environments": w.Counts.Environments, "secrets": w.Counts.Secrets,
	} {
		all[name] = value
	}
	return all
}

const workspaceHelp = `
A workspace is a tenant. Its data are encrypted under keys that no other workspace has. Data of one
workspace cannot be decrypted under another one.

A delete shreds the workspace: it destroys the keys immediately, which makes all data of the workspace
permanently unreadable. The engine then removes the ciphertexts in the background. A delete requires
deletion_allowed=true and the name of the workspace as confirmation:

    $ vault write -force stashbase/workspaces/acme
    $ vault write stashbase/workspaces/acme deletion_allowed=true
    $ vault delete stashbase/workspaces/acme confirm=acme

An old snapshot of Vault's storage still contains the wrapped keys. Somebody who has such a snapshot and
Vault's own keys can read the data in it.
`
