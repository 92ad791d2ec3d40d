// Package activity owns the record of what happens in a mount: the closed catalogue of events, and
// where events go. An event holds names, states and counts, and never a value. The package knows
// nothing of the services that record events.
//
// A new event is a new constructor in this package, so the catalogue is complete. Tests compare the
// catalogue with docs/operations/health.md.
package activity

// Kind is a kind of event. It is the field event of a log line.
type Kind string

// The catalogue of events.
const (
	SyncState        Kind = "sync-state"        // the state or the error class of a sync has changed
	SyncDeletions    Kind = "sync-deletions"    // a sync has deleted entries at its destination
	IntegrationState Kind = "integration-state" // the state or the error class of an integration has changed
)

// Kinds returns the catalogue.
func Kinds() []Kind { return []Kind{SyncState, SyncDeletions, IntegrationState} }

// Deleted is the state that a sync or an integration changes to when it is deleted.
const Deleted = "DELETED"

// Event is one event. Only this package makes events.
type Event struct {
	kind   Kind
	text   string  // a phrase for a person
	urgent bool    // a person must act
	fields []field // in the order of a log line
}

// field is one property of an event. The value is a string, a bool, an int or a []string.
type field struct {
	name  string
	value any
}

// Kind returns the kind of the event.
func (e Event) Kind() Kind { return e.kind }

// Sync identifies a sync by its names.
type Sync struct{ Workspace, Project, Environment, Destination, Name string }

func (s Sync) fields() []field {
	return []field{{"workspace", s.Workspace}, {"project", s.Project}, {"environment", s.Environment}, {"destination", s.Destination}, {"name", s.Name}}
}

// Integration identifies an integration by its names.
type Integration struct{ Workspace, Provider, Name string }

func (i Integration) fields() []field {
	return []field{{"workspace", i.Workspace}, {"provider", i.Provider}, {"name", i.Name}}
}

// Condition is a state, and what it means for a person. The zero value is the condition of a sync
// or an integration that has no state yet.
type Condition struct {
	State       string
	Class       string // the class of the error that caused the state; "" without an error
	NeedsPerson bool   // the state lasts until a person acts
}

// OfSync returns the event of a sync whose condition has changed. It returns false if from and to
// are the same.
func OfSync(of Sync, from, to Condition) (Event, bool) {
	return changed(SyncState, "the state of a sync has changed", of.fields(), from, to)
}

// OfIntegration returns the event of an integration whose condition has changed. It returns false
// if from and to are the same.
func OfIntegration(of Integration, from, to Condition) (Event, bool) {
	return changed(IntegrationState, "the state of an integration has changed", of.fields(), from, to)
}

func changed(kind Kind, text string, of []field, from, to Condition) (Event, bool) {
	return Event{kind, text, to.NeedsPerson, append(of,
		field{"from", from.State}, field{"to", to.State}, field{"error_class", to.Class}, field{"needs_person", to.NeedsPerson},
	)}, from != to
}

// MaxNamed is the largest number of entries that one event names.
const MaxNamed = 100

// OfDeletions returns the events of a run that has deleted entries at the destination of a sync.
// Together they name every entry. The order of names is kept.
func OfDeletions(of Sync, names []string) []Event {
	var events []Event
	for len(names) > 0 {
		some := names[:min(len(names), MaxNamed)]
		names = names[len(some):]
		events = append(events, Event{SyncDeletions, "a sync has deleted entries at its destination", false, append(of.fields(),
			field{"count", len(some)}, field{"entries", some},
		)})
	}
	return events
}

// Sink receives events. Record is safe for concurrent use, and does not wait for storage or for the
// network.
type Sink interface{ Record(Event) }
