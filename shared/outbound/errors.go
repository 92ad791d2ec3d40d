package outbound

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// Class says of a failure what is to be done about it. The set is closed.
type Class string

// The classes of failures.
const (
	Auth        Class = "auth"         // the credential is refused: supply another
	Permission  Class = "permission"   // the credential is known, and may not do this
	NotFound    Class = "not_found"    // what was asked about does not exist, or may not be seen
	RateLimited Class = "rate_limited" // too many requests: wait until RetryAfter has passed
	Invalid     Class = "invalid"      // the other side refuses the input: the same again will not help
	Limit       Class = "limit"        // a quota of the other side is used up
	Conflict    Class = "conflict"     // what is there is not what was expected
	Network     Class = "network"      // no answer: not reached, cut off, timed out, or refused by the egress policy
	Provider    Class = "provider"     // the other side fails, or answers what cannot be understood
	Internal    Class = "internal"     // our own fault
)

// Classes lists every class, in the order of their declaration.
func Classes() []Class {
	return []Class{Auth, Permission, NotFound, RateLimited, Invalid, Limit, Conflict, Network, Provider, Internal}
}

// Passing reports whether the same request may do better later without anybody's doing.
func (c Class) Passing() bool { return c == RateLimited || c == Network || c == Provider }

// Error is a failure of a request to another party. Its text says class, provider, operation, status, the other side's request id and a
// hint; it holds nothing of what was sent or answered. The cause is reachable through Unwrap and is printed with no verb and in no JSON,
// for the errors of net and of parsers quote their input.
type Error struct {
	Class      Class
	Provider   string        // whom the request was for: "github"
	Operation  string        // what was asked, as a person says it: "write a secret"
	Status     int           // HTTP status; 0 where there was no answer
	RequestID  string        // the other side's own id of the request, for its support; "" where it gave none
	RetryAfter time.Duration // how long the other side asks to wait; 0 where it does not say
	Unknown    bool          // the request may have had its effect: look before it is repeated
	Hint       string        // what a person can do about it; our words only
	Cause      error         `json:"-"` // not printed
}

// Error answers one line without a value.
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

// Format prints what Error answers, whatever the verb: %+v and %#v would reach into the cause otherwise.
func (e Error) Format(f fmt.State, verb rune) {
	text := e.Error()
	if verb == 'q' {
		text = strconv.Quote(text)
	}
	_, _ = io.WriteString(f, text)
}

// Unwrap answers the cause.
func (e *Error) Unwrap() error { return e.Cause }

// ClassOf answers the class of an error: that of the *Error it is or wraps, Internal for any other, "" for nil.
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
