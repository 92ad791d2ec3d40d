package backend

import (
	"maps"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/syncs"
)

const (
	syncFamily         = "syncs"
	fieldIntegration   = provider.FieldIntegration
	fieldNameTemplate  = provider.FieldNameTemplate
	fieldGranularity   = provider.FieldGranularity
	fieldOnConflict    = provider.FieldOnConflict
	fieldDeletion      = provider.FieldDeletion
	fieldTrigger       = provider.FieldTrigger
	fieldPurge         = provider.FieldPurge
	fieldPurging       = provider.FieldPurging
	fieldWait          = provider.FieldWait
	fieldKeys          = provider.FieldKeys
	fieldTarget        = provider.FieldTarget
	fieldHint          = provider.FieldHint
	fieldErrorClass    = provider.FieldErrorClass
	fieldAttempts      = provider.FieldAttempts
	fieldNextAttempt   = provider.FieldNextAttempt
	fieldLastRun       = provider.FieldLastRun
	fieldLastSynced    = provider.FieldLastSynced
	fieldOwned         = provider.FieldOwned
	fieldTroubled      = provider.FieldTroubled
	fieldNextActions   = provider.FieldNextActions
	fieldDestination   = provider.FieldDestination
	fieldProvider      = provider.FieldProvider
	fieldPlannedAction = "actions"
)

const syncInfo = "By name: state, error_class, hint, updated_time, last_synced_at, owned, troubled."

// syncPaths returns the paths of syncs. They derive from the destinations' declarations, and this
// package knows no destination by name.
func (b *Backend) syncPaths() []*framework.Path {
	paths := []*framework.Path{
		{
			Pattern:         syncFamily + inWorkspace + "/?",
			DisplayAttrs:    display(),
			Fields:          pathFields(1, listFields()),
			HelpSynopsis:    "List the syncs of a workspace.",
			HelpDescription: syncHelp,
			Operations: operations{
				logical.ListOperation: operation(b.handle(listing(syncItems)), "List the syncs of a workspace, as project/environment/destination/name.", "list", "syncs",
					listResponse("The syncs.", syncInfo)),
			},
		},
		{
			Pattern:         syncFamily + inEnvironment + "/?",
			DisplayAttrs:    display(),
			Fields:          pathFields(3, listFields()),
			HelpSynopsis:    "List the syncs of an environment.",
			HelpDescription: syncHelp,
			Operations: operations{
				logical.ListOperation: operation(b.handle(listing(syncItems)), "List the syncs of an environment, as destination/name.", "list", "environment-syncs",
					listResponse("The syncs.", syncInfo)),
			},
		},
	}
	for _, name := range b.options.Providers.Destinations() {
		declared, p, _ := b.options.Providers.Destination(name)
		paths = append(paths, b.destinationPath(declared, p.Declare()))
		paths = append(paths, b.syncActionPaths(declared, p.Declare())...)
	}
	return paths
}

// syncAt returns the pattern of a sync to a destination, and the fields of its segments.
func syncAt(d provider.Destination, p provider.Declaration) (pattern string, segments fields) {
	return syncFamily + inEnvironment + "/" + d.Name + "/(?P<" + fieldName + ">[^/]+)", engineFields(provider.SyncFields(p, d), provider.InPath)
}

func (b *Backend) destinationPath(d provider.Destination, p provider.Declaration) *framework.Path {
	pattern, segments := syncAt(d, p)
	responses := response("The sync.", syncResults(d, p))
	suffix := d.Name + "-sync"
	maps.Copy(segments, definitionFields(d, p))
	segments[fieldPurge] = query(engineField(provider.SyncFields(p, d), provider.InAction, fieldPurge))
	return &framework.Path{
		Pattern:         pattern,
		DisplayAttrs:    display(),
		Fields:          segments,
		ExistenceCheck:  b.exists(func(c *call) bool { return c.Syncs.Exists(syncs.Path{Path: c.path, Destination: d.Name, Name: c.name}) }),
		HelpSynopsis:    "Create, read, change or delete a sync to " + d.Title + ".",
		HelpDescription: destinationHelp(d, p),
		Operations: operations{
			logical.ReadOperation:   operation(b.handle(readSync(d)), "Read a sync.", "read", suffix, responses),
			logical.CreateOperation: changing(operation(b.handle(putSync(d)), "Create a sync and start its first run.", "create", suffix, responses)),
			logical.UpdateOperation: changing(operation(b.handle(putSync(d)), "Change the given fields and keep the others.", "write", suffix, responses)),
			logical.PatchOperation:  changing(operation(b.handle(putSync(d)), "Change the given fields; null resets a field.", "patch", suffix, responses)),
			logical.DeleteOperation: deleting(operation(b.handle(deleteSync(d)), "Delete a sync. With purge=true, first delete the entries that it wrote.", "delete", suffix,
				response("The deleted sync.", fields{
					fieldName:    stringField("Name of the sync."),
					fieldOwned:   intField("Number of entries at the destination that the sync owned."),
					fieldPurging: boolField("Whether the sync is deleted only after its entries are deleted. status reports the progress."),
				}))),
		},
	}
}

// fieldsOf merges fields; a later schema replaces an earlier one of the same name.
func fieldsOf(all ...fields) fields {
	merged := make(fields)
	for _, some := range all {
		maps.Copy(merged, some)
	}
	return merged
}

// definitionFields returns the fields of a sync's definition: the engine's own and the
// destination's.
func definitionFields(d provider.Destination, p provider.Declaration) fields {
	all := engineFields(provider.SyncFields(p, d), provider.InWrite)
	for _, f := range d.Fields {
		all[f.Name] = providerSchema(f)
	}
	return all
}

// syncResults returns the fields that a read of a sync returns.
func syncResults(d provider.Destination, p provider.Declaration) fields {
	all := engineFields(provider.SyncFields(p, d), provider.InRead)
	for _, f := range d.Fields {
		all[f.Name] = &framework.FieldSchema{Type: providerType(f.Type), Description: f.Help}
	}
	return all
}

// planResults returns the fields of a plan.
func planResults() fields {
	return fields{
		"blocked": stringField("Why a run would change nothing. Empty if it would proceed."),
		fieldPlannedAction: {Type: framework.TypeSlice, Description: "List of entries by name: name, secret, version, action (create, update, delete, adopt, unchanged, retain, forget, conflict, invalid or over_limit), hint, " +
			"and takes_over, which is true if an update would replace an entry that the sync does not own yet."},
		"counts": object("Number of entries for each action."),
	}
}
