package derived

import (
	datasource "github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/stashbase/vault-stashbase/shared/names"
	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/terraform-provider/internal/base"
)

// settings returns the columns of the engine's own fields that a configuration sets.
func settings(own []provider.EngineField) []column {
	var all []column
	for _, f := range own {
		if f.In(provider.InWrite) && f.In(provider.InTerraform) {
			f.Fixed = f.Fixed || f.Replaces
			all = append(all, column{Field: f.Field})
		}
	}
	return all
}

// results returns the columns of the engine's own fields that the engine sets and a read returns.
func results(own []provider.EngineField) []column {
	var all []column
	for _, f := range own {
		if !f.In(provider.InWrite) && f.In(provider.InRead) && f.In(provider.InTerraform) {
			all = append(all, column{Field: f.Field})
		}
	}
	return all
}

// keys returns the attributes that make up an id: the parameters of the engine's path, in order.
func keys(own []provider.EngineField) []base.Key {
	var all []base.Key
	for _, f := range own {
		if f.In(provider.InPath) {
			key := base.Key{Name: f.Name, Help: f.Help}
			if f.Name == provider.FieldWorkspace {
				key.Kind = names.Workspace
			}
			all = append(all, key)
		}
	}
	return all
}

// computed makes the attribute of a result, which only the engine sets.
func (c column) computed() schema.Attribute {
	switch c.Type {
	case provider.Flag:
		return schema.BoolAttribute{Computed: true, MarkdownDescription: c.Help}
	case provider.Whole:
		return schema.Int64Attribute{Computed: true, MarkdownDescription: c.Help}
	case provider.Words:
		return schema.SetAttribute{Computed: true, ElementType: types.StringType, MarkdownDescription: c.Help}
	default:
		return schema.StringAttribute{Computed: true, MarkdownDescription: c.Help}
	}
}

// statusAttributes makes the attributes of the status of a sync. Lists are not sets, because the
// engine puts the most urgent element first.
func statusAttributes() map[string]datasource.Attribute {
	all := map[string]datasource.Attribute{}
	for _, f := range provider.SyncStatusFields() {
		if !f.In(provider.InTerraform) {
			continue
		}
		all[f.Name] = statusAttribute(f.Field)
		if f.Type == provider.Objects {
			nested := map[string]datasource.Attribute{}
			for _, item := range f.Items {
				nested[item.Name] = statusAttribute(item)
			}
			all[f.Name] = datasource.ListNestedAttribute{
				Computed: true, MarkdownDescription: f.Help, NestedObject: datasource.NestedAttributeObject{Attributes: nested},
			}
		}
	}
	return all
}

func statusAttribute(f provider.Field) datasource.Attribute {
	switch f.Type {
	case provider.Whole:
		return datasource.Int64Attribute{Computed: true, MarkdownDescription: f.Help}
	case provider.Words:
		return datasource.ListAttribute{Computed: true, ElementType: types.StringType, MarkdownDescription: f.Help}
	default:
		return datasource.StringAttribute{Computed: true, MarkdownDescription: f.Help}
	}
}
