package secrets

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/workspaces"
)

// Limits of what is written beside a value.
const (
	MaxComment = 512 // bytes
	MaxTags    = 16
	MaxTag     = 64 // bytes
)

// Input is a new version of a secret.
type Input struct {
	Value    []byte
	Encoding store.Encoding
	Comment  string
	Tags     *[]string // nil keeps those the secret has
	// References has ${NAME} and the like in the value stand for other secrets.
	// Nil is no for a new value, and as it was for one that is kept or patched.
	References *bool
	CAS        *uint64 // 0: the secret must not exist; else the number the newest version must have
}

func checkInput(place workspaces.Place, in Input) error {
	if err := checkValue("value", place, in); err != nil {
		return err
	}
	if in.refers() && in.Encoding != store.Text {
		return fault.New(fault.Invalid, "references: cannot be true with encoding=base64; use encoding=text")
	}
	if err := CheckComment(in.Comment); err != nil {
		return err
	}
	if in.Tags != nil {
		return checkTags(*in.Tags)
	}
	return nil
}

// CheckComment refuses a comment that is too long.
func CheckComment(comment string) error {
	if len(comment) > MaxComment {
		return fault.New(fault.Limit, "comment: has %d bytes; at most %d are kept", len(comment), MaxComment)
	}
	return nil
}

func checkTags(tags []string) error {
	if len(tags) > MaxTags || slices.ContainsFunc(tags, func(t string) bool { return t == "" || len(t) > MaxTag }) {
		return fault.New(fault.Limit, "tags: at most %d are kept, each of 1 to %d bytes", MaxTags, MaxTag)
	}
	return nil
}

// checkValue refuses a value that is too large or, being text, could not be answered as it came. field is where it stood.
func checkValue(field string, place workspaces.Place, in Input) error {
	if limit := place.Settings.MaxValueBytes; len(in.Value) > limit {
		return fault.New(fault.Limit, "%s: has %d bytes; max_value_bytes of workspace %s is %d", field, len(in.Value), place.Workspace, limit)
	}
	if in.Encoding == store.Text && !utf8.Valid(in.Value) {
		return fault.New(fault.Invalid, "%s: is not valid UTF-8; give bytes in base64 with encoding=base64", field)
	}
	return nil
}

// checkCAS refuses a write upon another version than its caller has seen, or one that does not say which it has.
func checkCAS(place workspaces.Place, name string, head *store.Head, cas *uint64) error {
	if cas == nil {
		if place.Settings.CASRequired || head != nil && head.Settings.CASRequired {
			return fault.New(fault.Invalid, "cas: is required for secret %s of %s; give 0 for a secret that does not exist, else the number of its newest version", name, place.Path())
		}
		return nil
	}
	newest := on(head).last
	if *cas == newest {
		return nil
	}
	what := fmt.Sprintf("its newest version is %d", newest)
	if newest == 0 {
		what = "it does not exist, which is cas=0"
	}
	return fault.New(fault.Conflict, "cas: secret %s of %s is not at version %d: %s; read it again before writing", name, place.Path(), *cas, what)
}

// refers reports whether the value is to be resolved.
func (in Input) refers() bool { return in.References != nil && *in.References }

// EncodingOf answers the encoding with a name ("" and "text" are text).
func EncodingOf(name string) (store.Encoding, error) {
	switch strings.ToLower(name) {
	case "", "text":
		return store.Text, nil
	case "base64":
		return store.Base64, nil
	}
	return 0, fault.New(fault.Invalid, "encoding: must be text or base64")
}
