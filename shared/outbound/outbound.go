package outbound

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"time"
)

// Resolver finds the addresses of a host.
type Resolver func(ctx context.Context, host string) ([]netip.Addr, error)

// Clock is the time that waits and rate limits go by.
type Clock interface {
	Now() time.Time
	// Sleep waits until d has passed or ctx ends, whose error it then answers.
	Sleep(ctx context.Context, d time.Duration) error
}

// Options say what a Gateway works with; the zero value of each is the usual.
type Options struct {
	UserAgent string   // project and version: "vault-stashbase/0.1.0"
	Resolver  Resolver // the system's
	Clock     Clock    // the system's
}

// Policy is what the mount's configuration says about the way out. It is immutable.
type Policy struct {
	Allow  []Rule
	Proxy  string // URL of an HTTP proxy; "" for none. Nothing is taken from the environment
	Paused bool   // nothing goes out
}

// Gateway is the one way out of a mount.
type Gateway struct{}

// NewGateway makes a gateway that lets nothing out but to public addresses.
func NewGateway(o Options) *Gateway { return &Gateway{} }

// Enforce puts a policy in force: every connection from now on obeys it, and those that stand and would not be allowed are closed.
func (g *Gateway) Enforce(p Policy) {}

// Defaults of a client.
const (
	DefaultMaxBody = 8 << 20          // bytes
	DefaultTimeout = 30 * time.Second // of one request, answer included
)

// Party is who a client talks to, and how it wants to be talked to.
type Party struct {
	Provider    string // for errors
	Workspace   string // whose egress rules hold
	CAPEM       string // certificates trusted beside the system's; "" for none
	ServerName  string // name that the other side's certificate must have; "" for that of the URL
	Dialect     Dialect
	Budgets     []Budget
	Concurrency int
	MaxBody     int64
	Timeout     time.Duration
	Classify    func(r *Response) (class Class, hint string, known bool)
}

// Dialect is how a party tells of its rate limits.
type Dialect string

// The dialects.
const (
	NoDialect      Dialect = ""            // Retry-After alone, as everywhere
	XRateLimit     Dialect = "x-ratelimit" // X-RateLimit-Remaining and -Reset in seconds since 1970: GitHub, Vercel
	RateLimitDraft Dialect = "ratelimit"   // RateLimit-Remaining and -Reset in seconds from now (IETF draft): GitLab, Heroku
)

// Budget is how many requests a party allows in a span of time. It is kept, not only obeyed once refused.
type Budget struct {
	Requests int
	Per      time.Duration
	Writes   bool          // only requests that change something count
	Spacing  time.Duration // at least this long between two of them
}

// Client talks to one party on behalf of one integration. It is safe for concurrent use.
type Client struct{}

// Client makes a client. Its error is an *Error of class Invalid.
func (g *Gateway) Client(p Party) (*Client, error) { return &Client{}, nil }

// Close ends the client's connections.
func (c *Client) Close() {}

// Request is one request. URL is absolute.
type Request struct {
	Operation string // for errors, as a person says it: "write a secret"
	Method    string
	URL       string
	Header    http.Header
	Body      []byte
	Safe      bool // it may be repeated: its effect is the same, done once or twice
	Write     bool // it changes something: counts against budgets of writes
}

// Response is an answer of a status below 400, or one to be classified. Body is whole, and at most Party.MaxBody bytes.
type Response struct {
	Status    int
	Header    http.Header
	Body      []byte
	RequestID string
}

// Do sends a request and reads the whole answer. It waits for the budgets and the party's rate limits as long as ctx allows and at most
// MaxWait; it repeats what is Safe after failures that pass. A status of 300 or more is an *Error.
func (c *Client) Do(ctx context.Context, r Request) (*Response, error) {
	return nil, errors.New("not yet")
}
