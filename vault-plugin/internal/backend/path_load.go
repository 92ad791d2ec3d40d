package backend

import (
	"context"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
)

func (b *Backend) loadPaths() []*framework.Path {
	return []*framework.Path{{
		Pattern:         "load" + inEnvironment,
		DisplayAttrs:    display(),
		Fields:          pathFields(3),
		HelpSynopsis:    "Deliver an environment: every live secret, name and value.",
		HelpDescription: loadHelp,
		Operations: operations{
			logical.ReadOperation: operation(b.handle(loadEnvironment), "Read every live secret of an environment.", "load", "environment",
				openResponse("A flat map of names and values.")),
		},
	}}
}

func loadEnvironment(ctx context.Context, c *call) (*logical.Response, error) {
	all, err := c.secrets.Load(ctx, c.scope(), c.workspace, c.project, c.environment)
	if err != nil {
		return nil, err
	}
	values := make(map[string]any, len(all))
	for _, s := range all {
		values[s.Name] = encode(s.Value, s.Version.Encoding)
	}
	return answer(values)
}

const loadHelp = `
The answer reads like a KV version 1 secret, so whatever reads those reads this: vault kv get, Vault Agent, consul-template,
envconsul, External Secrets Operator, Vault Secrets Operator. A workload needs a policy of one line:

    path "stashbase/load/acme/api/production" { capabilities = ["read"] }

    $ vault kv get stashbase/load/acme/api/production

All values are of one moment. A value written with encoding=base64 is delivered in base64. If one secret cannot be opened, the
answer is an error that names it: an environment with a hole in it is never delivered.
`
