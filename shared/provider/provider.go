// Package provider is the contract between the engine and the places it syncs to. A provider declares in data what it takes, what
// it can do and what limits it has; paths, validation, OpenAPI, help, documentation and Terraform schemas derive from that. It
// implements five methods at the most, and a small interface for each capability it declares.
//
// A provider knows no storage, no Vault and no other provider. Package providertest holds each to this contract.
package provider

import (
	"context"
	"time"

	"github.com/stashbase/vault-stashbase/shared/outbound"
)

// Provider is a kind of party that environments are synced to. It keeps no state between calls and is safe for concurrent use. Each
// call to the network goes through the session's client and ends when ctx does. Every error is, or wraps, an *outbound.Error; one that
// carries no answer of the other side, such as a wrong setting, is of class Invalid.
type Provider interface {
	// Declare answers the same declaration each time.
	Declare() Declaration

	// Verify asks the other side who the credential is. It changes nothing there.
	Verify(ctx context.Context, s *Session) (Identity, error)

	// List answers every entry at a place, ours and others, sorted by name; nothing there is no error. A place that does not exist or
	// cannot hold entries is one of class NotFound or Invalid, with a hint. It changes nothing there.
	List(ctx context.Context, s *Session, at Place) ([]Entry, error)

	// Apply makes the changes, in any order, and answers one result for each, in their order. It touches no entry but those named. Where the
	// other side can compare, a change is made only if the entry is still what Change.Expect says, and else answers class Conflict. A
	// deletion of what is gone already is Done. After a failure that would meet every further change too (credential, rate limit,
	// network, ctx) the remaining ones are answered as Skipped.
	Apply(ctx context.Context, s *Session, at Place, changes []Change) []Result
}

// Reader is implemented by a provider that has a destination with ReadBack Value.
type Reader interface {
	// Read answers the values of the entries named, in any order; those that do not exist are left out.
	Read(ctx context.Context, s *Session, at Place, names []string) ([]Value, error)
}

// Looker is implemented by a provider that has a destination that declares Looks.
type Looker interface {
	// Look answers those of the entries named that exist, as List would, in any order. The names are as in a Change. It changes nothing
	// there, and its errors are List's.
	Look(ctx context.Context, s *Session, at Place, names []string) ([]Entry, error)
}

// Checker is implemented by a provider that has a destination that declares Checks.
type Checker interface {
	// Lacks answers what the credential lacks for keeping the entries at a place, in phrases that follow "lacks"; none where nothing is known
	// to be lacking. name is that of an entry as one will be written there. It changes nothing there, and its errors are List's.
	Lacks(ctx context.Context, s *Session, at Place, name string) ([]string, error)
}

// Session is what a provider works with for the time of one call: an integration's settings and its opened credential. It must not be
// kept.
type Session struct {
	Settings   Values // every declared field that is no secret, defaults filled in
	Auth       string // name of the AuthKind in use
	Credential Credential
	HTTP       *outbound.Client
}

// Place is where entries are kept at the other side.
type Place struct {
	Destination string // name of the Destination
	Granularity Granularity
	Settings    Values // the destination's fields, defaults filled in
}

// Identity is whom a credential stands for, as the other side tells it. None of it is secret.
type Identity struct {
	Account string    // a login, a display name, an ARN
	Scopes  []string  // policies, permissions, OAuth scopes; nil where it does not tell
	Expires time.Time // zero: never, or not told
	Detail  map[string]string
}

// Entry is one entry at a place as the other side lists it, without its value.
type Entry struct {
	Name    string    // in the form in which the other side keeps it
	ID      string    // where it is not the name
	Version string    // changes with every write; "" where there is none
	Updated time.Time // by the other side's clock; zero where it does not tell
}

// Value is an entry's value, read back. Whoever receives it clears it.
type Value struct {
	Name  string
	Bytes []byte
}

// Change is one entry to be written or deleted.
type Change struct {
	Name   string
	Delete bool
	Value  []byte // of a write; the caller clears it
	Expect *Entry // the entry as List answered it; nil: there was none
}

// Outcome is how a change has ended.
type Outcome string

// The outcomes of a change.
const (
	Done    Outcome = "done"
	Failed  Outcome = "failed"  // it has had no effect
	Unknown Outcome = "unknown" // it may have had its effect
	Skipped Outcome = "skipped" // it was not begun
)

// Result is how a change has ended, and the entry as the other side tells of it afterwards.
type Result struct {
	Outcome Outcome
	Entry   Entry // of a write that is Done
	Err     error // of one that is Failed, Unknown or Skipped
}
