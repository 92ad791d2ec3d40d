package outbound

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// Class is the class of a failure. It determines what to do about the failure. The set is closed.
type Class string

// The classes of failures.
const (
	Auth        Class = "auth"         // the credential was rejected: supply a new credential
	Permission  Class = "permission"   // the credential is valid but not permitted to do this
	NotFound    Class = "not_found"    // the object does not exist or is not visible
	RateLimited Class = "rate_limited" // too many requests: wait until RetryAfter has passed
	// Invalid means that the service rejects the input. The same input will fail again.
	Invalid  Class = "invalid"
	Limit    Class = "limit"    // a quota of the service is used up
	Conflict Class = "conflict" // the current state is not the expected one
	// Network means that there is no response: the service is unreachable, the connection was
	// interrupted or timed out, or the egress policy blocks it.
	Network  Class = "network"
	Provider Class = "provider" // the service failed or sent an invalid response
	Internal Class = "internal" // a defect in this program
)

// Classes returns every class, in the order of declaration.
func Classes() []Class {
	return []Class{Auth, Permission, NotFound, RateLimited, Invalid, Limit, Conflict, Network, Provider, Internal}
}

// Passing reports whether the same request may succeed later without any change.
func (c Class) Passing() bool { return c == RateLimited || c == Network || c == Provider }

// Error is a failed request to a service. Its text consists of class, provider, operation, status,
// the service's request id and a hint. It contains no part of the request or the response. Unwrap
// returns the cause, but no verb and no JSON prints it, because the errors of package net and of
// parsers quote their input.
type Error struct {
	Class      Class
	Provider   string        // name of the provider: "github"
	Operation  string        // what the request does: "write a secret"
	Status     int           // HTTP status; 0 if there was no response
	RequestID  string        // the service's id of the request, for its support; "" if unknown
	RetryAfter time.Duration // wait that the service asks for; 0 if unknown
	Unknown    bool          // the request may have had its effect; check before repeating it
	Hint       string        // what to do about it; contains only our own words
	Cause      error         `json:"-"` // not printed
}

// Error returns one line without secrets.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(string(e.Class))
	for _, part := range []string{e.Provider, e.Operation} {
		if part != "" {
			b.WriteString(": " + part)
		}
	}
	if e.Status != 0 {
		fmt.Fprintf(&b, ": status %d", e.Status)
	}
	if e.RequestID != "" {
		b.WriteString(", request " + e.RequestID)
	}
	if e.Hint != "" {
		b.WriteString("; " + e.Hint)
	}
	return redact(b.String())
}

// Format prints the text of Error for every verb. Without it, %+v and %#v would print the cause.
func (e Error) Format(f fmt.State, verb rune) {
	text := e.Error()
	if verb == 'q' {
		text = strconv.Quote(text)
	}
	_, _ = io.WriteString(f, text)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// ClassOf returns the class of the *Error that err is or wraps. It returns Internal for any other
// error, and "" for nil.
func ClassOf(err error) Class {
	if err == nil {
		return ""
	}
	var known *Error
	if errors.As(err, &known) {
		return known.Class
	}
	return Internal
}
