package backend

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/charset"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/document"
)

// specialNames holds names that clients of KV version 1 read as fields of Vault's own responses.
// `vault kv get` panics if metadata is a string. consul-template takes each of the pairs for a
// rotated database user, a certificate, or a secret id, and panics if the second is no number. The
// first pair also stops Vault Agent. KV version 1 has the same problem.
var specialNames = []struct {
	names []string
	fails string
}{
	{[]string{"metadata"}, "vault kv get"},
	{[]string{"rotation_period", "ttl"}, "consul-template and Vault Agent"},
	{[]string{"certificate", "expiration"}, "consul-template"},
	{[]string{"secret_id", "secret_id_ttl"}, "consul-template"},
}

// others says what a write does with the secrets that it does not name.
type others bool

const (
	keepsOthers   others = true
	deletesOthers others = false
)

// warnOfNames adds a warning if the written names, with the names that exist besides them, have a
// special meaning for clients of load.
func warnOfNames(c *call, resp *logical.Response, written []string, rest others) {
	for _, special := range specialNames {
		if !slices.ContainsFunc(special.names, func(name string) bool { return slices.Contains(written, name) }) {
			continue
		}
		complete := !slices.ContainsFunc(special.names, func(name string) bool {
			return !slices.Contains(written, name) && (rest == deletesOthers || !c.Secrets.Exists(c.path, name))
		})
		if complete {
			resp.AddWarning(fmt.Sprintf("name: %s makes %s fail when they read load; use another name, or read render", strings.Join(special.names, " beside "), special.fails))
		}
	}
}

// warnOfValues adds a warning for each thing that is unusual about values of an import.
func warnOfValues(resp *logical.Response, field string, values map[string][]byte) {
	remarked := make(map[string][]string)
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if remark := charset.Remark(values[name]); remark != "" {
			remarked[remark] = append(remarked[remark], name)
		}
	}
	for _, remark := range slices.Sorted(maps.Keys(remarked)) {
		resp.AddWarning(fmt.Sprintf("%s: %s: the value %s", field, document.Listed(remarked[remark]), remark))
	}
}
