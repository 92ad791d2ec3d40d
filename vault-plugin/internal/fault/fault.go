// Package fault owns the engine's errors: a closed set of kinds. A kind decides the first word of
// an error's text and its HTTP status. The package knows nothing of causes, and callers never pass
// it a secret value to print.
package fault

import (
	"errors"
	"fmt"
	"net/http"
)

// Kind is the first word of an error. Clients match this word and never the prose after it.
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

	// Provider is a failure of a provider, or of the connection to it. Its status is 400 because
	// Vault's clients do not retry 400, and a retry would reach the same provider.
	Provider Kind = "provider"
)

// Error is an error that a caller may see. Its text says what happened, where, and what to do
// next. The text holds no secret value and no key.
type Error struct {
	Kind   Kind
	Status int
	Text   string
}

// Error returns `<kind>: <text>`.
func (e *Error) Error() string { return string(e.Kind) + ": " + e.Text }

// New returns an error of the given kind with the default status of that kind.
func New(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Status: status(kind), Text: fmt.Sprintf(format, args...)}
}

// Missing returns a NotFound error with status 404: the last segment of the path does not exist.
// For a missing parent, use New(NotFound): its status is 400, because Vault's clients drop the text
// of a 404.
func Missing(format string, args ...any) *Error {
	return &Error{Kind: NotFound, Status: http.StatusNotFound, Text: fmt.Sprintf(format, args...)}
}

// Damaged returns an Unavailable error with status 500: a stored entry cannot be used, and the
// caller cannot change that.
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
