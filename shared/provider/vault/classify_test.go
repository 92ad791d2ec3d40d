package vault

import (
	"net/http"
	"testing"

	"github.com/stashbase/vault-stashbase/shared/outbound"
)

// The bodies are those of Vault 1.21.
func TestErrorResponsesAreClassified(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   string
		class  outbound.Class
		known  bool
	}{
		"another version": {http.StatusBadRequest, `{"errors":["check-and-set parameter did not match the current version"]}`, outbound.Conflict, true},
		"expired token":   {http.StatusForbidden, `{"errors":["2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n"]}`, outbound.Auth, true},
		"no right":        {http.StatusForbidden, `{"errors":["1 error occurred:\n\t* permission denied\n\n"]}`, outbound.Permission, true},
		"no such mount": {
			http.StatusForbidden, `{"errors":["preflight capability check returned 403, please ensure client's policies grant access to path \"x/\""]}`, outbound.NotFound, true,
		},
		"a string too long":     {http.StatusInternalServerError, `{"errors":["JSON string value exceeds allowed length"]}`, outbound.Limit, true},
		"an entry too large":    {http.StatusInternalServerError, `{"errors":["1 error occurred:\n\t* put failed due to value being too large\n\n"]}`, outbound.Limit, true},
		"a body too large":      {http.StatusRequestEntityTooLarge, `{"errors":["http: request body too large"]}`, outbound.Limit, true},
		"a node behind":         {http.StatusPreconditionFailed, `{"errors":["required index state not present"]}`, outbound.Provider, true},
		"sealed":                {http.StatusServiceUnavailable, `{"errors":["Vault is sealed"]}`, outbound.Provider, true},
		"a standby":             {473, ``, outbound.Provider, true},
		"a secondary":           {472, ``, outbound.Provider, true},
		"no such operation":     {http.StatusMethodNotAllowed, `{"errors":["1 error occurred:\n\t* unsupported operation\n\n"]}`, outbound.Invalid, true},
		"nothing there":         {http.StatusNotFound, `{"errors":[]}`, "", false},
		"a quota":               {http.StatusTooManyRequests, `{"errors":["request path \"x\": rate limit quota exceeded"]}`, "", false},
		"a failure":             {http.StatusInternalServerError, `{"errors":["internal error"]}`, "", false},
		"a page of a proxy":     {http.StatusBadGateway, `<html>invalid token</html>`, "", false},
		"a proxy that forbids":  {http.StatusForbidden, `<html>invalid token</html>`, outbound.Permission, true},
		"errors in another way": {http.StatusBadRequest, `{"errors":{"a":"invalid token"}}`, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			class, hint, known := classify(&outbound.Response{Status: c.status, Body: []byte(c.body)})
			if class != c.class || known != c.known {
				t.Errorf("class %q, %t; want %q, %t", class, known, c.class, c.known)
			}
			if !known && hint != "" {
				t.Errorf("an unknown response has the hint %q", hint)
			}
		})
	}
}

func TestPathsAreChecked(t *testing.T) {
	for path, legal := range map[string]bool{
		"acme": true, "acme/api": true, "/acme/api/": true, "acme/Two words": true, "acme/ä": true, "a.b/.c": true,
		"": false, "/": false, "acme//api": false, "..": false, "acme/../api": false, "acme/a..b": false, ".": false, "acme/./api": false, "acme/ api": false,
		"acme/api ": false, "acme/\x00": false, "acme/a\nb": false, "acme/\u202eapi": false, string(make([]byte, maxPath+1)): false,
	} {
		if err := checkPath(path); (err == nil) != legal {
			t.Errorf("%q: %v", path, err)
		}
	}
}
