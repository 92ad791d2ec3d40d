package provider

import (
	"regexp"
	"strings"
	"time"

	"github.com/stashbase/vault-stashbase/shared/outbound"
)

// Declaration contains everything that the engine, the documentation and the Terraform provider
// know about a provider.
type Declaration struct {
	Name  string // path segment: "github"
	Title string // "GitHub"
	// Help describes an integration and how to create its credential. The first sentence is the
	// short help.
	Help string

	Fields       []Field    // settings of an integration that do not depend on the AuthKind
	Auth         []AuthKind // at least one; the first is the default
	Destinations []Destination

	Client Client
}

// AuthKind is an authentication method.
type AuthKind struct {
	Name   string  // "token"
	Help   string  // the first sentence is the short help
	Fields []Field // at least one field is Secret
}

// Names of the settings that Party reads.
const (
	FieldCAPEM      = "ca_pem"          // its Endpoint is EndpointPEM
	FieldServerName = "tls_server_name" // its Endpoint is EndpointText
)

// Party returns the parameters of an integration's client. The settings must be complete.
// FieldCAPEM and FieldServerName are empty for a provider that does not declare them.
func (d Declaration) Party(workspace string, settings Values) outbound.Party {
	return outbound.Party{
		Provider:    d.Name,
		Workspace:   workspace,
		CAPEM:       settings.Text(FieldCAPEM),
		ServerName:  settings.Text(FieldServerName),
		Dialect:     d.Client.Dialect,
		Budgets:     d.Client.Budgets,
		Concurrency: d.Client.Concurrency,
		Pause:       d.Client.Pause,
		MaxBody:     d.Client.MaxBody,
		Timeout:     d.Client.Timeout,
		Classify:    d.Client.Classify,
	}
}

// Client describes how to talk to the service.
type Client struct {
	Dialect outbound.Dialect  // headers in which the service reports its rate limits
	Budgets []outbound.Budget // requests that the service allows within a period
	// Concurrency is the maximum number of parallel requests of one integration; 0 means 1.
	Concurrency int
	// Pause is the wait after a rate-limited response that names no wait. It doubles with each
	// consecutive one.
	Pause time.Duration
	// MaxBody is the maximum size of a response in bytes; 0 means outbound.DefaultMaxBody.
	MaxBody int64
	Timeout time.Duration // limit for one request; 0 means outbound.DefaultTimeout
	// Classify classifies a response with a status of 400 or more. If known is false, the general
	// rules of package outbound apply. The hint may be empty.
	Classify func(r *outbound.Response) (class outbound.Class, hint string, known bool)
}

// Destination is a kind of place that holds entries.
type Destination struct {
	Name   string // path segment: "github-actions"
	Title  string
	Help   string // the first sentence is the short help
	Fields []Field

	Granularities []Granularity // at least one; the first is the default
	ReadBack      ReadBack
	Limits        Limits

	// Compares reports whether Apply compares an entry with Change.Expect before it changes the
	// entry. Apply compares Entry.Version if List fills it in, and otherwise only whether the entry
	// exists. A provider documents where the service cannot compare and change in one atomic step.
	Compares bool

	// Looks reports whether fetching a few entries is cheaper for the service than listing all of
	// them. The provider then implements Looker. A run with few changes fetches only the entries
	// that it changes.
	Looks bool

	// Checks reports whether the service can report what a credential may do at a place, without
	// doing it. The provider then implements Checker. For other destinations, an attempt to list
	// the entries is the only check.
	Checks bool

	Batch int // maximum number of changes in one Apply; at least 1

	// Fold converts a name to the form in which the service compares names. It is nil if the
	// service compares names byte by byte.
	Fold func(name string) string
	// Target returns the target of a place. The settings of the integration and of the destination
	// must both be complete.
	Target func(integration, destination Values) Target
	// Object returns the objects at the service that the entries of a target are written to.
	Object func(at Target, g Granularity) ServiceObject
}

// Target identifies a place: two places with equal Targets are the same place.
type Target struct {
	Host string // canonical scheme, host and port, and whatever distinguishes tenants of that host
	// Path is the path at the host in the form that the service compares: "acme/api". The globs in
	// allowed_targets match it.
	Path string
}

