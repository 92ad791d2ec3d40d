package backend

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/integrations"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/naming"
)

const (
	integrationFamily        = "integrations"
	fieldAuth                = provider.FieldAuth
	fieldAllowedEnvironments = provider.FieldAllowedEnvironments
	fieldAllowedTargets      = provider.FieldAllowedTargets
	fieldState               = provider.FieldState
	fieldGeneration          = provider.FieldGeneration
	fieldFingerprint         = provider.FieldFingerprint
	fieldExpires             = provider.FieldExpires
	fieldLastUsed            = provider.FieldLastUsed
	fieldLastError           = provider.FieldLastError
	fieldSyncs               = provider.FieldSyncs
)

const integrationInfo = "By name: updated_time, state, generation, expires_time, last_used_time, syncs, last_error_class."

// integrationPaths returns the paths of integrations. They derive from the providers' declarations,
// and this package knows no provider by name.
func (b *Backend) integrationPaths() []*framework.Path {
	paths := []*framework.Path{{
		Pattern:         integrationFamily + inWorkspace + "/?",
		DisplayAttrs:    display(),
		Fields:          pathFields(1, listFields()),
		HelpSynopsis:    "List the integrations of a workspace, which hold its credentials for providers.",
		HelpDescription: integrationHelp,
		Operations: operations{
			logical.ListOperation: operation(b.handle(listIntegrations("")), "List the integrations of a workspace, as provider/name.", "list", "integrations",
				listResponse("The integrations.", integrationInfo)),
		},
	}}
	for _, name := range b.options.Providers.Names() {
		paths = append(paths, b.providerPaths(b.options.Providers.Provider(name).Declare())...)
	}
	return paths
}

func (b *Backend) providerPaths(d provider.Declaration) []*framework.Path {
	own := provider.IntegrationFields(d)
	returned, sometimes := providerResults(d)
	maps.Copy(returned, engineFields(own, provider.InRead))
	responses := response("The integration.", returned, append(sometimes, optionalFields(own)...)...)
	folder := integrationFamily + inWorkspace + "/" + d.Name
	one := folder + "/(?P<" + fieldName + ">[^/]+)"
	segments := engineFields(own, provider.InPath)
	suffix := d.Name + "-integration"
	help := providerHelp(d)
	return []*framework.Path{
		{
			Pattern:         folder + "/?",
			DisplayAttrs:    display(),
			Fields:          pathFields(1, listFields()),
			HelpSynopsis:    "List the " + d.Title + " integrations of a workspace.",
			HelpDescription: help,
			Operations: operations{
				logical.ListOperation: operation(b.handle(listIntegrations(d.Name)), "List the "+d.Title+" integrations of a workspace.", "list", suffix+"s",
					listResponse("The integrations.", integrationInfo)),
			},
		},
		{
			Pattern:         one,
			DisplayAttrs:    display(),
			Fields:          fieldsOf(segments, engineFields(own, provider.InWrite), providerFields(d)),
			ExistenceCheck:  b.exists(func(c *call) bool { return c.Integrations.Exists(integrationAt(c, d)) }),
			HelpSynopsis:    "Create, read, change or delete a " + d.Title + " integration: a credential and the limits of its use.",
			HelpDescription: help,
			Operations: operations{
				logical.ReadOperation:   operation(b.handle(readIntegration(d)), "Read an integration, without its credential.", "read", suffix, responses),
				logical.CreateOperation: changing(operation(b.handle(putIntegration(d)), "Create an integration.", "create", suffix, responses)),
				logical.UpdateOperation: changing(operation(b.handle(putIntegration(d)), "Change the given fields and keep the others.", "write", suffix, responses)),
				logical.PatchOperation:  changing(operation(b.handle(putIntegration(d)), "Change the given fields; null resets a field.", "patch", suffix, responses)),
				logical.DeleteOperation: deleting(operation(b.handle(deleteIntegration(d)), "Delete an integration and its credential. The credential is not revoked at the provider.", "delete", suffix,
					response("What was deleted.", fields{
						"provider": stringField("Provider of the integration."),
						fieldName:  stringField("Name of the integration."),
					}))),
			},
		},
		{
			Pattern:         one + "/verify",
			DisplayAttrs:    display(),
			Fields:          segments,
			HelpSynopsis:    "Ask " + d.Title + " for the account, the rights and the expiry of an integration's credential.",
			HelpDescription: verifyHelp,
			Operations: operations{
				logical.UpdateOperation: changing(operation(b.handle(verifyIntegration(d)), "Ask the provider about the credential. Returns within 10 seconds.", "verify", suffix,
					response("The credential's account, rights and expiry, and the limits of its use.", verifyResults(own)))),
			},
		},
	}
}

func verifyResults(own []provider.EngineField) fields {
	all := engineFields(own, provider.InRead)
	return fields{
		"provider":               all["provider"],
		fieldName:                all[fieldName],
		"account":                stringField("Account of the credential at the provider."),
		"scopes":                 list("Rights of the credential, as the provider reports them."),
		"detail":                 object("Further details that the provider reports."),
		fieldExpires:             stringField("When the credential expires, RFC 3339. Empty if the provider does not report it."),
		fieldGeneration:          all[fieldGeneration],
		fieldFingerprint:         all[fieldFingerprint],
		fieldAllowedEnvironments: all[fieldAllowedEnvironments],
		fieldAllowedTargets:      all[fieldAllowedTargets],
		fieldSyncs:               all[fieldSyncs],
		"lacks":                  list("One sentence for each thing that the credential lacks."),
	}
}

