package provider

import (
	"errors"
	"slices"

	"github.com/stashbase/vault-stashbase/shared/names"
)

// The names of the engine's own fields of a sync, beside those that an integration has too.
const (
	FieldProject      = "project"
	FieldEnvironment  = "environment"
	FieldDestination  = "destination"
	FieldIntegration  = "integration"
	FieldInclude      = "include"
	FieldExclude      = "exclude"
	FieldTags         = "tags"
	FieldNameTemplate = "name_template"
	FieldGranularity  = "granularity"
	FieldOnConflict   = "on_conflict"
	FieldDeletion     = "deletion"
	FieldTrigger      = "trigger"
	FieldTarget       = "target"
	FieldPaused       = "paused"
	FieldPurging      = "purging"
	FieldErrorClass   = "error_class"
	FieldAttempts     = "attempts"
	FieldNextAttempt  = "next_attempt_at"
	FieldLastRun      = "last_run_at"
	FieldLastSynced   = "last_synced_at"
	FieldOwned        = "owned"
	FieldTroubled     = "troubled"
	FieldNextActions  = "next_actions"
	FieldKeys         = "keys"
	FieldPurge        = "purge"
	FieldWait         = "wait"
)

// The values of on_conflict, deletion and trigger. The first of each is the default.
const (
	ConflictFail      = "fail"
	ConflictAdopt     = "adopt"
	ConflictOverwrite = "overwrite"

	DeletionManaged = "managed"
	DeletionRetain  = "retain"

	TriggerChange = "change"
	TriggerManual = "manual"
)

// SyncFields lists the engine's own fields of a sync to destination d of provider p.
func SyncFields(p Declaration, d Destination) []EngineField {
	return slices.Concat([]EngineField{
		{Where: InPath, Field: Field{Name: FieldWorkspace, Help: "Name of the workspace."}},
		{Where: InPath | InRead, Field: Field{Name: FieldProject, Help: "Name of the project in the workspace."}},
		{Where: InPath | InRead, Field: Field{Name: FieldEnvironment, Help: "Name of the environment in the project."}},
		{Where: InRead, Field: Field{Name: FieldDestination, Help: "Name of the destination."}},
		{Where: InPath | InRead, Field: Field{Name: FieldName, Help: "Name of the sync."}},
		{Where: InRead, Field: Field{Name: FieldProvider, Help: "Name of the provider."}},
	}, syncSettings(p, d), syncResults(), SyncStatusFields(), []EngineField{
		{Where: InAction, Field: Field{Name: FieldKeys, Type: Words, Help: "Names of the entries at the destination, as status reports them."}},
		{Where: InAction, Field: Field{Name: FieldPurge, Type: Flag, Help: "Required by a delete: " +
			"true first deletes the entries this sync wrote, false keeps them."}},
		{Where: InAction, Field: Field{Name: FieldWait, Type: Seconds, Help: "How long to wait for the run, at most 10s. If absent, do not wait."}},
	}, reserved("transform", "drift", "drift_interval", "acknowledge_restore", "actions"))
}

// syncSettings are the fields of a sync's definition.
func syncSettings(p Declaration, d Destination) []EngineField {
	granularity := Field{Name: FieldGranularity, Default: string(d.Granularities[0]), Help: "How secrets become entries."}
	for _, g := range d.Granularities {
		granularity.Choices = append(granularity.Choices, string(g))
		granularity.Help += " `" + string(g) + "`: " + map[Granularity]string{
			Key: "one entry for each secret.", Bundle: "one entry with a field for each secret.",
		}[g]
	}
	all := []EngineField{
		{Field: description("sync")},
		{Field: Field{Name: FieldIntegration, Required: true, Check: checkIntegration, Help: "Name of the " + p.Title + " integration whose credential the sync uses. " +
			"The integration must allow the environment and the target."}},
		{Field: Field{Name: FieldInclude, Type: Words, Help: "Patterns of the names of the secrets to sync, such as `DB_*`; at most 64, each of at most 256 bytes. Empty means all secrets."}},
		{Field: Field{Name: FieldExclude, Type: Words, Help: "Patterns of the names of secrets to leave out, even if include matches them; at most 64, each of at most 256 bytes."}},
		{Field: Field{Name: FieldTags, Type: Words, Help: "Sync only secrets that have at least one of these tags; at most 64, each of at most 256 bytes. Empty means all secrets."}},
		{Field: Field{Name: FieldNameTemplate, Help: "Template of an entry's name at the destination, such as `{{ .Name | lower }}`. " +
			"Variables: .Name, .Project, .Environment and .Workspace. Functions: upper, lower, replace, truncate, trimPrefix, trimSuffix, " +
			"camel, pascal, snake, screaming, kebab and dotnet. Empty means the secret's name."}},
		{Replaces: true, Field: granularity},
		{Field: Field{Name: FieldOnConflict, Default: ConflictFail, Choices: []string{ConflictFail, ConflictAdopt, ConflictOverwrite},
			Help: "What to do with an entry that has the name of a secret and was not written by this sync. `fail`: report it and leave it " +
				"unchanged; `adopt`: take it over if it already has the secret's value; `overwrite`: replace its value, and what others have added to it."}},
		{Field: Field{Name: FieldDeletion, Default: DeletionManaged, Choices: []string{DeletionManaged, DeletionRetain},
			Help: "What to do with an entry of the sync when its secret is no longer synced. `managed`: delete it; `retain`: keep it."}},
		{Field: Field{Name: FieldTrigger, Default: TriggerChange, Choices: []string{TriggerChange, TriggerManual},
			Help: "When the sync runs. `change`: whenever the environment's secrets change; `manual`: only on request."}},
	}
	for i := range all {
		all[i].Where = InWrite | InRead | InTerraform
	}
	return all
}

