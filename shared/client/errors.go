package client

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/hashicorp/vault/api"
)

// Kind is the reason of an error. Match the kind, never the text.
type Kind string

// The words that the engine's errors begin with. docs/reference/conventions.md describes them.
const (
	Invalid     Kind = "invalid"
	NotFound    Kind = "not_found"
	Conflict    Kind = "conflict"
	Locked      Kind = "locked"
	Limit       Kind = "limit"
	Denied      Kind = "denied"
	Unavailable Kind = "unavailable"
	Provider    Kind = "provider"
)

// Errors that come from Vault itself or from the network in between.
const (
	// NoPermission is Vault's own "permission denied": a policy lacks a line, or the token is no
	// longer valid.
	NoPermission Kind = "permission denied"
	// NoMount means that nothing is mounted at the path.
	NoMount Kind = "no mount"
	// Sealed means that Vault is sealed, in standby, or not initialised.
	Sealed Kind = "sealed"
	// RateLimited means that a rate limit quota of Vault was exceeded.
	RateLimited Kind = "rate limited"
	// Unreachable means that no response came, or that it ended before it was complete.
	Unreachable Kind = "unreachable"
	// Strange means that the response is none that Vault or the engine documents: a page of a
	// proxy, or an error without a known reason.
	Strange Kind = "strange response"
)

// kinds returns the kinds that a text can begin with.
func kinds() []Kind {
	return []Kind{Invalid, NotFound, Conflict, Locked, Limit, Denied, Unavailable, Provider}
}

// Error is a request that was refused or failed. It holds no value of a secret: the engine's errors
// have none, and a text that comes neither from the engine nor from Vault is dropped.
type Error struct {
	Kind   Kind
	Status int    // of HTTP; 0 without a response
	Field  string // the field that an Invalid is about; empty when the error names none
	Text   string // the engine's text, without the word
	Method string // of HTTP
	Path   string // with the mount

	// OutcomeUnknown is true when Vault may have carried out the write although it failed here.
	// Read the object to decide it.
	OutcomeUnknown bool

	cause error
}

// Error returns the request, the kind and the text.
func (e *Error) Error() string {
	if e.Path == "" {
		return string(e.Kind) + ": " + e.Text
	}
	return fmt.Sprintf("%s %s: %s: %s", e.Method, e.Path, e.Kind, e.Text)
}

// Unwrap returns the error of Vault's client, for errors.Is with context.Canceled and the like.
func (e *Error) Unwrap() error { return e.cause }

// Is reports whether err is an Error of one of the kinds.
func Is(err error, kinds ...Kind) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	for _, kind := range kinds {
		if e.Kind == kind {
			return true
		}
	}
	return false
}

// IsGone reports whether err means that the object does not exist: the object itself, one of its
// parents, or the whole mount. A missing right is not among them: it does not show what exists.
func IsGone(err error) bool { return Is(err, NotFound, NoMount) }

// OutcomeUnknown reports whether err is of a write that Vault may have carried out.
func OutcomeUnknown(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.OutcomeUnknown
}

// missing is the text of a 404 that came without one.
const missing = "it does not exist"

// failure returns an error of Vault's client as an Error.
func (c *Client) failure(err error, r request, sent *attempts) error {
	e := parse(err)
	e.Method, e.Path = r.method, c.full(r.path)
	if e.Kind == NotFound && e.Text == "" {
		e.Text = missing
	}
	unknown := sent.lost() || e.Kind == Unreachable && sent.any() || e.Kind == Strange && mayFollowAWrite(e.Status)
	e.OutcomeUnknown = r.method != http.MethodGet && unknown
	return e
}

// strange returns the error for a successful response that cannot be understood.
func (c *Client) strange(r request, status int, text string) error {
	return &Error{Kind: Strange, Status: status, Method: r.method, Path: c.full(r.path), Text: text,
		OutcomeUnknown: r.method != http.MethodGet}
}

// mayFollowAWrite reports whether a status can come after the write was carried out: the plugin or
// a proxy failed in between.
func mayFollowAWrite(status int) bool { return status < 400 || status >= 500 }

// listed is how Vault formats the error of a plugin.
var listed = regexp.MustCompile(`^\d+ errors? occurred:\s*\* `)

func parse(err error) *Error {
	var refused *api.ResponseError
	if !errors.As(err, &refused) {
		return &Error{Kind: Unreachable, Text: "no complete response from Vault: " + err.Error(), cause: err}
	}
	if refused.RawError {
		// A body that is no JSON comes from a proxy or another server. Its content is unknown, and
		// its 404 or 403 does not show what exists in Vault.
		return &Error{Kind: Strange, Status: refused.StatusCode,
			Text: fmt.Sprintf("status %d; the response did not come from Vault", refused.StatusCode)}
	}
	text := strings.TrimSpace(listed.ReplaceAllString(strings.Join(refused.Errors, "; "), ""))
	for _, kind := range kinds() {
		if rest, found := strings.CutPrefix(text, string(kind)+": "); found {
			return &Error{Kind: kind, Status: refused.StatusCode, Field: field(kind, rest), Text: rest, cause: err}
		}
	}
	kind := unworded(refused.StatusCode, text)
	if kind == Strange {
		text = fmt.Sprintf("status %d", refused.StatusCode)
	}
	return &Error{Kind: kind, Status: refused.StatusCode, Text: text}
}

// named matches the field in `<field>: ...`, the text of an Invalid.
var named = regexp.MustCompile(`^([a-z][a-z0-9_]*): `)

func field(kind Kind, text string) string {
	if match := named.FindStringSubmatch(text); kind == Invalid && match != nil {
		return match[1]
	}
	return ""
}

// unworded returns the kind of an error that does not begin with a word of the engine.
func unworded(status int, text string) Kind {
	switch {
	case strings.Contains(text, "no handler for route") || strings.Contains(text, "unsupported path"):
		return NoMount
	case status == http.StatusNotFound:
		return NotFound
	case status == http.StatusForbidden:
		return NoPermission
	case status == http.StatusServiceUnavailable:
		return Sealed
	case status == http.StatusTooManyRequests:
		return RateLimited
	default:
		return Strange
	}
}
