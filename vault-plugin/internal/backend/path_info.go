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
		HelpSynopsis:    "Version, counts and health of the mount.",
		HelpDescription: infoHelp,
		Operations: operations{
			logical.ReadOperation: operation(b.handle(b.readInfo), "Read version, counts and health.", "read", "info",
				response("Version, counts and health of the mount.", fields{
					"version":         stringField("Version of the plugin."),
					"schema_version":  intField("Version of the storage layout."),
					"workspaces":      intField("Number of workspaces."),
					"projects":        intField("Number of projects."),
					"environments":    intField("Number of environments."),
					"secrets":         intField("Number of secrets, including soft-deleted ones."),
					"integrations":    intField("Number of integrations."),
					"syncs":           intField("Number of syncs."),
					"attention":       intField("Number of syncs and integrations that need a person, in all workspaces. It does not affect healthy."),
					"attention_first": list("One sentence for each of the first 100 of them: its path and state. Syncs come first, and the most urgent states first."),
					"providers":       object("Available providers by name: title, auth methods, and destinations with their capabilities."),
					"healthy":         boolField("Whether health is empty."),
					"health":          list("One sentence for each problem: what is wrong and what to do."),
				})),
		},
	}}
}

func (b *Backend) readInfo(_ context.Context, c *call) (*logical.Response, error) {
	counts, wrong, attention := c.Tree.Counts(), c.Health(), c.Attention()
	return respond(map[string]any{
		"version":         b.options.Version,
		"schema_version":  store.SchemaVersion,
		"workspaces":      counts.Workspaces,
		"projects":        counts.Projects,
		"environments":    counts.Environments,
		"secrets":         counts.Secrets,
		"integrations":    c.Integrations.Total(),
		"syncs":           c.Syncs.Total(),
		"attention":       len(attention),
		"attention_first": append([]string{}, attention[:min(len(attention), maxAttention)]...),
		"providers":       b.describeProviders(),
		"healthy":         len(wrong) == 0,
		"health":          append([]string{}, wrong...),
	})
}

// describeProviders returns the available providers, and the capabilities of their destinations.
func (b *Backend) describeProviders() map[string]any {
	all := make(map[string]any)
	for _, name := range b.options.Providers.Names() {
		d := b.options.Providers.Provider(name).Declare()
		var kinds []string
		for _, kind := range d.Auth {
			kinds = append(kinds, kind.Name)
		}
		destinations := make(map[string]any, len(d.Destinations))
		for _, dest := range d.Destinations {
			granularities := make([]string, len(dest.Granularities))
			for i, g := range dest.Granularities {
				granularities[i] = string(g)
			}
			destinations[dest.Name] = map[string]any{
				"title": dest.Title, "granularities": granularities, "read_back": string(dest.ReadBack), "compares": dest.Compares, "batch": dest.Batch,
				"max_entries": dest.Limits.MaxEntries, "max_value_bytes": dest.Limits.MaxValueBytes, "max_name_bytes": dest.Limits.MaxNameBytes,
				"name_rule": dest.Limits.NameRule, "reserved_prefixes": append([]string{}, dest.Limits.Reserved...),
			}
		}
		all[name] = map[string]any{"title": d.Title, "auth": kinds, "destinations": destinations}
	}
	return all
}

// maxAttention bounds the syncs and integrations that info names.
const maxAttention = 100

const infoHelp = `
The counts come from memory. health lists each stored record that cannot be read, with its storage
path, and background work that fails repeatedly. It is empty if there is no problem.

attention counts the syncs and integrations of all workspaces that need a person. healthy does not
depend on them, so a tenant's destination cannot fail the monitoring of the engine.
status/<workspace> describes them.
`
