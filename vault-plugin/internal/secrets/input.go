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

// Limits of the metadata that is written with a value.
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
	Tags     *[]string // nil keeps the current tags
	// References reports whether ${NAME} and similar expressions in the value refer to other
	// secrets. Nil means false for a new value; for a kept or patched value it means no change.
	References *bool
	CAS        *uint64 // 0: the secret must not exist; otherwise the number of its newest version
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

// CheckComment rejects a comment that is too long.
func CheckComment(comment string) error {
	if len(comment) > MaxComment {
		return fault.New(fault.Limit, "comment: has %d bytes; the limit is %d", len(comment), MaxComment)
	}
	return nil
}

func checkTags(tags []string) error {
	if len(tags) > MaxTags || slices.ContainsFunc(tags, func(t string) bool { return t == "" || len(t) > MaxTag }) {
		return fault.New(fault.Limit, "tags: at most %d tags are allowed, each of 1 to %d bytes", MaxTags, MaxTag)
	}
	return nil
}

// checkValue rejects a value that is too large, and a text value that could not be returned
// unchanged. field is the field that the value was given in.
func checkValue(field string, place workspaces.Place, in Input) error {
	if limit := place.Settings.MaxValueBytes; len(in.Value) > limit {
		return fault.New(fault.Limit, "%s: has %d bytes; max_value_bytes of workspace %s is %d", field, len(in.Value), place.Workspace, limit)
	}
	if in.Encoding == store.Text && !utf8.Valid(in.Value) {
		return fault.New(fault.Invalid, "%s: is not valid UTF-8; encode the bytes in base64 and set encoding=base64", field)
	}
	return nil
}

// checkCAS rejects a write that is based on another version than the newest. It also rejects a
// write without a version if cas_required is set.
func checkCAS(place workspaces.Place, name string, head *store.Head, cas *uint64) error {
	if cas == nil {
		if place.Settings.CASRequired || head != nil && head.Settings.CASRequired {
			return fault.New(fault.Invalid, "cas: is required for secret %s of %s; set it to the number of the newest version, or to 0 if the secret does not exist", name, place.Path())
		}
		return nil
	}
	newest := previousOf(head).last
	if *cas == newest {
		return nil
	}
	what := fmt.Sprintf("its newest version is %d", newest)
	if newest == 0 {
		what = "it does not exist (cas=0)"
	}
	return fault.New(fault.Conflict, "cas: secret %s of %s is not at version %d: %s; read it again before writing", name, place.Path(), *cas, what)
}

// refers reports whether references in the value are resolved.
func (in Input) refers() bool { return in.References != nil && *in.References }

// EncodingOf returns the encoding with the given name. The empty name means text.
func EncodingOf(name string) (store.Encoding, error) {
	switch strings.ToLower(name) {
	case "", "text":
		return store.Text, nil
	case "base64":
		return store.Base64, nil
	}
	return 0, fault.New(fault.Invalid, "encoding: must be text or base64")
}
