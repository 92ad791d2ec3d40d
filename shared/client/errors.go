package client

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/hashicorp/vault/api"
)

// Kind says what an error is about. Match it, never the text.
type Kind string

// The words that the engine's errors begin with. docs/reference/conventions.md has their meaning.
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

// What else stops a request: Vault itself, or what lies before it.
const (
	// NoPermission is Vault's own "permission denied": a policy lacks a line, or the token is no longer valid.
	NoPermission Kind = "permission denied"
	// NoMount says that nothing is mounted at the path.
	NoMount Kind = "no mount"
	// Sealed says that Vault is sealed, in standby, or not initialised.
	Sealed Kind = "sealed"
	// RateLimited is a quota of Vault.
	RateLimited Kind = "rate limited"
	// Unreachable says that there was no answer at all.
	Unreachable Kind = "unreachable"
	// Strange is an answer that neither Vault nor the engine gives.
	Strange Kind = "strange answer"
)

// kinds are those that a text can begin with.
func kinds() []Kind {
	return []Kind{Invalid, NotFound, Conflict, Locked, Limit, Denied, Unavailable, Provider}
}

// Error is a request that was refused or failed. It holds no value: the engine's errors have none, and a text that is not the
// engine's or Vault's is not kept.
type Error struct {
	Kind   Kind
	Status int    // of HTTP; 0 when there was no answer
	Field  string // the field that an Invalid is about, when it names one
	Text   string // what the engine said, without the word
	Method string // of HTTP
	Path   string // with the mount

	cause error
}

// Error says what was asked and what was answered.
func (e *Error) Error() string {
	if e.Path == "" {
		return string(e.Kind) + ": " + e.Text
	}
	return fmt.Sprintf("%s %s: %s: %s", e.Method, e.Path, e.Kind, e.Text)
}

// Unwrap is what Vault's client returned, for errors.Is with context.Canceled and the like.
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

// IsGone reports whether err says that what was asked for does not exist: itself, one of its parents, or the whole mount. A
// missing right is not among them, for it says nothing about what exists.
func IsGone(err error) bool { return Is(err, NotFound, NoMount) }

// failure gives an error of Vault's client its kind. Without an error it is the 404 whose text Vault's client drops.
func (c *Client) failure(err error, method, path string) error {
	e := parse(err)
	e.Method, e.Path = method, c.full(path)
	if e.Kind == NotFound && e.Text == "" {
		e.Text = "it does not exist"
	}
	return e
}

// listed is how Vault presents the error of a plugin.
var listed = regexp.MustCompile(`^\d+ errors? occurred:\s*\* `)

func parse(err error) *Error {
	if err == nil {
		return &Error{Kind: NotFound, Status: http.StatusNotFound}
	}
	var answered *api.ResponseError
	if !errors.As(err, &answered) {
		return &Error{Kind: Unreachable, Text: "Vault gave no answer: " + err.Error(), cause: err}
	}
	if answered.RawError {
		// A body that is no JSON comes from elsewhere, a proxy perhaps. Nobody knows what is in it, and its 404 or 403 says nothing of
		// what exists in Vault.
		return &Error{Kind: Strange, Status: answered.StatusCode,
			Text: fmt.Sprintf("status %d, with an answer that is not Vault's", answered.StatusCode)}
	}
	text := strings.TrimSpace(listed.ReplaceAllString(strings.Join(answered.Errors, "; "), ""))
	for _, kind := range kinds() {
		if rest, found := strings.CutPrefix(text, string(kind)+": "); found {
			return &Error{Kind: kind, Status: answered.StatusCode, Field: field(kind, rest), Text: rest, cause: err}
		}
	}
	kind := unworded(answered.StatusCode, text)
	if kind == Strange {
		text = fmt.Sprintf("status %d", answered.StatusCode)
	}
	return &Error{Kind: kind, Status: answered.StatusCode, Text: text}
}

// named is the start of `invalid: <field>: ...`.
var named = regexp.MustCompile(`^([a-z][a-z0-9_]*): `)

func field(kind Kind, text string) string {
	if match := named.FindStringSubmatch(text); kind == Invalid && match != nil {
		return match[1]
	}
	return ""
}

// unworded is the kind of an error that does not begin with a word of the engine.
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
