package backend

import (
	"context"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/secrets"
)

// loadCategory is the category that clients read like a KV version 1 mount.
const loadCategory = "load"

func (b *Backend) loadPaths() []*framework.Path {
	return []*framework.Path{{
		Pattern:         loadCategory + inEnvironment,
		DisplayAttrs:    display(),
		Fields:          pathFields(3, selectionFields()),
		HelpSynopsis:    "Read the names and values of all live secrets of an environment.",
		HelpDescription: loadHelp,
		Operations: operations{
			logical.ReadOperation: operation(b.handle(loadEnvironment), "Read all live secrets of an environment.", "load", "environment",
				openResponse("Names and values in one flat map.")),
		},
	}}
}

const (
	fieldInclude   = "include"
	fieldExclude   = "exclude"
	fieldVersionAt = "version_at"
)

// selectionFields returns the fields that select the secrets to deliver and their point in time.
func selectionFields() fields {
	return fields{
		fieldInclude:   query(wordsField("Patterns of the names to return, such as DB_*; at most 64, each of at most 256 bytes. If absent, all names are returned.")),
		fieldExclude:   query(wordsField("Patterns of the names to leave out, even if include matches them; at most 64, each of at most 256 bytes.")),
		fieldVersionAt: query(&framework.FieldSchema{Type: framework.TypeTime, Description: "Return the versions that were the newest at this time, RFC 3339. If such a version is deleted, expired or destroyed now, or no longer kept, the request fails."}),
	}
}

func (c *call) selection() secrets.Selection {
	var sel secrets.Selection
	sel.Include, _ = c.data.Get(fieldInclude).([]string)
	sel.Exclude, _ = c.data.Get(fieldExclude).([]string)
	sel.At, _ = c.data.Get(fieldVersionAt).(time.Time)
	return sel
}

func loadEnvironment(ctx context.Context, c *call) (*logical.Response, error) {
	delivery, err := c.Secrets.Deliver(ctx, c.request(), c.path, c.selection())
	if err != nil {
		return nil, c.undelivered(err)
	}
	defer delivery.Wipe()
	values := make(map[string]any, len(delivery.Secrets))
	for _, s := range delivery.Secrets {
		values[s.Name] = encode(s.Value, s.Version.Encoding)
	}
	return respond(values)
}

// undelivered returns the error of a delivery. Only an environment that does not exist has status
// 404, because a client may delete its own copy of the secrets on that status. A reference or a past
// version that cannot be delivered has another status.
func (c *call) undelivered(err error) error {
	if fault.Is(err, fault.NotFound) {
		if _, missing := c.Tree.Environment(c.request(), c.path); fault.Is(missing, fault.NotFound) {
			return asKV(err)
		}
	}
	return err
}

const loadHelp = `
The response has the format of a KV version 1 secret, so existing clients work unchanged. Examples are
vault kv get, Vault Agent, consul-template, envconsul, External Secrets Operator and Vault Secrets
Operator. A workload needs a policy with one line:

    path "stashbase/load/acme/api/production" { capabilities = ["read"] }

    $ vault kv get stashbase/load/acme/api/production
    $ vault read stashbase/load/acme/api/production include=DB_*,CACHE_* exclude=*_PASSWORD
    $ vault read stashbase/load/acme/api/production version_at=2026-01-02T15:04:05Z

version_at delivers a past moment. A version of that moment that is deleted, expired or destroyed now
is not delivered: the request fails and the error names the secret.

All values are from the same point in time. A value that was written with encoding=base64 is returned
in base64. If a secret cannot be decrypted, the request fails and the error names the secret. A
response never contains only a part of the selected secrets.

If the environment does not exist, the status is 404, as for a KV secret. Some clients, vault kv get
among them, then do not show the text of the error. A list below load/ returns the environments that
can be loaded.
`
