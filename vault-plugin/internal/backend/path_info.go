package backend

import (
	"context"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

func (b *Backend) infoPaths() []*framework.Path {
	return []*framework.Path{{
		Pattern:         "info",
		DisplayAttrs:    display(),
		HelpSynopsis:    "What runs here, how much it holds, and what is wrong with it.",
		HelpDescription: infoHelp,
		Operations: operations{
			logical.ReadOperation: operation(b.handle(b.readInfo), "Read version, counts and health.", "read", "info",
				response("Version, counts and health of the mount.", fields{
					"version":        stringField("Version of the plugin."),
					"schema_version": intField("Version of the storage layout."),
					"workspaces":     intField("Number of workspaces."),
					"projects":       intField("Number of projects."),
					"environments":   intField("Number of environments."),
					"secrets":        intField("Number of secrets, soft-deleted ones included."),
					"healthy":        boolField("Whether nothing is wrong."),
					"health":         list("What is wrong and what to do, a sentence each."),
				})),
		},
	}}
}

func (b *Backend) readInfo(_ context.Context, c *call) (*logical.Response, error) {
	counts, wrong := c.tree.Counts(), c.health()
	return answer(map[string]any{
		"version":        b.options.Version,
		"schema_version": store.SchemaVersion,
		"workspaces":     counts.Workspaces,
		"projects":       counts.Projects,
		"environments":   counts.Environments,
		"secrets":        counts.Secrets,
		"healthy":        len(wrong) == 0,
		"health":         append([]string{}, wrong...),
	})
}

const infoHelp = `
The counts come from memory. health names every stored record that could not be read, by its place in storage, and background
work that keeps failing; it is empty when all is well.
`
