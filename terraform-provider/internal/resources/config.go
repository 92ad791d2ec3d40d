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

// setting is a field of the engine's configuration. A new one is a new line in settings.
type setting struct {
	name, help string
	kind       tftypes.Type
}

func settings() []setting {
	number, truth := tftypes.Number, tftypes.Bool
	return []setting{
		{"max_versions", "How many versions of a secret are kept.", number},
		{"cas_required", "Whether every write of a secret must say which version it replaces.", truth},
		{"delete_version_after", "How many seconds after it was written a version is deleted; 0 is never.", number},
		{"max_value_bytes", "The largest value of a secret in bytes.", number},
		{"max_secrets", "The most secrets in one environment.", number},
		{"max_environment_bytes", "The most bytes of names and newest values in one environment.", number},
		{"max_projects", "The most projects in one workspace.", number},
		{"max_environments", "The most environments in one workspace, over all its projects.", number},
		{"keyring_cache_size", "How many workspaces' keys are kept unwrapped in memory.", number},
		{"keyring_cache_ttl", "How many seconds a workspace's keys stay unwrapped in memory.", number},
		{"secret_cache_bytes", "How many bytes of sealed secrets are kept in memory.", number},
		{"egress_allow", "Special-purpose addresses that providers may have, as rules `[workspace=]CIDR[:port][+http]`: private networks, loopback.", tftypes.Set{ElementType: tftypes.String}},
		{"proxy_url", "URL of an HTTP proxy that everything to providers goes through; empty for none.", tftypes.String},
		{"paused", "Whether nothing goes out to providers, of any workspace.", truth},
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

// configured is the private data of the configuration: the settings that are managed here.
type configured struct {
	Settings []string `json:"settings"`
}

// Config is stashbase_config.
func Config() resource.Resource {
	attributes := map[string]schema.Attribute{}
	for _, s := range settings() {
		attributes[s.name] = s.attribute()
	}
	return base.New(base.Kind[base.Object]{
		Name: "config",
		Help: "The configuration of the engine's mount: defaults for all workspaces, limits and caches. A mount has one.\n\n" +
			"It manages the settings that are given and leaves the others. One that is taken out of the configuration, or whose resource is destroyed, goes back to the engine's default.",
		Attributes: attributes,
		Create:     putConfig, Adopt: base.Again(putConfig), Read: readConfig, Update: putConfig, Delete: resetConfig, Plan: planConfig,
	})()
}

// planConfig lets a setting show that is no longer given: it changes to the engine's default.
func planConfig(ctx context.Context, c *base.PlanCall[base.Object]) error {
	for _, s := range forgotten(ctx, c.Recall, &c.Config) {
		c.Model.Unknown(s.name, s.kind)
	}
	return nil
}

// forgotten are the settings that were managed here and are no longer given.
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
	answer, err := c.Client.PatchConfig(ctx, changes)
	if err != nil {
		return err
	}
	for _, s := range settings() {
		// What is neither given nor was planned to change stays as planned, whatever somebody else has just made of it: the next
		// refresh shows that.
		if _, sent := changes[s.name]; sent || !c.Model[s.name].IsKnown() {
			if err := c.Model.SetJSON(s.name, s.kind, answer[s.name]); err != nil {
				return err
			}
		}
	}
	return c.Keep(ctx, now)
}

func readConfig(ctx context.Context, c *base.Call[base.Object]) error {
	answer, err := c.Client.Config(ctx)
	if err != nil {
		return err
	}
	for _, s := range settings() {
		if err := c.Model.SetJSON(s.name, s.kind, answer[s.name]); err != nil {
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
