// Package fault owns the engine's errors: a closed set of kinds, each with the word its text begins with and the HTTP status
// it leaves the plugin with. It knows nothing of what went wrong, and is never given a value to print.
package fault

import (
	"errors"
	"fmt"
	"net/http"
)

// Kind is the word an error begins with. Clients match the word, never the prose behind it.
type Kind string

// The closed list of kinds.
const (
	Invalid     Kind = "invalid"
	NotFound    Kind = "not_found"
	Conflict    Kind = "conflict"
	Locked      Kind = "locked"
	Limit       Kind = "limit"
	Denied      Kind = "denied"
	Unavailable Kind = "unavailable"

	// Provider is a failure of another party, or on the way to it. Its status is one that Vault's clients do not repeat a request
	// for: a repetition would meet the same party.
	Provider Kind = "provider"
)

// Error is an error a caller may see: what happened, where, and what to do next. Its text holds no value and no key.
type Error struct {
	Kind   Kind
	Status int
	Text   string
}

// Error answers `<kind>: <text>`.
func (e *Error) Error() string { return string(e.Kind) + ": " + e.Text }

// New makes an error of a kind with that kind's usual status.
func New(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Status: status(kind), Text: fmt.Sprintf(format, args...)}
}

// Missing says that the last segment of a path names nothing: status 404. A missing parent is NotFound through New: status 400,
// because Vault's clients drop the text of a 404.
func Missing(format string, args ...any) *Error {
	return &Error{Kind: NotFound, Status: http.StatusNotFound, Text: fmt.Sprintf(format, args...)}
}

// Damaged says that a stored entry cannot be used: status 500, for this is no fault of the caller.
func Damaged(format string, args ...any) *Error {
	return &Error{Kind: Unavailable, Status: http.StatusInternalServerError, Text: fmt.Sprintf(format, args...)}
}

// Is reports whether err is, or wraps, an Error of the kind.
func Is(err error, kind Kind) bool {
	var e *Error
	return errors.As(err, &e) && e.Kind == kind
}

func status(kind Kind) int {
	switch kind {
	case Conflict, Locked:
		return http.StatusConflict
	case Denied:
		return http.StatusForbidden
	case Unavailable:
		return http.StatusServiceUnavailable
	default:
		return http.StatusBadRequest
	}
}
