// Package provider defines the contract between the engine and the services that it syncs secrets
// to. A provider declares as data what it accepts, what it can do and which limits apply. Paths,
// validation, OpenAPI, help, documentation and Terraform schemas are derived from the declaration.
// A provider implements four methods, and one small interface for each capability that it declares.
//
// A provider has no access to storage, to the engine's Vault or to other providers. Package
// providertest checks every provider against this contract.
package provider

import (
	"context"
	"errors"
	"time"

	"github.com/stashbase/vault-stashbase/shared/outbound"
)

// Provider is a kind of service that environments are synced to. It keeps no state between calls
// and is safe for concurrent use. Every network request goes through the session's client and ends
// when ctx ends. Every error is, or wraps, an *outbound.Error. An error that is not based on a
// response of the service, such as an invalid setting, has the class Invalid.
type Provider interface {
	// Declare returns the declaration. It is the same on every call.
	Declare() Declaration

	// Verify returns the identity that the credential belongs to. It changes nothing at the
	// service.
	Verify(ctx context.Context, s *Session) (Identity, error)

	// List returns every entry at a place, including entries that the engine did not write, sorted
	// by name. An empty place is not an error. A place that does not exist, or that cannot hold
	// entries, is an error of class NotFound or Invalid with a hint. List changes nothing at the
	// service.
	List(ctx context.Context, s *Session, place Place) ([]Entry, error)

	// Apply makes the changes in any order and returns one result for each change, in the order of
	// changes. It modifies no entry that is not named in changes.
	//
	// If the service can compare, Apply makes a change only if the entry still matches
	// Change.Expect. Otherwise the change fails with class Conflict. If the object of an entry can
	// have content besides the entry, a change that would lose that content fails with ErrForeign,
	// unless Change.Replace is true. Deleting an entry that no longer exists is Done. After an
	// error that would repeat for every further change, as EndsBatch reports, the remaining changes
	// are Skipped.
	Apply(ctx context.Context, s *Session, place Place, changes []Change) []Result
}

// Reader is implemented by a provider with a destination whose ReadBack is ReadBackValue.
type Reader interface {
	// Read returns the values of the named entries in any order. Entries that do not exist are left
	// out.
	Read(ctx context.Context, s *Session, place Place, names []string) ([]Value, error)
}

// Looker is implemented by a provider with a destination that declares Looks.
type Looker interface {
	// Look returns the named entries that exist, in any order and as List returns them. The names
	// are those of a Change. Look changes nothing at the service and returns the same errors as
	// List.
	Look(ctx context.Context, s *Session, place Place, names []string) ([]Entry, error)
}

// Checker is implemented by a provider with a destination that declares Checks.
type Checker interface {
	// Lacks returns the permissions that the credential lacks for managing entries at a place. Each
	// is a phrase that follows the word "lacks". The result is empty if no missing permission is
	// known. name is the name of an entry that is going to be written there. Lacks changes nothing
	// at the service and returns the same errors as List.
	Lacks(ctx context.Context, s *Session, place Place, name string) ([]string, error)
}

// Session holds the settings of an integration and its opened credential for the duration of one
// call. A provider must not keep it.
type Session struct {
	Settings   Values // every declared field that is not secret, with defaults filled in
	Auth       string // name of the AuthKind
	Credential Credential
	HTTP       *outbound.Client
}

// Place is a location at the service where entries are kept.
type Place struct {
	Destination string // name of the Destination
	Granularity Granularity
	Settings    Values // the destination's fields, with defaults filled in
}

// Identity describes the owner of a credential, as reported by the service. No part of it is
// secret. A provider fills it in as it was received; Shown makes it fit to be shown.
type Identity struct {
	Account string // login, display name or ARN
	// Scopes are policies, permissions or OAuth scopes; nil if the service does not report them.
	Scopes  []string
	Expires time.Time // zero if the credential does not expire or the time is not reported
	Detail  map[string]string
}

// Entry describes one entry at a place, without its value.
type Entry struct {
	Name    string    // as the service stores it
	ID      string    // only if it differs from Name
	Version string    // changes with every write; "" if the service has no versions
	Updated time.Time // time of the last write on the service's clock; zero if not reported
}

// Value is the value of an entry, read from the service. The receiver clears Bytes.
type Value struct {
	Name  string
	Bytes []byte
}

// Change describes one entry to write or delete.
type Change struct {
	Name   string
	Delete bool
	Value  []byte // only for a write; the caller clears it
	Expect *Entry // the entry as List returned it; nil if it did not exist
	// Replace reports whether a person has asked to replace or delete the entry's object with
	// whatever it contains. Without it, a change of an object that also has content of others fails
	// with ErrForeign.
	Replace bool
}

// ErrForeign is the cause of an error of class Conflict: the object of an entry has content that is
// no part of any entry, so others have written it.
var ErrForeign = errors.New("the object has content of others")

// Outcome is the outcome of a change.
type Outcome string

// The outcomes of a change.
const (
	Done    Outcome = "done"
	Failed  Outcome = "failed"  // the change had no effect
	Unknown Outcome = "unknown" // the change may have had its effect
	Skipped Outcome = "skipped" // the change was not attempted
)

// Result is the outcome of a change, with the entry as the service reports it afterwards.
type Result struct {
	Outcome Outcome
	Entry   Entry // only for a write that is Done
	Err     error // only if the outcome is Failed, Unknown or Skipped
}
