package provider

import (
	"slices"
	"strings"
)

// EngineField is a field that every integration or every sync has, whatever its provider. The paths
// of the engine, the schemas of the Terraform provider and the names that a provider's fields must
// not have derive from these declarations.
type EngineField struct {
	Field
	Where Where
	// Optional says that a read leaves the field out when it has no value.
	Optional bool
	// Replaces says that a sync refuses to change the field while it owns entries. Terraform
	// replaces the sync.
	Replaces bool
	// Items are the fields of each element of an Objects.
	Items []Field
}

// In reports whether the field occurs at one of the given places.
func (f EngineField) In(where Where) bool { return f.Where&where != 0 }

// Where lists the places at which an EngineField occurs. The zero value reserves the name for
// later.
type Where uint

// The places at which an EngineField occurs.
const (
	InPath      Where = 1 << iota // a parameter of the path
	InWrite                       // a write takes it
	InRead                        // a read returns it
	InStatus                      // the status of a sync returns it
	InAction                      // a delete or an action takes it
	InTerraform                   // the Terraform provider has an attribute for it
)

// The types that only an EngineField has.
const (
	Moment  Type = Words + 1 + iota // a time, RFC 3339 in UTC; never empty
	Seconds                         // a duration
	Object                          // names and values
	Objects                         // a list of objects with the fields in Items
)

// The names of the engine's own fields of an integration.
const (
	FieldWorkspace           = "workspace"
	FieldProvider            = "provider"
	FieldName                = "name"
	FieldDescription         = "description"
	FieldAuth                = "auth"
	FieldAllowedEnvironments = "allowed_environments"
	FieldAllowedTargets      = "allowed_targets"
	FieldState               = "state"
	FieldHint                = "hint"
	FieldGeneration          = "generation"
	FieldFingerprint         = "fingerprint"
	FieldCredentialTime      = "credential_time"
	FieldExpires             = "expires_time"
	FieldCreated             = "created_time"
	FieldUpdated             = "updated_time"
	FieldLastUsed            = "last_used_time"
	FieldLastError           = "last_error"
	FieldSyncs               = "syncs"
)

// IntegrationFields lists the engine's own fields of an integration of provider d.
func IntegrationFields(d Declaration) []EngineField {
	const settings = InWrite | InRead | InTerraform
	auth := Field{Name: FieldAuth, Help: "Authentication method."}
	for _, kind := range d.Auth {
		auth.Help += " `" + kind.Name + "`: " + kind.Help
		auth.Choices = append(auth.Choices, kind.Name)
	}
	auth.Default = auth.Choices[0]
	return slices.Concat([]EngineField{
		{Where: InPath, Field: Field{Name: FieldWorkspace, Help: "Name of the workspace."}},
		{Where: InRead, Field: Field{Name: FieldProvider, Help: "Name of the provider."}},
		{Where: InPath | InRead, Field: Field{Name: FieldName, Help: "Name of the integration."}},
		{Where: settings, Field: description("integration")},
		{Where: settings, Field: auth},
		{Where: settings, Field: Field{Name: FieldAllowedEnvironments, Type: Words, Help: "Patterns `project/environment` of the " +
			"environments whose secrets the integration may send; at most 64, each of at most 256 bytes. `*` alone matches all. Empty allows none."}},
		{Where: settings, Field: Field{Name: FieldAllowedTargets, Type: Words, Help: "Patterns of the targets the integration may write " +
			"to, in the form in which a sync reports its target; at most 64, each of at most 256 bytes. `*` matches within one segment; alone it matches every target. Empty allows none."}},
	}, integrationResults(), reserved("role", "rotation_period", "rotation_schedule", "rotation_window", "publish"))
}

// integrationResults are the fields that the engine sets.
func integrationResults() []EngineField {
	return []EngineField{
		{Where: InRead | InTerraform, Field: Field{Name: FieldState, Help: "`ready`, or `unreadable`: the credential must be supplied again."}},
		{Where: InRead, Field: Field{Name: FieldHint, Help: "Why the credential is unreadable and what to do. Empty if the state is `ready`."}},
		{Where: InRead | InTerraform, Field: Field{Name: FieldGeneration, Type: Whole, Help: "Number of the credential in use: how many were supplied so far."}},
		{Where: InRead, Field: Field{Name: FieldFingerprint, Help: "Random text, made when this generation of the credential was supplied. " +
			"It is not derived from the credential."}},
		{Where: InRead, Field: Field{Name: FieldCredentialTime, Type: Moment, Help: "When the credential was supplied."}},
		{Where: InRead | InTerraform, Field: Field{Name: FieldExpires, Help: "When the credential expires, RFC 3339, as the provider reported " +
			"at the last verify. Empty if the provider reports no expiry or was not asked."}},
		{Where: InRead, Field: Field{Name: FieldCreated, Type: Moment, Help: "When the integration was created."}},
		{Where: InRead, Field: Field{Name: FieldUpdated, Type: Moment, Help: "When the integration was last changed."}},
		{Where: InRead, Field: Field{Name: FieldLastUsed, Help: "When the credential was last used, RFC 3339; empty if never. " +
			"After a restart the time may be up to an hour too early."}},
		{Where: InRead, Optional: true, Field: Field{Name: FieldLastError, Type: Object, Help: "Failure of the last use: class, text and time. " +
			"Absent if the last use succeeded."}},
		{Where: InRead, Field: Field{Name: FieldSyncs, Type: Words, Help: "Syncs that use the integration."}},
	}
}

func description(of string) Field {
	return Field{Name: FieldDescription, Help: "What the " + of + " is for, at most 512 bytes. Not encrypted by the workspace's keys."}
}

// reserved are names that no provider's field may have: those given, those that list operations and
// confirmations take, and those that every Terraform resource has or that Terraform itself
// reserves.
func reserved(more ...string) []EngineField {
	names := append(more, "limit", "after", "list", "confirm", "id", "engine_namespace",
		"connection", "count", "depends_on", "for_each", "lifecycle", "provider", "provisioner")
	all := make([]EngineField, len(names))
	for i, name := range names {
		all[i].Name = name
	}
	return all
}

// FindField returns the field of a name that occurs at one of the given places, and false if there
// is none.
func FindField(all []EngineField, where Where, name string) (EngineField, bool) {
	i := slices.IndexFunc(all, func(f EngineField) bool { return f.Name == name && f.In(where) })
	if i < 0 {
		return EngineField{}, false
	}
	return all[i], true
}

// ItemsHelp describes the fields of each element of an Objects.
func (f EngineField) ItemsHelp() string {
	described := make([]string, len(f.Items))
	for i, item := range f.Items {
		described[i] = "`" + item.Name + "`: " + item.Help
	}
	return strings.Join(described, " ")
}
