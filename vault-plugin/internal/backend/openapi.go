package backend

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/hashicorp/vault/sdk/framework"
)

// complete adds to a document what the framework leaves out:
//   - A schema is written where it is used. Vault copies the document of an external plugin into
//     its own (sys/internal/specs/openapi), and loses every $ref on the way.
//   - An array in a query has the type of its items.
//   - A duration in a response is a number of seconds; a request also takes text such as "24h".
//   - A response names the fields that are always present.
//   - A response without declared fields is a map of names to text.
func (b *Backend) complete(document *framework.OASDocument) {
	items, required := b.queryItems(), b.requiredFields()
	for _, item := range document.Paths {
		for _, op := range []*framework.OASOperation{item.Get, item.Post, item.Patch, item.Delete} {
			if op == nil {
				continue
			}
			for _, p := range op.Parameters {
				if p.Schema.Type == "array" {
					p.Schema.Items = &framework.OASSchema{Type: items[p.Name]}
				}
			}
			if op.RequestBody != nil {
				inline(document, op.RequestBody.Content)
			}
			for status, response := range op.Responses {
				inline(document, response.Content)
				if status == http.StatusOK {
					completeResponse(response, required[op.OperationID])
				}
			}
		}
	}
	document.Components.Schemas = map[string]*framework.OASSchema{}
}

// queryItems returns the type of the items of every query parameter that is an array.
func (b *Backend) queryItems() map[string]string {
	items := make(map[string]string)
	for _, p := range b.Paths {
		for name, f := range p.Fields {
			switch {
			case !f.Query:
			case f.Type == framework.TypeCommaIntSlice:
				items[name] = "integer"
			case slices.Contains([]framework.FieldType{framework.TypeCommaStringSlice, framework.TypeStringSlice}, f.Type):
				items[name] = "string"
			}
		}
	}
	return items
}

// requiredFields returns the fields that are always present in the response of each operation, by
// the operation's id.
func (b *Backend) requiredFields() map[string][]string {
	required := make(map[string][]string)
	for _, p := range b.Paths {
		for _, handler := range p.Operations {
			properties := handler.Properties()
			id := strings.TrimSuffix(strings.Join([]string{
				p.DisplayAttrs.OperationPrefix, properties.DisplayAttrs.OperationVerb, properties.DisplayAttrs.OperationSuffix,
			}, "-"), "-")
			for _, response := range properties.Responses[http.StatusOK] {
				for _, name := range slices.Sorted(maps.Keys(response.Fields)) {
					if response.Fields[name].Required {
						required[id] = append(required[id], name)
					}
				}
			}
		}
	}
	return required
}

// inline replaces references to the document's components by the components.
func inline(document *framework.OASDocument, content framework.OASContent) {
	for _, media := range content {
		if name, ok := strings.CutPrefix(media.Schema.Ref, "#/components/schemas/"); ok {
			media.Schema = document.Components.Schemas[name]
		}
	}
}

func completeResponse(response *framework.OASResponse, required []string) {
	if len(response.Content) == 0 {
		response.Content = framework.OASContent{"application/json": {Schema: &framework.OASSchema{
			Type: "object", AdditionalProperties: map[string]any{"type": "string"},
		}}}
	}
	for _, media := range response.Content {
		media.Schema.Required = required
		for _, field := range media.Schema.Properties {
			if field.Format == "duration" {
				field.Type, field.Format = "integer", ""
			}
		}
	}
}
