package provider

import (
	"regexp"
	"strings"
	"time"

	"github.com/stashbase/vault-stashbase/shared/outbound"
)

// Declaration is all that the engine, its documentation and the Terraform provider know of a provider.
type Declaration struct {
	Name  string // segment of a path: "github"
	Title string // "GitHub"
	Help  string // what an integration is and how its credential is made; the first sentence is the short help

	Fields       []Field    // settings of an integration, whatever its AuthKind
	Auth         []AuthKind // at least one; the first is the default
	Destinations []Destination

	Client Client
}

// AuthKind is a way to prove who we are.
type AuthKind struct {
	Name   string // "token"
	Help   string
	Fields []Field // at least one is Secret
}

// The names of the settings that Party reads.
const (
	FieldCAPEM      = "ca_pem"          // of Endpoint EndpointPEM
	FieldServerName = "tls_server_name" // of Endpoint EndpointText
)

// Party says how an integration's client is to be made. Settings are complete; of a provider that does not declare the two that it
// reads, they are not set.
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

// Client is how the other side wants to be talked to.
type Client struct {
	Dialect     outbound.Dialect  // which headers tell of its rate limits
	Budgets     []outbound.Budget // requests it allows in a span of time
	Concurrency int               // requests at once through one integration; 0 means 1
	Pause       time.Duration     // after a refusal for too many requests that does not say how long to wait; it doubles with each in a row
	MaxBody     int64             // bytes of the largest answer it may give; 0 means outbound.DefaultMaxBody
	Timeout     time.Duration     // of one request; 0 means outbound.DefaultTimeout
	// Classify is asked first what a status of 400 or more means, before the general rules. Its hint may be empty.
	Classify func(r *outbound.Response) (class outbound.Class, hint string, known bool)
}

// Destination is a kind of place that entries are kept at.
type Destination struct {
	Name   string // segment of a path: "github-actions"
	Title  string
	Help   string // the first sentence is the short help
	Fields []Field

	Granularities []Granularity // at least one; the first is the default
	ReadBack      ReadBack
	Limits        Limits

	// Compares says that Apply holds an entry against Change.Expect before it changes it: its Version where List fills that in, and
	// otherwise whether it exists. A provider says where the two are not one step for the other side.
	Compares bool

	// Looks says that to look at a few entries is cheaper for the other side than to list all of them; the provider is a Looker. A run
	// that changes little then looks at what it changes, and at no more.
	Looks bool

	// Checks says that the other side tells what a credential may do at a place without doing it; the provider is a Checker. Of other
	// destinations, List shows what it may not.
	Checks bool

	Batch int // changes that one Apply takes at the most; at least 1

	// Fold brings a name to the form in which the other side compares names; nil where it compares them byte by byte.
	Fold func(name string) string
	// Target answers where a place is, from an integration's and the destination's settings, both complete.
	Target func(integration, destination Values) Target
}

// Target tells places apart: two with equal Targets are the same one.
type Target struct {
	Host string // who keeps it: canonical scheme, host and port, and what tells tenants of one host apart
	Path string // where there, as the other side compares it; allowed_targets are globs of this: "acme/api"
}

// Granularity is how the secrets of an environment become entries.
type Granularity string

// The granularities.
const (
	Key    Granularity = "key"    // one entry for each secret
	Bundle Granularity = "bundle" // one entry with a field for each secret; names and ownership stay those of the fields
)

// ReadBack is what can be learned of an entry after it was written.
type ReadBack string

// The kinds of reading back.
const (
	ReadBackValue     ReadBack = "value"     // the value itself; the provider is a Reader
	ReadBackTimestamp ReadBack = "timestamp" // when it was last written: List fills in Entry.Updated
	ReadBackNone      ReadBack = "none"      // that it exists
)

// Limits are the other side's own. Each says where it is published in the provider's limits.go.
type Limits struct {
	MaxEntries    int            // at one place, ours and others; 0: none
	MaxValueBytes int            // of one value as it is sent; 0: none
	MaxNameBytes  int            // 0: none
	Name          *regexp.Regexp // what a name must match, after Fold; nil: anything
	NameRule      string         // the same in words: "letters, digits and '_', not beginning with a digit"
	Reserved      []string       // beginnings that a name, after Fold, may not have
	NoEmptyValue  bool
	TextOnly      bool // values must be UTF-8
}

// Field is a setting, declared once. Its name is the vendor's own word, in snake case.
type Field struct {
	Name     string
	Type     Type
	Help     string // the first sentence is the short help
	Required bool
	Secret   bool     // write-only: part of a credential. Its type is Text
	Default  any      // of the Type's Go type; nil is its zero value
	Choices  []string // the values a Text may have; nil: any
	Example  string   // of a Text, for help and documentation
	Fixed    bool     // it cannot be changed once it is set

	// Endpoint says that the setting decides who receives the credential or how that party is recognised, and how it is brought to
	// its canonical form. A credential opens only under the settings it was supplied with.
	Endpoint Endpoint

	// Check refuses a value that is given; what it answers says what would be right, and holds nothing of the value.
	Check func(value any) error
}

// Type is the type of a field.
type Type int

// The types, and the Go types of their values.
const (
	Text  Type = iota // string
	Flag              // bool
	Whole             // int
	Words             // []string
)

// Endpoint is what a setting is to the party that receives a credential.
type Endpoint int

// The kinds of endpoint settings.
const (
	NotEndpoint  Endpoint = iota
	EndpointText          // taken byte by byte
	EndpointURL           // compared by scheme, host, explicit port and path without a slash at its end
	EndpointPEM           // certificates, compared by their DER
)

// Short is the first sentence of a help text: what lists show of it. A sentence ends with a period before a space.
func Short(help string) string {
	first, _, more := strings.Cut(help, ". ")
	if more {
		first += "."
	}
	return first
}
