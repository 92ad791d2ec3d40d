package backend

import (
	"context"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/policies"
)

const fieldRole = "role"

func (b *Backend) policyPaths() []*framework.Path {
	about := make(fields)
	for name, f := range pathFields(3) {
		f.Required = false
		about[name] = query(f)
	}
	about[fieldContext] = query(stringField("Name of the context under which a service encrypts data."))
	about[fieldRole] = stringField("Name of the role.")
	return []*framework.Path{
		{
			Pattern:         "policies/?",
			DisplayAttrs:    display(),
			Fields:          listFields(),
			HelpSynopsis:    "List the roles that have a ready-made policy.",
			HelpDescription: policyHelp,
			Operations: operations{
				logical.ListOperation: operation(b.handle(listPolicies), "List the roles.", "list", "policies",
					listResponse("The roles.", "By name: description, required parameters, optional parameters.")),
			},
		},
		{
			Pattern:         "policies/(?P<" + fieldRole + ">[^/]+)",
			DisplayAttrs:    display(),
			Fields:          about,
			HelpSynopsis:    "Read a ready-made Vault policy with the least rights that a role needs.",
			HelpDescription: policyHelp,
			Operations: operations{
				logical.ReadOperation: operation(b.handle(readPolicy), "Read the policy of a role.", "read", "policy",
					response("The policy.", fields{
						fieldRole:        stringField("Name of the role."),
						fieldDescription: stringField("Purpose of the role."),
						"policy":         stringField("The policy in HCL, for `vault policy write`."),
					})),
			},
		},
	}
}

func listPolicies(_ context.Context, c *call) (*logical.Response, error) {
	var items []item
	for _, name := range policies.Roles() {
		role, err := policies.Lookup(name)
		if err != nil {
			return nil, err
		}
		items = append(items, item{name, map[string]any{
			fieldDescription: role.Description, "required": append([]string{}, role.Required...), "optional": append([]string{}, role.Optional...),
		}})
	}
	return respondList(c, items)
}

func readPolicy(_ context.Context, c *call) (*logical.Response, error) {
	name := c.text(fieldRole)
	role, err := policies.Lookup(name)
	if err != nil {
		return nil, err
	}
	policy, err := policies.Render(name, policies.Params{
		Mount: c.req.MountPoint, Workspace: c.path.Workspace, Project: c.path.Project, Environment: c.path.Environment, Context: c.context,
	})
	if err != nil {
		return nil, err
	}
	return respond(map[string]any{fieldRole: role.Name, fieldDescription: role.Description, "policy": policy})
}

const policyHelp = `
A policy is generated for this mount and for the names given as parameters. It contains only the
rights that the role needs. Review the policy before you use it.

    $ vault list stashbase/policies
    $ vault read -field=policy stashbase/policies/workload workspace=acme project=api environment=production | vault policy write api-production -
`