// listIntegrations lists the integrations of a provider by name. With an empty prov it lists the
// integrations of all providers by provider/name.
func listIntegrations(prov string) handler {
	return func(_ context.Context, c *call) (*logical.Response, error) {
		all, err := c.Integrations.List(c.request(), c.path.Workspace, prov)
		if err != nil {
			return nil, err
		}
		items := make([]item, len(all))
		for i, d := range all {
			info := map[string]any{
				fieldUpdated: stamp(d.Record.Stamp.Updated), fieldState: string(d.State), fieldGeneration: d.Record.Credential.Generation,
				fieldExpires: moment(d.Expires), fieldLastUsed: moment(d.Used.At), fieldSyncs: len(d.Syncs), "last_error_class": "",
			}
			if d.Used.Error != nil {
				info["last_error_class"] = d.Used.Error.Class
			}
			key := d.Name
			if prov == "" {
				key = d.InWorkspace()
			}
			items[i] = item{key, info}
		}
		return respondList(c, items)
	}
}

func readIntegration(d provider.Declaration) handler {
	return func(_ context.Context, c *call) (*logical.Response, error) {
		i, err := c.Integrations.Read(c.request(), integrationAt(c, d))
		if err != nil {
			return nil, err
		}
		return respondIntegration(c, i)
	}
}

func putIntegration(d provider.Declaration) handler {
	return func(ctx context.Context, c *call) (*logical.Response, error) {
		var change integrations.Change
		assignProvider(c, d, &change)
		defer func() {
			for _, secret := range change.Secrets {
				clear(secret)
			}
		}()
		change.Description, change.Auth = given[string](c, fieldDescription), given[string](c, fieldAuth)
		change.AllowedEnvironments = given[[]string](c, fieldAllowedEnvironments)
		change.AllowedTargets = given[[]string](c, fieldAllowedTargets)
		if change.Auth != nil && *change.Auth == "" {
			change.Auth = &d.Auth[0].Name
		}
		mustExist := c.req.Operation == logical.PatchOperation
		i, err := c.Integrations.Put(ctx, c.request(), integrationAt(c, d), mustExist, change)
		if err != nil {
			return nil, err
		}
		return respondIntegration(c, i)
	}
}

func deleteIntegration(d provider.Declaration) handler {
	return func(ctx context.Context, c *call) (*logical.Response, error) {
		gone, err := c.Integrations.Delete(ctx, c.request(), integrationAt(c, d))
		if err != nil {
			return nil, err
		}
		return respond(map[string]any{"provider": gone.Provider, fieldName: gone.Name})
	}
}

func verifyIntegration(d provider.Declaration) handler {
	return func(ctx context.Context, c *call) (*logical.Response, error) {
		v, err := c.Integrations.Verify(ctx, c.request(), integrationAt(c, d))
		if err != nil {
			return nil, err
		}
		return respond(map[string]any{
			"provider": v.Provider, fieldName: v.Name, "account": v.Identity.Account, "scopes": append([]string{}, v.Identity.Scopes...),
			"detail": stringMap(v.Identity.Detail), fieldExpires: moment(v.Identity.Expires),
			fieldGeneration: v.Record.Credential.Generation, fieldFingerprint: v.Record.Credential.Fingerprint,
			fieldAllowedEnvironments: append([]string{}, v.Record.AllowedEnvironments...),
			fieldAllowedTargets:      append([]string{}, v.Record.AllowedTargets...),
			fieldSyncs:               append([]string{}, v.Syncs...), "lacks": append([]string{}, v.Lacks...),
		})
	}
}

// respondIntegration returns an integration. It adds a warning if the credential is unreadable, so
// that a caller who has changed the endpoint sees it.
func respondIntegration(c *call, i integrations.Described) (*logical.Response, error) {
	hint := ""
	if i.State != integrations.Ready {
		hint = "the credential cannot be read: " + i.Why + "; supply it again with: vault write " + c.req.MountPoint + integrationFamily + "/" + i.String() + " ..."
	}
	all := describeProvider(i)
	maps.Copy(all, map[string]any{
		"provider": i.Provider, fieldName: i.Name, fieldDescription: i.Record.Description, fieldAuth: i.Auth,
		fieldAllowedEnvironments: append([]string{}, i.Record.AllowedEnvironments...),
		fieldAllowedTargets:      append([]string{}, i.Record.AllowedTargets...),
		fieldState:               string(i.State), "hint": hint,
		fieldGeneration: i.Record.Credential.Generation, fieldFingerprint: i.Record.Credential.Fingerprint,
		"credential_time": stamp(i.Record.Credential.Supplied), fieldExpires: moment(i.Expires),
		fieldCreated: stamp(i.Record.Stamp.Created), fieldUpdated: stamp(i.Record.Stamp.Updated),
		fieldLastUsed: moment(i.Used.At), fieldSyncs: append([]string{}, i.Syncs...),
	})
	if e := i.Used.Error; e != nil {
		all[fieldLastError] = map[string]any{"class": e.Class, "text": e.Text, "time": stamp(e.At)}
	}
	resp, err := respond(all)
	if hint != "" {
		resp.AddWarning(hint)
	}
	return resp, err
}

// checkProvider rejects a path with an unknown provider and lists the known providers.
func (b *Backend) checkProvider(path string) error {
	segments := strings.Split(path, "/")
	if len(segments) < 3 || segments[0] != integrationFamily || segments[2] == "" {
		return nil
	}
	names := b.options.Providers.Names()
	if slices.Contains(names, segments[2]) {
		return nil
	}
	if err := naming.Check("provider", segments[2]); err != nil {
		return err
	}
	return fault.New(fault.NotFound, "provider %q does not exist; the providers are: %s", segments[2], strings.Join(names, ", "))
}

// integrationAt returns the path of the integration of a provider that a call is about.
func integrationAt(c *call, d provider.Declaration) integrations.Path {
	return integrations.Path{Workspace: c.path.Workspace, Provider: d.Name, Name: c.name}
}
