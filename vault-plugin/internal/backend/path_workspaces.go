package backend

import (
	"context"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/workspaces"
)

func workspaceFields() fields {
	all := settingsFields()
	for _, f := range all {
		f.Description += " 0 or left out: the engine's config."
	}
	all[fieldCASRequired].Description = "Whether every write of a secret must carry `cas`; true in config holds for all workspaces."
	all[fieldDescription] = stringField("What the workspace is for, at most 512 bytes. Not encrypted by the workspace's keys.")
	all["metadata"] = object("Names and values of your own: at most 64, of 128 and 512 bytes. Not encrypted by the workspace's keys.")
	all[fieldPaused] = boolField("Whether nothing goes out on its behalf to providers.")
	all[fieldDeletionAllowed] = boolField("Whether the workspace may be deleted, which shreds everything in it.")
	return all
}

func (b *Backend) workspacePaths() []*framework.Path {
	answered := workspaceFields()
	for name, f := range (fields{
		fieldName:      stringField("Name of the workspace."),
		"id":           stringField("Id of this incarnation of the workspace; a workspace created again has another."),
		fieldCreated:   timeField("When it was created."),
		fieldUpdated:   timeField("When its settings were last changed."),
		fieldLocked:    boolField("Whether everything in it is refused."),
		"effective":    object("What holds in it: its own settings where it has any, else the engine's."),
		"projects":     intField("Number of projects."),
		"environments": intField("Number of environments."),
		"secrets":      intField("Number of secrets."),
	}) {
		answered[name] = f
	}
	answers := response("The workspace.", answered)
	return []*framework.Path{
		{
			Pattern:         "workspaces/?",
			DisplayAttrs:    display(),
			Fields:          listFields(),
			HelpSynopsis:    "List the workspaces.",
			HelpDescription: workspaceHelp,
			Operations: operations{
				logical.ListOperation: operation(b.handle(listWorkspaces), "List the workspaces.", "list", "workspaces",
					listResponse("The workspaces.", "By name: updated_time, locked, projects, environments, secrets.")),
			},
		},
		{
			Pattern:         "workspaces" + inWorkspace,
			DisplayAttrs:    display(),
			Fields:          pathFields(1, workspaceFields(), fields{fieldConfirm: query(stringField("For a delete: the name of the workspace again."))}),
			ExistenceCheck:  b.exists(func(c *call) bool { return c.Tree.Exists(c.path) }),
			HelpSynopsis:    "Create, read, change or shred a workspace: a tenant with encryption keys of its own.",
			HelpDescription: workspaceHelp,
			Operations: operations{
				logical.ReadOperation:   operation(b.handle(readWorkspace), "Read a workspace.", "read", "workspace", answers),
				logical.CreateOperation: changing(operation(b.handle(putWorkspace), "Create a workspace with keys of its own.", "create", "workspace", answers)),
				logical.UpdateOperation: changing(operation(b.handle(putWorkspace), "Change the fields given, keep the others.", "write", "workspace", answers)),
				logical.PatchOperation:  changing(operation(b.handle(putWorkspace), "Change the fields given; null resets one.", "patch", "workspace", answers)),
				logical.DeleteOperation: changing(operation(b.handle(deleteWorkspace), "Shred a workspace.", "delete", "workspace",
					response("What was destroyed.", fields{
						fieldName:      stringField("Name the workspace had."),
						"key_versions": intField("Number of key versions destroyed."),
						"projects":     intField("Number of projects that went with it."),
						"environments": intField("Number of environments that went with it."),
						"secrets":      intField("Number of secrets that went with it."),
					}))),
			},
		},
	}
}

