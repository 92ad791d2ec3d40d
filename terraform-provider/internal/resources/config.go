package resources

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/boolplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/int64planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/setplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/stashbase/vault-stashbase/terraform-provider/internal/base"
)

// setting is a field of the engine's configuration. A new setting is one new line in settings.
type setting struct {
	name, help string
	kind       tftypes.Type
}

func settings() []setting {
	number, truth := tftypes.Number, tftypes.Bool
	return []setting{
		{"max_versions", "Number of versions to keep of each secret.", number},
		{"cas_required", "Whether every write of a secret must name the version it replaces.", truth},
		{"delete_version_after", "Number of seconds after which a version is deleted; 0 means never.", number},
		{"max_value_bytes", "Maximum size of a secret's value in bytes.", number},
		{"max_secrets", "Maximum number of secrets in one environment.", number},
		{"max_environment_bytes", "Maximum size in bytes of all names, newest values, tags, comments and custom metadata in one environment.", number},
		{"max_projects", "Maximum number of projects in one workspace.", number},
		{"max_environments", "Maximum number of environments in one workspace, in all its projects together.", number},
		{"keyring_cache_size", "Number of workspaces whose keys are kept unwrapped in memory.", number},
		{"keyring_cache_ttl", "Number of seconds that a workspace's keys are kept unwrapped in memory.", number},
		{"secret_cache_bytes", "Size in bytes of the cache of sealed secrets.", number},
		{"egress_allow", "Private, loopback and other special-purpose addresses that the engine may connect to, as rules `[workspace=]CIDR[:port][+http]`.", tftypes.Set{ElementType: tftypes.String}},
		{"proxy_url", "URL of an HTTP proxy for all requests to providers. Empty means no proxy.", tftypes.String},
		{"paused", "Whether all requests to providers are paused, for every workspace.", truth},
	}
}

func (s setting) attribute() schema.Attribute {
	switch {
	case s.kind.Is(tftypes.Number):
		return schema.Int64Attribute{Optional: true, Computed: true, MarkdownDescription: s.help, PlanModifiers: []planmodifier.Int64{int64planmodifier.UseStateForUnknown()}}
	case s.kind.Is(tftypes.String):
		return schema.StringAttribute{Optional: true, Computed: true, MarkdownDescription: s.help, PlanModifiers: []planmodifier.String{stringplanmodifier.UseStateForUnknown()}}
	case s.kind.Is(tftypes.Bool):
		return schema.BoolAttribute{Optional: true, Computed: true, MarkdownDescription: s.help, PlanModifiers: []planmodifier.Bool{boolplanmodifier.UseStateForUnknown()}}
	default:
		return schema.SetAttribute{Optional: true, Computed: true, ElementType: types.StringType, MarkdownDescription: s.help, PlanModifiers: []planmodifier.Set{setplanmodifier.UseStateForUnknown()}}
	}
}

// configured is the private data of the resource: the settings that this configuration manages.
type configured struct {
	Settings []string `json:"settings"`
}

// Config returns the resource stashbase_config.
func Config() resource.Resource {
	attributes := map[string]schema.Attribute{}
	for _, s := range settings() {
		attributes[s.name] = s.attribute()
	}
	return base.New(base.Kind[base.Object]{
		Name: "config",
		Help: "The configuration of the engine's mount: defaults for all workspaces, limits and caches. Each mount has exactly one.\n\n" +
			"The resource manages only the settings that it sets. A setting that is removed from the resource, or whose resource is destroyed, is reset to the engine's default.",
		Attributes: attributes,
		Create:     putConfig, Adopt: base.Again(putConfig), Read: readConfig, Update: putConfig, Delete: resetConfig, Plan: planConfig,
	})()
}

// planConfig marks the settings that were removed from the configuration as unknown, because the
// apply resets them.
func planConfig(ctx context.Context, c *base.PlanCall[base.Object]) error {
	for _, s := range forgotten(ctx, c.Recall, &c.Config) {
		c.Model.Unknown(s.name, s.kind)
	}
	return nil
}

// forgotten returns the settings that this resource managed and that the configuration no longer
// sets.
func forgotten(ctx context.Context, recall func(context.Context, any) bool, given *base.Object) []setting {
	var last configured
	recall(ctx, &last)
	var all []setting
	for _, s := range settings() {
		for _, name := range last.Settings {
			if name == s.name && !given.Given(name) {
				all = append(all, s)
			}
		}
	}
	return all
}

func putConfig(ctx context.Context, c *base.Call[base.Object]) error {
	changes := map[string]any{}
	var now configured
	for _, s := range settings() {
		if !c.Config.Given(s.name) {
			continue
		}
		value, err := c.Config.JSON(s.name)
		if err != nil {
			return err
		}
		changes[s.name], now.Settings = value, append(now.Settings, s.name)
	}
	for _, s := range forgotten(ctx, c.Recall, &c.Config) {
		changes[s.name] = nil
	}
	response, err := c.Client.PatchConfig(ctx, changes)
	if err != nil {
		return err
	}
	for _, s := range settings() {
		// A setting that was not sent, and whose plan is known, keeps its planned value. If someone
		// has changed it meanwhile, the next refresh shows that.
		if _, sent := changes[s.name]; sent || !c.Model[s.name].IsKnown() {
			if err := c.Model.SetJSON(s.name, s.kind, response[s.name]); err != nil {
				return err
			}
		}
	}
	return c.Keep(ctx, now)
}

func readConfig(ctx context.Context, c *base.Call[base.Object]) error {
	response, err := c.Client.Config(ctx)
	if err != nil {
		return err
	}
	for _, s := range settings() {
		if err := c.Model.SetJSON(s.name, s.kind, response[s.name]); err != nil {
			return err
		}
	}
	return nil
}

func resetConfig(ctx context.Context, c *base.Call[base.Object]) error {
	var last configured
	if !c.Recall(ctx, &last) || len(last.Settings) == 0 {
		return nil
	}
	changes := map[string]any{}
	for _, name := range last.Settings {
		changes[name] = nil
	}
	_, err := c.Client.PatchConfig(ctx, changes)
	return err
}
