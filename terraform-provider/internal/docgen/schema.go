package main

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/stashbase/vault-stashbase/shared/catalog"
	"github.com/stashbase/vault-stashbase/terraform-provider/internal/provider"
)

// The types are those of the output of `terraform providers schema -json`:
// https://developer.hashicorp.com/terraform/cli/commands/providers/schema

type document struct {
	FormatVersion string             `json:"format_version"`
	Providers     map[string]schemas `json:"provider_schemas"`
}

type schemas struct {
	Provider   schema              `json:"provider"`
	Resources  map[string]schema   `json:"resource_schemas"`
	Data       map[string]schema   `json:"data_source_schemas"`
	Ephemerals map[string]schema   `json:"ephemeral_resource_schemas"`
	Identities map[string]identity `json:"resource_identity_schemas"`
}

type schema struct {
	Version int64 `json:"version"`
	Block   block `json:"block"`
}

type block struct {
	Attributes      map[string]attribute `json:"attributes,omitempty"`
	Blocks          map[string]nested    `json:"block_types,omitempty"`
	Description     string               `json:"description,omitempty"`
	DescriptionKind string               `json:"description_kind"`
}

type nested struct {
	Nesting string `json:"nesting_mode"`
	Block   block  `json:"block"`
}

type attribute struct {
	Type            tftypes.Type `json:"type,omitempty"`
	Nested          *object      `json:"nested_type,omitempty"`
	Description     string       `json:"description,omitempty"`
	DescriptionKind string       `json:"description_kind"`
	Required        bool         `json:"required,omitempty"`
	Optional        bool         `json:"optional,omitempty"`
	Computed        bool         `json:"computed,omitempty"`
	Sensitive       bool         `json:"sensitive,omitempty"`
	WriteOnly       bool         `json:"write_only,omitempty"`
}

type object struct {
	Attributes map[string]attribute `json:"attributes"`
	Nesting    string               `json:"nesting_mode"`
}

type identity struct {
	Version    int64                        `json:"version"`
	Attributes map[string]identityAttribute `json:"attributes"`
}

type identityAttribute struct {
	Type              tftypes.Type `json:"type"`
	Description       string       `json:"description,omitempty"`
	RequiredForImport bool         `json:"required_for_import,omitempty"`
	OptionalForImport bool         `json:"optional_for_import,omitempty"`
}

// providerSchemas requests the schemas from the provider in this process, over Terraform's
// protocol.
func providerSchemas(ctx context.Context) (document, error) {
	providers, err := catalog.All()
	if err != nil {
		return document{}, err
	}
	server, err := providerserver.NewProtocol6WithError(provider.New("v0.0.0", providers))()
	if err != nil {
		return document{}, err
	}
	response, err := server.GetProviderSchema(ctx, &tfprotov6.GetProviderSchemaRequest{})
	if err != nil {
		return document{}, err
	}
	identities, err := server.GetResourceIdentitySchemas(ctx, &tfprotov6.GetResourceIdentitySchemasRequest{})
	if err != nil {
		return document{}, err
	}
	for _, d := range append(response.Diagnostics, identities.Diagnostics...) {
		return document{}, fmt.Errorf("%s: %s", d.Summary, d.Detail)
	}
	all := schemas{
		Provider: convert(response.Provider), Resources: each(response.ResourceSchemas), Data: each(response.DataSourceSchemas),
		Ephemerals: each(response.EphemeralResourceSchemas), Identities: map[string]identity{},
	}
	for name, i := range identities.IdentitySchemas {
		converted := identity{Version: i.Version, Attributes: map[string]identityAttribute{}}
		for _, a := range i.IdentityAttributes {
			converted.Attributes[a.Name] = identityAttribute{a.Type, a.Description, a.RequiredForImport, a.OptionalForImport}
		}
		all.Identities[name] = converted
	}
	// tfplugindocs looks for the provider under this name.
	return document{FormatVersion: "1.0", Providers: map[string]schemas{"stashbase": all}}, nil
}

func each(all map[string]*tfprotov6.Schema) map[string]schema {
	converted := map[string]schema{}
	for name, s := range all {
		converted[name] = convert(s)
	}
	return converted
}

func convert(s *tfprotov6.Schema) schema {
	return schema{Version: s.Version, Block: convertBlock(s.Block)}
}

func convertBlock(b *tfprotov6.SchemaBlock) block {
	converted := block{
		Attributes: convertAttributes(b.Attributes), Blocks: map[string]nested{},
		Description: b.Description, DescriptionKind: kind(b.DescriptionKind),
	}
	for _, n := range b.BlockTypes {
		converted.Blocks[n.TypeName] = nested{Nesting: lower(n.Nesting.String()), Block: convertBlock(n.Block)}
	}
	return converted
}

func convertAttributes(all []*tfprotov6.SchemaAttribute) map[string]attribute {
	converted := map[string]attribute{}
	for _, a := range all {
		c := attribute{
			Type: a.Type, Description: a.Description, DescriptionKind: kind(a.DescriptionKind),
			Required: a.Required, Optional: a.Optional, Computed: a.Computed, Sensitive: a.Sensitive, WriteOnly: a.WriteOnly,
		}
		if a.NestedType != nil {
			c.Nested = &object{Attributes: convertAttributes(a.NestedType.Attributes), Nesting: lower(a.NestedType.Nesting.String())}
		}
		converted[a.Name] = c
	}
	return converted
}

func kind(k tfprotov6.StringKind) string {
	if k == tfprotov6.StringKindMarkdown {
		return "markdown"
	}
	return "plain"
}
