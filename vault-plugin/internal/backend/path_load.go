package backend

import (
	"context"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/secrets"
)

func (b *Backend) loadPaths() []*framework.Path {
	return []*framework.Path{{
		Pattern:         "load" + inEnvironment,
		DisplayAttrs:    display(),
		Fields:          pathFields(3, selectionFields()),
		HelpSynopsis:    "Deliver an environment: every live secret, name and value.",
		HelpDescription: loadHelp,
		Operations: operations{
			logical.ReadOperation: operation(b.handle(loadEnvironment), "Read every live secret of an environment.", "load", "environment",
				openResponse("A flat map of names and values.")),
		},
	}}
}

const (
	fieldInclude   = "include"
	fieldExclude   = "exclude"
	fieldVersionAt = "version_at"
)

// selectionFields say which secrets are delivered, and as of when.
func selectionFields() fields {
	return fields{
		fieldInclude:   query(wordsField("Patterns of the names to deliver, such as DB_*; left out: all.")),
		fieldExclude:   query(wordsField("Patterns of the names to leave out.")),
		fieldVersionAt: query(&framework.FieldSchema{Type: framework.TypeTime, Description: "Deliver what was the newest at this moment, RFC 3339. A version that is gone is an error, never the nearest one."}),
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
		return nil, err
	}
	values := make(map[string]any, len(delivery.Secrets))
	for _, s := range delivery.Secrets {
		values[s.Name] = encode(s.Value, s.Version.Encoding)
	}
	return answer(values)
}

const loadHelp = `
The answer reads like a KV version 1 secret, so whatever reads those reads this: vault kv get, Vault Agent, consul-template,
envconsul, External Secrets Operator, Vault Secrets Operator. A workload needs a policy of one line:

    path "stashbase/load/acme/api/production" { capabilities = ["read"] }

    $ vault kv get stashbase/load/acme/api/production
    $ vault read stashbase/load/acme/api/production include=DB_*,CACHE_* exclude=*_PASSWORD
    $ vault read stashbase/load/acme/api/production version_at=2026-01-02T15:04:05Z

All values are of one moment. A value written with encoding=base64 is delivered in base64. If one secret cannot be opened, the
answer is an error that names it: an environment with a hole in it is never delivered.
`
