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
	fieldIntegration   = "integration"
	fieldNameTemplate  = "name_template"
	fieldGranularity   = "granularity"
	fieldOnConflict    = "on_conflict"
	fieldDeletion      = "deletion"
	fieldTrigger       = "trigger"
	fieldPurge         = "purge"
	fieldPurging       = "purging"
	fieldWait          = "wait"
	fieldKeys          = "keys"
	fieldTarget        = "target"
	fieldHint          = "hint"
	fieldErrorClass    = "error_class"
	fieldAttempts      = "attempts"
	fieldNextAttempt   = "next_attempt_at"
	fieldLastRun       = "last_run_at"
	fieldLastSynced    = "last_synced_at"
	fieldOwned         = "owned"
	fieldTroubled      = "troubled"
	fieldNextActions   = "next_actions"
	fieldDestination   = "destination"
	fieldProvider      = "provider"
	fieldPlannedAction = "actions"
)

const syncInfo = "By name: state, error_class, hint, updated_time, last_synced_at, owned, troubled."

// syncPaths derive from what the destinations declare: nothing here knows one by name.
func (b *Backend) syncPaths() []*framework.Path {
	paths := []*framework.Path{
		{
			Pattern:         syncFamily + inWorkspace + "/?",
			DisplayAttrs:    display(),
			Fields:          pathFields(1, listFields()),
			HelpSynopsis:    "List the syncs of a workspace.",
			HelpDescription: syncHelp,
			Operations: operations{
				logical.ListOperation: operation(b.handle(listSyncs), "List the syncs of a workspace, as project/environment/destination/name.", "list", "syncs",
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
				logical.ListOperation: operation(b.handle(listSyncs), "List the syncs of an environment, as destination/name.", "list", "environment-syncs",
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

// syncAt is the pattern of a sync to a destination, and the fields of its segments.
func syncAt(d provider.Destination) (pattern string, segments fields) {
	named := fields{fieldName: &framework.FieldSchema{Type: framework.TypeString, Description: "Name of the sync.", Required: true}}
	return syncFamily + inEnvironment + "/" + d.Name + "/(?P<" + fieldName + ">[^/]+)", pathFields(3, named)
}

func (b *Backend) destinationPath(d provider.Destination, p provider.Declaration) *framework.Path {
	pattern, segments := syncAt(d)
	answers := response("The sync.", syncAnswers(d))
	suffix := d.Name + "-sync"
	maps.Copy(segments, definitionFields(d, p))
	segments[fieldPurge] = query(boolField("For a delete, and to be said: whether what the sync has written is deleted at the destination."))
	return &framework.Path{
		Pattern:         pattern,
		DisplayAttrs:    display(),
		Fields:          segments,
		ExistenceCheck:  b.existsNamed(func(c *call) bool { return c.Syncs.Exists(syncs.Path{Path: c.path, Destination: d.Name, Name: c.name}) }),
		HelpSynopsis:    "Create, read, change or delete a sync to " + d.Title + ".",
		HelpDescription: destinationHelp(d, p),
		Operations: operations{
			logical.ReadOperation:   operation(b.handleNamed(readSync(d)), "Read a sync.", "read", suffix, answers),
			logical.CreateOperation: changing(operation(b.handleNamed(putSync(d)), "Create a sync, which runs at once.", "create", suffix, answers)),
			logical.UpdateOperation: changing(operation(b.handleNamed(putSync(d)), "Change the fields given, keep the others.", "write", suffix, answers)),
			logical.PatchOperation:  changing(operation(b.handleNamed(putSync(d)), "Change the fields given; null resets one.", "patch", suffix, answers)),
			logical.DeleteOperation: changing(operation(b.handleNamed(deleteSync(d)), "Delete a sync, and with purge=true first what it has written.", "delete", suffix,
				response("What becomes of the sync.", fields{
					fieldName:    stringField("Name of the sync."),
					fieldOwned:   intField("Entries at the destination that were its own."),
					fieldPurging: boolField("Whether it goes only once those are deleted; status tells how far that is."),
				}))),
		},
	}
}

func fieldsOf(all ...fields) fields {
	merged := make(fields)
	for _, some := range all {
		maps.Copy(merged, some)
	}
	return merged
}

// definitionFields are all that a sync is written with.
func definitionFields(d provider.Destination, p provider.Declaration) fields {
	all := syncFields(d, p)
	for _, f := range d.Fields {
		all[f.Name] = providerSchema(f)
	}
	return all
}

func syncFields(d provider.Destination, p provider.Declaration) fields {
	granularity := stringField("How secrets become entries. key: an entry for each; bundle: one entry with a field for each.")
	granularity.Default = string(d.Granularities[0])
	for _, g := range d.Granularities {
		granularity.AllowedValues = append(granularity.AllowedValues, string(g))
	}
	choice := func(help string, values ...any) *framework.FieldSchema {
		f := stringField(help)
		f.Default, f.AllowedValues = values[0], values
		return f
	}
	return fields{
		fieldDescription:  stringField("What the sync is for, at most 512 bytes. Not encrypted by the workspace's keys."),
		fieldIntegration:  stringField("Name of the " + p.Title + " integration whose credential it uses; that has to allow the environment and the target. Required to create."),
		fieldInclude:      wordsField("Patterns of the names of secrets, such as DB_*, that are synced. Left out: all."),
		fieldExclude:      wordsField("Patterns of the names of secrets that are left out even so."),
		fieldTags:         wordsField("Tags, of which a secret must have one to be synced. Left out: any secret is."),
		fieldNameTemplate: stringField("How the name of an entry is made: text with {{ .Name }}, {{ .Project }}, {{ .Environment }}, {{ .Workspace }} in it, each through upper, lower, replace, truncate, trimPrefix, trimSuffix, camel, pascal, snake, screaming, kebab or dotnet. Left out: the secret's name."),
		fieldGranularity:  granularity,
		fieldOnConflict:   choice("What becomes of an entry that has the name of a secret and was not written by this sync. fail: it is reported and left alone; adopt: it is taken over if it has the value already; overwrite: it is written over.", "fail", "adopt", "overwrite"),
		fieldDeletion:     choice("What becomes of an entry of the sync whose secret is gone. managed: it is deleted; retain: it stays.", "managed", "retain"),
		fieldTrigger:      choice("When it runs. change: whenever the environment delivers something else; manual: when it is told to.", string(syncs.OnChange), string(syncs.Manual)),
	}
}

func syncAnswers(d provider.Destination) fields {
	all := fieldsOf(standingAnswers(), fields{
		fieldProject:      stringField("Name of the project."),
		fieldEnvironment:  stringField("Name of the environment."),
		fieldDestination:  stringField("Name of the destination."),
		fieldName:         stringField("Name of the sync."),
		fieldDescription:  stringField("What the sync is for."),
		fieldProvider:     stringField("Name of the provider."),
		fieldIntegration:  stringField("Name of the integration."),
		fieldTarget:       stringField("Where it writes, as allowed_targets of the integration name it."),
		fieldInclude:      list("Patterns of the names that are synced; empty: all."),
		fieldExclude:      list("Patterns of the names that are left out."),
		fieldTags:         list("Tags, of which a secret must have one; empty: any secret is synced."),
		fieldNameTemplate: stringField("How the name of an entry is made; empty: it is the secret's."),
		fieldGranularity:  stringField("How secrets become entries."),
		fieldOnConflict:   stringField("What becomes of an entry of others that is in the way."),
		fieldDeletion:     stringField("What becomes of an entry whose secret is gone."),
		fieldTrigger:      stringField("When it runs."),
		fieldPaused:       boolField("Whether it is paused."),
		fieldPurging:      boolField("Whether it is being deleted, with what it has written."),
		fieldCreated:      timeField("When it was created."),
		fieldUpdated:      timeField("When it was last changed."),
	})
	for _, f := range d.Fields {
		all[f.Name] = &framework.FieldSchema{Type: providerType(f.Type), Description: f.Help}
	}
	return all
}

func standingAnswers() fields {
	return fields{
		fieldState:       stringField("PENDING, PLANNING, RUNNING, SYNCED, PARTIAL, CONFLICT, BLOCKED, RETRYING, FAILED or PAUSED."),
		fieldErrorClass:  stringField("What the state is due to: auth, permission, not_found, rate_limited, invalid, limit, conflict, network, provider or internal; empty where nothing is wrong."),
		fieldHint:        stringField("Why it is so, and what can be done; empty where nothing is wrong."),
		fieldAttempts:    intField("How often in a row it has failed."),
		fieldNextAttempt: stringField("When it is tried again by itself, RFC 3339; empty: when something changes."),
		fieldLastRun:     stringField("When the last run ended, RFC 3339; empty for never."),
		fieldLastSynced:  stringField("When the last run ended that left everything as it should be, RFC 3339; empty for never."),
		fieldOwned:       intField("How many entries at the destination are its own."),
		fieldTroubled:    intField("How many entries are not as they should be."),
		fieldNextActions: list("Commands that may help."),
	}
}

func statusAnswers() fields {
	return fieldsOf(standingAnswers(), fields{
		fieldTarget:  stringField("Where it writes."),
		fieldPurging: boolField("Whether it is being deleted, with what it has written."),
		fieldKeys: {Type: framework.TypeSlice, Description: "The entries, those first that are not as they should be, the first 500 of them: name, secret, state (as above, REMOTE_MISSING or OWNERSHIP_LOST), " +
			"version (of the secret, as it was written last; 0: it was not), error_class, hint."},
	})
}

func planAnswers() fields {
	return fields{
		"blocked": stringField("Why nothing would be done; empty where it would."),
		fieldPlannedAction: {Type: framework.TypeSlice, Description: "By name: name, secret, version, action (create, update, delete, adopt, unchanged, retain, forget, conflict, invalid or over_limit), hint, " +
			"and takes_over for an update of what is not the sync's own yet."},
		"counts": object("How many entries there are of each action."),
	}
}