func (b *Backend) lockPaths() []*framework.Path {
	of := func(verb, synopsis, summary string, locked bool) *framework.Path {
		return &framework.Path{
			Pattern:         "workspaces" + inWorkspace + "/" + verb,
			DisplayAttrs:    display(),
			Fields:          pathFields(1),
			HelpSynopsis:    synopsis,
			HelpDescription: lockHelp,
			Operations: operations{
				logical.UpdateOperation: changing(operation(b.handle(func(ctx context.Context, c *call) (*logical.Response, error) {
					w, err := c.Tree.SetLocked(ctx, c.request(), c.path.Workspace, locked)
					if err != nil {
						return nil, err
					}
					if locked {
						c.interrupt(ctx, w.ID)
					} else {
						c.Rewrap.Unlocked(w.ID)
					}
					return answer(map[string]any{fieldName: w.Name, fieldLocked: w.Locked})
				}), summary, verb, "workspace", response("Whether it is locked.", fields{
					fieldName:   stringField("Name of the workspace."),
					fieldLocked: boolField("Whether everything in it is refused."),
				}))),
			},
		}
	}
	return []*framework.Path{
		of("lock", "Lock a workspace.", "Refuse everything in a workspace and wipe its keys from memory.", true),
		of("unlock", "Unlock a workspace.", "Allow again what a lock refuses.", false),
	}
}

const lockHelp = `
While a workspace is locked, everything in it is refused, for everyone: reading, writing, keys. Its record can be read, and it can
be unlocked. Its keys are wiped from memory, and background work in it stops until then. A lock outlives restarts.

    $ vault write -force stashbase/workspaces/acme/lock
    $ vault write -force stashbase/workspaces/acme/unlock
`

// interruptWithin bounds how long a lock or a pause waits for calls to providers, which are ended.
const interruptWithin = 2 * time.Second

// interrupt ends what goes out on behalf of a workspace that was locked or paused.
func (c *call) interrupt(ctx context.Context, ws store.ID) {
	ctx, cancel := context.WithTimeout(ctx, interruptWithin)
	defer cancel()
	c.Integrations.Interrupt(ctx, ws)
}

func listWorkspaces(_ context.Context, c *call) (*logical.Response, error) {
	all := c.Tree.Workspaces()
	items := make([]item, len(all))
	for i, w := range all {
		items[i] = item{w.Name, map[string]any{
			fieldUpdated: stamp(w.Stamp.Updated), fieldLocked: w.Locked, "projects": w.Counts.Projects,
			"environments": w.Counts.Environments, "secrets": w.Counts.Secrets,
		}}
	}
	return answerList(c, items)
}

func readWorkspace(_ context.Context, c *call) (*logical.Response, error) {
	w, err := c.Tree.Workspace(c.path.Workspace)
	if err != nil {
		return nil, err
	}
	return answer(describeWorkspace(w))
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
	if w.Paused {
		c.interrupt(ctx, w.ID)
	}
	return answer(describeWorkspace(w))
}

// assignMetadata replaces the metadata; a patch changes single entries, and null removes one.
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
	return answer(map[string]any{
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
		fieldLocked: w.Locked, fieldDeletionAllowed: w.DeletionAllowed, fieldCreated: stamp(w.Stamp.Created), fieldUpdated: stamp(w.Stamp.Updated),
		"effective": describeSettings(w.Effective),
		"projects":  w.Counts.Projects, "environments": w.Counts.Environments, "secrets": w.Counts.Secrets,
	} {
		all[name] = value
	}
	return all
}

const workspaceHelp = `
A workspace is a tenant. Everything in it is sealed under keys that no other workspace shares, so what is stored for one is
worthless under another.

Deleting a workspace shreds it: its keys are destroyed at once, which makes everything in it unreadable for ever, and the
ciphertexts are swept in the background. It must be allowed first, and the name given again:

    $ vault write -force stashbase/workspaces/acme
    $ vault write stashbase/workspaces/acme deletion_allowed=true
    $ vault delete stashbase/workspaces/acme confirm=acme

Whoever holds an old snapshot of Vault's storage together with Vault's own keys can still read what the snapshot holds.
`