// ServiceObject locates the objects of a target. An object is what one write of the service replaces as a
// whole: a secret of GitHub, or a KV secret with all its fields. Two syncs collide if both could
// write an entry of the same name to the same object, or if one of them could replace an object
// that the other one writes to.
type ServiceObject struct {
	// Path is the path of the object at Target.Host. If PerEntry is true, it is the folder of the
	// objects.
	Path string
	// PerEntry reports whether each entry is an object of its own: Path + "/" + its name after
	// Fold. Limits.Name then rejects every name that contains a slash.
	PerEntry bool
}

// Of returns the path of the object of the entry with the given name.
func (o ServiceObject) Of(name string) string {
	if o.PerEntry {
		return o.Path + "/" + name
	}
	return o.Path
}

// Granularity is how the secrets of an environment are mapped to entries.
type Granularity string

// The granularities.
const (
	Key Granularity = "key" // one entry per secret
	// Bundle is one entry with one field per secret. Names and ownership apply to the fields.
	Bundle Granularity = "bundle"
)

// ReadBack is what a provider can read about an entry after writing it.
type ReadBack string

// The kinds of reading back.
const (
	ReadBackValue     ReadBack = "value"     // the value; the provider implements Reader
	ReadBackTimestamp ReadBack = "timestamp" // the time of the last write, in Entry.Updated
	ReadBackNone      ReadBack = "none"      // only whether the entry exists
)

// Limits are the limits of the service. The provider's limits.go names the source of each.
type Limits struct {
	// MaxEntries is the maximum number of entries at one place, whoever wrote them; 0 for no limit.
	MaxEntries    int
	MaxValueBytes int            // maximum size of one value as it is sent; 0 for no limit
	MaxNameBytes  int            // 0 for no limit
	Name          *regexp.Regexp // pattern of a name after Fold; nil if every name is valid
	// NameRule is Name in words: "letters, digits and '_', not beginning with a digit".
	NameRule     string
	Reserved     []string // prefixes that a name must not have after Fold
	NoEmptyValue bool
	TextOnly     bool // values must be valid UTF-8
}

// Field declares a setting. Its name is the term that the vendor uses, in snake case.
type Field struct {
	Name     string
	Type     Type
	Help     string // the first sentence is the short help
	Required bool
	Secret   bool     // write-only part of a credential; Type must be Text
	Default  any      // value of the Type's Go type; nil means the zero value
	Choices  []string // valid values of a Text; nil if every value is valid
	Example  string   // example of a Text for help and documentation
	Fixed    bool     // cannot be changed after it is set

	// Multiline allows line breaks, tabs and white space at the edges of a secret field, as PEM
	// needs them. CheckSecret rejects them in every other secret field.
	Multiline bool
	// Normal returns the form in which a valid value of a Text is stored: "team" for "team/". It is
	// nil if values are stored as they are given. The normal form of a normal form is itself.
	Normal func(text string) string

	// Endpoint is set if the setting decides who receives the credential, or how the receiver is
	// authenticated. It selects the canonical form of the value. A credential can be opened only
	// under the endpoint settings that it was supplied with.
	Endpoint Endpoint

	// Check returns an error for an invalid value. The error describes valid values and contains no
	// part of the given value.
	Check func(value any) error
}

// Type is the type of a field.
type Type int

// The types of fields, with the Go types of their values.
const (
	Text  Type = iota // string
	Flag              // bool
	Whole             // int
	Words             // []string
)

// Endpoint is the role of a setting in addressing the receiver of a credential.
type Endpoint int

// The kinds of endpoint settings.
const (
	NotEndpoint  Endpoint = iota
	EndpointText          // compared byte by byte
	// EndpointURL is compared by scheme, host, explicit port and path without a trailing slash.
	EndpointURL
	EndpointPEM // certificates, compared by their DER encoding
)

// Short returns the first sentence of a help text, which lists show. A sentence ends with a period
// followed by a space.
func Short(help string) string {
	first, _, more := strings.Cut(help, ". ")
	if more {
		first += "."
	}
	return first
}
