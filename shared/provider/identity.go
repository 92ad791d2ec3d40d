package provider

import (
	"bytes"
	"maps"
	"slices"
	"time"

	"github.com/stashbase/vault-stashbase/shared/outbound"
)

// Limits of an identity that is shown, in bytes and in numbers. They are our own, and larger than
// anything that a known service reports.
const (
	maxAccount = 256
	maxScope   = 128
	maxScopes  = 200
	maxDetail  = 256
	maxDetails = 20
)

// window is the number of consecutive bytes of a credential that a shown text must not contain.
const window = 8

// Shown returns an identity as a response may contain it. The service decides what it reports, so
// its texts could fill a response, control a terminal, or repeat the credential. Shown limits their
// number and length, replaces characters that are not printable, and leaves out every text that
// contains a part of c.
func (i Identity) Shown(c Credential) Identity {
	shown := Identity{Account: c.shown(i.Account, maxAccount), Expires: i.Expires}
	for _, scope := range i.Scopes[:min(len(i.Scopes), maxScopes)] {
		shown.Scopes = append(shown.Scopes, c.shown(scope, maxScope))
	}
	if i.Scopes != nil && shown.Scopes == nil {
		shown.Scopes = []string{}
	}
	if i.Detail != nil {
		shown.Detail = make(map[string]string)
	}
	for _, name := range slices.Sorted(maps.Keys(i.Detail)) {
		if len(shown.Detail) < maxDetails && legalField.MatchString(name) && len(name) <= maxScope {
			shown.Detail[name] = c.shown(i.Detail[name], maxDetail)
		}
	}
	// encoding/json fails for years of another form, so the time could not be stored.
	if utc := i.Expires.UTC(); utc.Year() < 1 || utc.Year() > 9999 {
		shown.Expires = time.Time{}
	}
	return shown
}

// hidden replaces a text that contains a part of the credential.
const hidden = "[hidden: it contains a part of the credential]"

func (c Credential) shown(text string, most int) string {
	text = outbound.Shown(text, most)
	if c.fields == nil {
		return text
	}
	for _, secret := range c.fields() {
		if containsPart(text, secret) {
			return hidden
		}
	}
	return text
}

// containsPart reports whether text contains window consecutive bytes of a secret. A shorter secret
// is not found: it could be a usual word, such as the token `root` of a development server.
func containsPart(text string, secret []byte) bool {
	for k := 0; k+window <= len(text); k++ {
		if bytes.Contains(secret, []byte(text[k:k+window])) {
			return true
		}
	}
	return false
}
