package vault

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/stashbase/vault-stashbase/shared/outbound"
)

// Parts of the error messages of Vault 1.21. Only this file compares them.
const (
	// Vault-plugin-secrets-kv path_data.go.
	saysOtherVersion = "check-and-set parameter did not match the current version"
	// Sdk/logical/error.go ErrInvalidToken.
	saysInvalidToken = "invalid token"
	// Vault/request_handling.go.
	saysNoToken = "missing client token"
	// Vault/logical_system.go pathInternalUIMountRead.
	saysNoAccess = "preflight capability check returned 403"
	// Sdk/physical/physical.go ErrValueTooLarge.
	saysTooLarge = "value being too large"
	// The listener's max_json_* limits.
	saysJSONLimit = "exceeds allowed"
)

// classify returns the class of an error response of Vault.
func classify(r *outbound.Response) (class outbound.Class, hint string, known bool) {
	message := errorsOf(r.Body)
	switch {
	case strings.Contains(message, saysOtherVersion):
		return outbound.Conflict, "the secret was changed by others in the meantime", true
	case strings.Contains(message, saysTooLarge), strings.Contains(message, saysJSONLimit), r.Status == http.StatusRequestEntityTooLarge:
		return outbound.Limit, "the secret is too large for Vault", true
	case strings.Contains(message, saysInvalidToken), strings.Contains(message, saysNoToken), r.Status == http.StatusUnauthorized:
		return outbound.Auth, "the token has expired, was revoked or belongs to another Vault: supply a new token", true
	case r.Status == http.StatusForbidden && strings.Contains(message, saysNoAccess):
		return outbound.NotFound, "", true
	case r.Status == http.StatusForbidden:
		return outbound.Permission, "", true
	case r.Status == http.StatusMethodNotAllowed:
		return outbound.Invalid, "the mount does not support this operation: check that it is a KV engine", true
	case r.Status == http.StatusPreconditionFailed:
		return outbound.Provider, "the Vault node has not caught up with the active node yet", true
	case r.Status == http.StatusServiceUnavailable:
		return outbound.Provider, "Vault is sealed, is starting or has no active node", true
	case r.Status == statusRecoverySecondary || r.Status == statusPerformanceStandby:
		return outbound.Provider, "the Vault node is a secondary or a standby that does not serve this request: set address to the active node, together with the credential", true
	}
	return "", "", false
}

// Vault's own status codes.
const (
	statusRecoverySecondary  = 472
	statusPerformanceStandby = 473
)

func errorsOf(body []byte) string {
	var response struct {
		Errors []string `json:"errors"`
	}
	if json.Unmarshal(body, &response) != nil {
		return ""
	}
	return strings.Join(response.Errors, "\n")
}
