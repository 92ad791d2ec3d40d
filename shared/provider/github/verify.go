package github

import (
	"context"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/shared/provider"
)

// Headers that describe the token.
const (
	headerScopes  = "X-Oauth-Scopes"                         // only for a classic token
	headerExpires = "Github-Authentication-Token-Expiration" // only for a token that expires
)

// Verify returns the account of the token. An installation of a GitHub App has no account, so its
// repositories are counted instead.
func (Provider) Verify(ctx context.Context, s *provider.Session) (provider.Identity, error) {
	c, err := open(s)
	if err != nil {
		return provider.Identity{}, err
	}
	op := operation{name: "look up the account"}
	var user struct {
		Login string `json:"login"`
		Type  string `json:"type"`
	}
	response, err := c.get(ctx, op, "/user", &user)
	if outbound.ClassOf(err) == outbound.Permission {
		return c.installation(ctx)
	}
	if err != nil {
		return provider.Identity{}, err
	}
	if !legalLogin.MatchString(user.Login) {
		return provider.Identity{}, unexpected(op, false, nil)
	}
	identity := identify(response.Header)
	identity.Account = user.Login
	if user.Type == "User" || user.Type == "Bot" || user.Type == "Organization" {
		identity.Detail["account_type"] = user.Type
	}
	return identity, nil
}

// legalLogin matches the names of people and of bots, which end with "[bot]".
var legalLogin = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,99}(\[bot\])?$`)

func (c *client) installation(ctx context.Context) (provider.Identity, error) {
	op := operation{name: "look up the installation"}
	var body struct {
		Count *int `json:"total_count"`
	}
	response, err := c.get(ctx, op, "/installation/repositories?per_page=1", &body)
	if err != nil {
		return provider.Identity{}, err
	}
	if body.Count == nil {
		return provider.Identity{}, unexpected(op, false, nil)
	}
	identity := identify(response.Header)
	identity.Account = "installation of a GitHub App"
	identity.Detail["token_type"] = "installation"
	identity.Detail["repositories"] = strconv.Itoa(*body.Count)
	return identity, nil
}

// identify returns the identity that response headers describe. For a fine-grained token they
// contain no permissions.
func identify(h http.Header) provider.Identity {
	identity := provider.Identity{Expires: parseExpiry(h.Get(headerExpires)), Detail: map[string]string{"token_type": "fine-grained"}}
	if values, classic := h[headerScopes]; classic {
		identity.Detail["token_type"] = "classic"
		identity.Scopes = parseScopes(strings.Join(values, ","))
	}
	return identity
}

var legalScope = regexp.MustCompile(`^[a-z_]+(:[a-z_]+)?$`)

// parseScopes parses a list such as "repo, read:org". It ignores words that are not scopes.
func parseScopes(header string) []string {
	scopes := []string{}
	for word := range strings.SplitSeq(header, ",") {
		if word = strings.TrimSpace(word); legalScope.MatchString(word) && len(word) <= 64 {
			scopes = append(scopes, word)
		}
	}
	return scopes
}

// parseExpiry parses "2027-01-31 09:00:00 UTC" and "2027-01-31 10:00:00 +0100". GitHub has sent
// both forms. It returns the zero time for anything else.
func parseExpiry(header string) time.Time {
	for _, layout := range []string{"2006-01-02 15:04:05 UTC", "2006-01-02 15:04:05 -0700"} {
		if expires, err := time.Parse(layout, header); err == nil {
			return expires.UTC()
		}
	}
	return time.Time{}
}
