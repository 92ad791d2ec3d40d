package github

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/stashbase/vault-stashbase/shared/outbound"
)

// What GitHub says, in the one place that compares its words. They are looked at in lower case.
const (
	saysSecondary = "secondary rate limit"                        // docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api
	saysPrimary   = "api rate limit exceeded"                     // the same page
	saysAbuse     = "abuse detection mechanism"                   // GitHub Enterprise Server, and the page's older form
	saysAllowList = "ip allow list enabled"                       // "Although you appear to have the correct authorization credentials, ..."
	saysClassic   = "access via a personal access token (classic" // "`ORG` forbids access via a personal access token (classic)."
	saysLifetime  = "token's lifetime is greater than"            // "... forbids access via a fine-grained personal access tokens if the token's lifetime is ..."
)

// classify tells what a refusal of GitHub means.
func classify(r *outbound.Response) (class outbound.Class, hint string, known bool) {
	switch r.Status {
	case http.StatusUnauthorized:
		return outbound.Auth, "the token has expired, was revoked, or is of another GitHub: supply another", true
	case http.StatusTooManyRequests:
		return outbound.RateLimited, "", true
	case http.StatusForbidden:
		return classifyForbidden(r)
	case http.StatusNotFound:
		return outbound.NotFound, "", true
	case http.StatusUnprocessableEntity, http.StatusBadRequest:
		return outbound.Invalid, "GitHub does not take it: the name, the size of the value, or the number of secrets there is against its rules", true
	}
	return "", "", false
}

// classifyForbidden: 403 means that the token may not, and also that it has asked too often.
func classifyForbidden(r *outbound.Response) (class outbound.Class, hint string, known bool) {
	said := messageOf(r.Body)
	switch {
	case r.Header.Get("Retry-After") != "", r.Header.Get("X-Ratelimit-Remaining") == "0",
		strings.Contains(said, saysSecondary), strings.Contains(said, saysPrimary), strings.Contains(said, saysAbuse):
		return outbound.RateLimited, "", true
	case r.Header.Get("X-Github-Sso") != "":
		return outbound.Permission, "the organization asks for single sign-on: authorize the token for it in the settings of the account", true
	case strings.Contains(said, saysAllowList):
		return outbound.Permission, "the organization allows certain IP addresses alone: the address that Vault goes out from must be on its list", true
	case strings.Contains(said, saysClassic):
		return outbound.Permission, "the organization takes no classic tokens: supply a fine-grained one", true
	case strings.Contains(said, saysLifetime):
		return outbound.Permission, "the organization takes no tokens that live as long as this one: supply one that expires earlier", true
	}
	return outbound.Permission, "", true
}

func messageOf(body []byte) string {
	var told struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(body, &told) != nil {
		return ""
	}
	return strings.ToLower(told.Message)
}
