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

const integrationInfo = "By name: updated_time, state, generation, expires_time, last_used_time, syncs, and the class of the last error."

// integrationPaths derive from what the providers declare: nothing here knows one by name.
func (b *Backend) integrationPaths() []*framework.Path {
	paths := []*framework.Path{{
		Pattern:         integrationFamily + inWorkspace + "/?",
		DisplayAttrs:    display(),
		Fields:          pathFields(1, listFields()),
		HelpSynopsis:    "List the integrations of a workspace: the credentials it has at providers.",
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
	answered, sometimes := providerAnswers(d)
	maps.Copy(answered, engineFields(own, provider.InRead))
	answers := response("The integration.", answered, append(sometimes, optionalFields(own)...)...)
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
			ExistenceCheck:  b.existsNamed(func(c *call) bool { return c.Integrations.Exists(c.path.Workspace, d.Name, c.name) }),
			HelpSynopsis:    "Create, read, change or delete a " + d.Title + " integration: a credential, and what it may be used for.",
			HelpDescription: help,
			Operations: operations{
				logical.ReadOperation:   operation(b.handleNamed(readIntegration(d)), "Read an integration, without its credential.", "read", suffix, answers),
				logical.CreateOperation: changing(operation(b.handleNamed(putIntegration(d)), "Create an integration.", "create", suffix, answers)),
				logical.UpdateOperation: changing(operation(b.handleNamed(putIntegration(d)), "Change the fields given, keep the others.", "write", suffix, answers)),
				logical.PatchOperation:  changing(operation(b.handleNamed(putIntegration(d)), "Change the fields given; null resets one.", "patch", suffix, answers)),
				logical.DeleteOperation: changing(operation(b.handleNamed(deleteIntegration(d)), "Delete an integration and its credential. At the provider nothing is revoked.", "delete", suffix,
					response("What was deleted.", fields{
						"provider": stringField("Provider of the integration."),
						fieldName:  stringField("Name the integration had."),
					}))),
			},
		},
		{
			Pattern:         one + "/verify",
			DisplayAttrs:    display(),
			Fields:          segments,
			HelpSynopsis:    "Ask " + d.Title + " who the credential of an integration is.",
			HelpDescription: verifyHelp,
			Operations: operations{
				logical.UpdateOperation: changing(operation(b.handleNamed(verifyIntegration(d)), "Ask the provider who the credential is; within 10 seconds.", "verify", suffix,
					response("Who the credential is, and what it may be used for.", verifyAnswers(own)))),
			},
		},
	}
}

func verifyAnswers(own []provider.EngineField) fields {
	all := engineFields(own, provider.InRead)
	return fields{
		"provider":               all["provider"],
		fieldName:                all[fieldName],
		"account":                stringField("Whom the credential stands for."),
		"scopes":                 list("Its rights, as the provider tells them."),
		"detail":                 object("What else the provider tells of it."),
		fieldExpires:             stringField("When it ends, RFC 3339; empty where the provider does not tell."),
		fieldGeneration:          all[fieldGeneration],
		fieldFingerprint:         all[fieldFingerprint],
		fieldAllowedEnvironments: all[fieldAllowedEnvironments],
		fieldAllowedTargets:      all[fieldAllowedTargets],
		fieldSyncs:               all[fieldSyncs],
		"lacks":                  list("What it lacks for its use, a sentence each."),
	}
}

// listIntegrations lists those of one provider by name, or of all by provider/name.
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
				key = d.Path()
			}
			items[i] = item{key, info}
		}
		return answerList(c, items)
	}
}

func readIntegration(d provider.Declaration) handler {
	return func(_ context.Context, c *call) (*logical.Response, error) {
		i, err := c.Integrations.Read(c.request(), c.path.Workspace, d.Name, c.name)
		if err != nil {
			return nil, err
		}
		return answerIntegration(c, i)
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
		i, err := c.Integrations.Put(ctx, c.request(), c.path.Workspace, d.Name, c.name, mustExist, change)
		if err != nil {
			return nil, err
		}
		return answerIntegration(c, i)
	}
}

func deleteIntegration(d provider.Declaration) handler {
	return func(ctx context.Context, c *call) (*logical.Response, error) {
		gone, err := c.Integrations.Delete(ctx, c.request(), c.path.Workspace, d.Name, c.name)
		if err != nil {
			return nil, err
		}
		return answer(map[string]any{"provider": gone.Provider, fieldName: gone.Name})
	}
}

func verifyIntegration(d provider.Declaration) handler {
	return func(ctx context.Context, c *call) (*logical.Response, error) {
		v, err := c.Integrations.Verify(ctx, c.request(), c.path.Workspace, d.Name, c.name)
		if err != nil {
			return nil, err
		}
		return answer(map[string]any{
			"provider": v.Provider, fieldName: v.Name, "account": v.Identity.Account, "scopes": append([]string{}, v.Identity.Scopes...),
			"detail": stringMap(v.Identity.Detail), fieldExpires: moment(v.Identity.Expires),
			fieldGeneration: v.Record.Credential.Generation, fieldFingerprint: v.Record.Credential.Fingerprint,
			fieldAllowedEnvironments: append([]string{}, v.Record.AllowedEnvironments...),
			fieldAllowedTargets:      append([]string{}, v.Record.AllowedTargets...),
			fieldSyncs:               append([]string{}, v.Syncs...), "lacks": append([]string{}, v.Lacks...),
		})
	}
}

// answerIntegration warns where the credential is unreadable: whoever has changed where it is sent to must see that.
func answerIntegration(c *call, i integrations.Described) (*logical.Response, error) {
	hint := ""
	if i.State != integrations.Ready {
		hint = "the credential cannot be read: " + i.Why + "; supply it again with: vault write " + c.req.MountPoint + integrationFamily + "/" + c.path.Workspace + "/" + i.Path() + " ..."
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
	resp, err := answer(all)
	if hint != "" {
		resp.AddWarning(hint)
	}
	return resp, err
}

// noProvider says of a path that is none, because it names a provider there is not, which providers there are.
func (b *Backend) noProvider(path string) error {
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
	return fault.New(fault.NotFound, "there is no provider %q; the providers are: %s", segments[2], strings.Join(names, ", "))
}