// checkIntegration returns an error unless value is a valid name of an integration.
func checkIntegration(value any) error {
	if name, ok := value.(string); !ok || names.Object.Check(name) != nil {
		return errors.New("must be the name of an integration: " + names.Rule)
	}
	return nil
}

// syncResults are the fields that the engine sets and that only a read returns.
func syncResults() []EngineField {
	return []EngineField{
		{Where: InRead, Field: Field{Name: FieldPaused, Type: Flag, Help: "Whether the sync is paused."}},
		{Where: InRead, Field: Field{Name: FieldCreated, Type: Moment, Help: "When the sync was created."}},
		{Where: InRead, Field: Field{Name: FieldUpdated, Type: Moment, Help: "When the sync was last changed."}},
	}
}

// SyncStatusFields lists what the status of a sync returns. A read of a sync returns the same
// fields, except for the entries.
func SyncStatusFields() []EngineField {
	const state = InRead | InStatus | InTerraform
	hint := Field{Name: FieldHint, Help: "Why the state is not `SYNCED` and what to do. Empty if nothing is wrong."}
	class := Field{Name: FieldErrorClass, Help: "Class of the failure that caused the state: `auth`, `permission`, `not_found`, `rate_limited`, " +
		"`invalid`, `limit`, `conflict`, `network`, `provider` or `internal`. Empty if nothing is wrong."}
	return []EngineField{
		{Where: state, Field: Field{Name: FieldTarget, Help: "Where the sync writes, in the form that the integration's allowed_targets match."}},
		{Where: InRead | InStatus, Field: Field{Name: FieldPurging, Type: Flag, Help: "Whether the sync is being deleted together with the entries it wrote."}},
		{Where: state, Field: Field{Name: FieldState, Help: "`SYNCED` if every entry is as it should be; otherwise `PENDING`, `PLANNING`, `RUNNING`, " +
			"`PARTIAL`, `CONFLICT`, `BLOCKED`, `RETRYING`, `FAILED` or `PAUSED`."}},
		{Where: state, Field: class},
		{Where: state, Field: hint},
		{Where: state, Field: Field{Name: FieldAttempts, Type: Whole, Help: "Number of failed runs in a row."}},
		{Where: state, Field: Field{Name: FieldNextAttempt, Help: "When the engine retries by itself, RFC 3339. Empty if it waits for a change."}},
		{Where: state, Field: Field{Name: FieldLastRun, Help: "When the last run ended, RFC 3339; empty if never."}},
		{Where: state, Field: Field{Name: FieldLastSynced, Help: "When the last run ended that left every entry as it should be, RFC 3339; empty if never."}},
		{Where: state, Field: Field{Name: FieldOwned, Type: Whole, Help: "Number of entries at the destination that the sync owns."}},
		{Where: state, Field: Field{Name: FieldTroubled, Type: Whole, Help: "Number of entries that are not as they should be."}},
		{Where: state, Field: Field{Name: FieldNextActions, Type: Words, Help: "Commands that may help."}},
		{
			Where: InStatus | InTerraform,
			Field: Field{Name: FieldKeys, Type: Objects, Help: "The first 500 entries. Those that are not as they should be come first."},
			Items: []Field{
				{Name: FieldName, Help: "Name at the destination."},
				{Name: "secret", Help: "Name of the secret."},
				{Name: FieldState, Help: "A state of a sync, `REMOTE_MISSING` or `OWNERSHIP_LOST`."},
				{Name: "version", Type: Whole, Help: "Version of the secret that was last written; 0 if none was."},
				{Name: FieldErrorClass, Help: "Class of the failure that caused the state. Empty if nothing is wrong."},
				{Name: FieldHint, Help: "Why the entry is in its state and what to do. Empty if nothing is wrong."},
			},
		},
	}
}
