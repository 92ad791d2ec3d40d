package github

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/stashbase/vault-stashbase/shared/outbound"
)

// Parts of GitHub's error messages, in lower case. Only this file compares them.
const (
	// Docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api.
	saysSecondary = "secondary rate limit"
	saysPrimary   = "api rate limit exceeded" // same page
	// GitHub Enterprise Server, and an older version of the page.
	saysAbuse = "abuse detection mechanism"
	// The text begins: "Although you appear to have the correct authorization credentials".
	saysAllowList = "ip allow list enabled"
	// The text is "`ORG` forbids access via a personal access token (classic).".
	saysClassic = "access via a personal access token (classic"
	// The text goes on from "forbids access via a fine-grained personal access tokens if the".
	saysLifetime = "token's lifetime is greater than"
)

// classify returns the class of an error response of GitHub.
func classify(r *outbound.Response) (class outbound.Class, hint string, known bool) {
	switch r.Status {
	case http.StatusUnauthorized:
		return outbound.Auth, "the token has expired, was revoked or belongs to another GitHub: supply a new token", true
	case http.StatusTooManyRequests:
		return outbound.RateLimited, "", true
	case http.StatusForbidden:
		return classifyForbidden(r)
	case http.StatusNotFound:
		return outbound.NotFound, "", true
	case http.StatusUnprocessableEntity, http.StatusBadRequest:
		return outbound.Invalid, "GitHub rejects the secret: check its name, the size of its value and the number of secrets at the place", true
	}
	return "", "", false
}

// classifyForbidden classifies a 403, which means either a missing permission or too many requests.
func classifyForbidden(r *outbound.Response) (class outbound.Class, hint string, known bool) {
	message := messageOf(r.Body)
	switch {
	case r.Header.Get("Retry-After") != "", r.Header.Get("X-Ratelimit-Remaining") == "0",
		strings.Contains(message, saysSecondary), strings.Contains(message, saysPrimary), strings.Contains(message, saysAbuse):
		return outbound.RateLimited, "", true
	case r.Header.Get("X-Github-Sso") != "":
		return outbound.Permission, "the organization requires single sign-on: authorize the token for it in the settings of its account", true
	case strings.Contains(message, saysAllowList):
		return outbound.Permission, "the organization has an IP allow list: add the address that Vault connects from", true
	case strings.Contains(message, saysClassic):
		return outbound.Permission, "the organization does not accept classic tokens: supply a fine-grained token", true
	case strings.Contains(message, saysLifetime):
		return outbound.Permission, "the organization does not accept tokens with such a long lifetime: supply a token that expires earlier", true
	}
	return outbound.Permission, "", true
}

func messageOf(body []byte) string {
	var response struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(body, &response) != nil {
		return ""
	}
	return strings.ToLower(response.Message)
}
