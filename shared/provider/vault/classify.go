package vault

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/stashbase/vault-stashbase/shared/outbound"
)

// What Vault 1.21 says, in the one place that compares its words.
const (
	saysOtherVersion = "check-and-set parameter did not match the current version" // vault-plugin-secrets-kv path_data.go
	saysInvalidToken = "invalid token"                                             // sdk/logical/error.go ErrInvalidToken
	saysNoToken      = "missing client token"                                      // vault/request_handling.go
	saysNoAccess     = "preflight capability check returned 403"                   // vault/logical_system.go pathInternalUIMountRead
	saysTooLarge     = "value being too large"                                     // sdk/physical/physical.go ErrValueTooLarge
	saysJSONLimit    = "exceeds allowed"                                           // the listener's max_json_* limits
)

// classify tells what a refusal of Vault means.
func classify(r *outbound.Response) (class outbound.Class, hint string, known bool) {
	said := errorsOf(r.Body)
	switch {
	case strings.Contains(said, saysOtherVersion):
		return outbound.Conflict, "the secret has been changed meanwhile", true
	case strings.Contains(said, saysTooLarge), strings.Contains(said, saysJSONLimit), r.Status == http.StatusRequestEntityTooLarge:
		return outbound.Limit, "Vault does not take a secret as large as this one", true
	case strings.Contains(said, saysInvalidToken), strings.Contains(said, saysNoToken), r.Status == http.StatusUnauthorized:
		return outbound.Auth, "the token has expired, was revoked, or is of another Vault: supply another", true
	case r.Status == http.StatusForbidden && strings.Contains(said, saysNoAccess):
		return outbound.NotFound, "", true
	case r.Status == http.StatusForbidden:
		return outbound.Permission, "", true
	case r.Status == http.StatusMethodNotAllowed:
		return outbound.Invalid, "the mount does not do this: is it a KV engine?", true
	case r.Status == http.StatusPreconditionFailed:
		return outbound.Provider, "the node has not caught up with the others yet", true
	case r.Status == http.StatusServiceUnavailable:
		return outbound.Provider, "Vault is sealed, starting, or without an active node", true
	case r.Status == statusRecoverySecondary || r.Status == statusPerformanceStandby:
		return outbound.Provider, "the node is a secondary or a standby that does not serve this: give the address of the active node", true
	}
	return "", "", false
}

// Statuses that Vault has made up.
const (
	statusRecoverySecondary  = 472
	statusPerformanceStandby = 473
)

func errorsOf(body []byte) string {
	var told struct {
		Errors []string `json:"errors"`
	}
	if json.Unmarshal(body, &told) != nil {
		return ""
	}
	return strings.Join(told.Errors, "\n")
}
