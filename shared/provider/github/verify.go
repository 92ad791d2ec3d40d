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

// Headers that tell of a token.
const (
	headerScopes  = "X-Oauth-Scopes"                         // of a classic one
	headerExpires = "Github-Authentication-Token-Expiration" // of one that expires
)

// Verify asks GitHub whose token it is. An installation of a GitHub App is no user, so it is asked what it reaches.
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
	answer, err := c.get(ctx, op, "/user", &user)
	if outbound.ClassOf(err) == outbound.Permission {
		return c.installation(ctx)
	}
	if err != nil {
		return provider.Identity{}, err
	}
	if !legalLogin.MatchString(user.Login) {
		return provider.Identity{}, strange(op, false, nil)
	}
	identity := identify(answer.Header)
	identity.Account = user.Login
	if user.Type == "User" || user.Type == "Bot" || user.Type == "Organization" {
		identity.Detail["account_type"] = user.Type
	}
	return identity, nil
}

// legalLogin takes what bots have beside the names of people.
var legalLogin = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,99}(\[bot\])?$`)

func (c *client) installation(ctx context.Context) (provider.Identity, error) {
	op := operation{name: "look up the installation"}
	var told struct {
		Count *int `json:"total_count"`
	}
	answer, err := c.get(ctx, op, "/installation/repositories?per_page=1", &told)
	if err != nil {
		return provider.Identity{}, err
	}
	if told.Count == nil {
		return provider.Identity{}, strange(op, false, nil)
	}
	identity := identify(answer.Header)
	identity.Account = "installation of a GitHub App"
	identity.Detail["token_type"] = "installation"
	identity.Detail["repositories"] = strconv.Itoa(*told.Count)
	return identity, nil
}

// identify reads what headers tell of a token. Those of fine-grained tokens tell no permissions.
func identify(h http.Header) provider.Identity {
	identity := provider.Identity{Expires: parseExpiry(h.Get(headerExpires)), Detail: map[string]string{"token_type": "fine-grained"}}
	if values, classic := h[headerScopes]; classic {
		identity.Detail["token_type"] = "classic"
		identity.Scopes = parseScopes(strings.Join(values, ","))
	}
	return identity
}

var legalScope = regexp.MustCompile(`^[a-z_]+(:[a-z_]+)?$`)

// parseScopes reads `repo, read:org`. What is no scope is left out.
func parseScopes(header string) []string {
	scopes := []string{}
	for word := range strings.SplitSeq(header, ",") {
		if word = strings.TrimSpace(word); legalScope.MatchString(word) && len(word) <= 64 {
			scopes = append(scopes, word)
		}
	}
	return scopes
}

// parseExpiry reads `2027-01-31 09:00:00 UTC` and `2027-01-31 10:00:00 +0100`; zero for anything else. GitHub has sent both.
func parseExpiry(header string) time.Time {
	for _, layout := range []string{"2006-01-02 15:04:05 UTC", "2006-01-02 15:04:05 -0700"} {
		if at, err := time.Parse(layout, header); err == nil {
			return at.UTC()
		}
	}
	return time.Time{}
}
