package backend

import (
	"context"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
)

// handleHelp returns the help of a path or of the mount. The examples of the framework's help get the
// path of this mount. The OpenAPI document is completed, and lists only what the operations accept.
func (b *Backend) handleHelp(ctx context.Context, req *logical.Request) (*logical.Response, error) {
	if found, _ := b.intake.Match(req.Path); found == nil {
		// The command line removes the slash at the end of a list's path.
		if found, _ := b.intake.Match(req.Path + "/"); found != nil {
			list := *req
			list.Path += "/"
			req = &list
		}
	}
	resp, err := b.Backend.HandleRequest(ctx, req)
	if err != nil || resp == nil {
		return resp, err
	}
	if text, ok := resp.Data["help"].(string); ok && req.MountPoint != "" {
		resp.Data["help"] = atMount(text, req.MountPoint)
	}
	if doc, ok := resp.Data["openapi"].(*framework.OASDocument); ok && doc != nil {
		b.correct(doc)
		b.complete(doc)
	}
	return resp, nil
}

// defaultMount is the mount in the examples of help.
var defaultMount = regexp.MustCompile(`(^|[\s"'(=])stashbase/`)

// atMount returns a help text with the path of a mount in its examples.
func atMount(text, mount string) string {
	mount = strings.Trim(mount, "/")
	return defaultMount.ReplaceAllStringFunc(text, func(found string) string {
		return strings.Replace(found, "stashbase", mount, 1)
	})
}

// correct corrects what the framework writes into an OpenAPI document. It gives every operation all
// fields or all query parameters of its path, and leaves out the list of the mount.
func (b *Backend) correct(doc *framework.OASDocument) {
	addRoot(doc)
	for template, item := range doc.Paths {
		path := sample(template)
		var read logical.Operation = logical.ReadOperation
		if strings.HasSuffix(template, "/") {
			read = logical.ListOperation
		}
		for op, declared := range map[logical.Operation]*framework.OASOperation{
			read: item.Get, logical.DeleteOperation: item.Delete, logical.UpdateOperation: item.Post, logical.PatchOperation: item.Patch,
		} {
			if declared != nil {
				b.keepAccepted(doc, op, path, declared)
			}
		}
	}
}

// addRoot adds the list of the mount to a document of all paths. The list has the form of the list of
// workspaces.
func addRoot(doc *framework.OASDocument) {
	like := doc.Paths["/workspaces/"]
	if like == nil || like.Get == nil || like.Get.Responses[http.StatusOK] == nil {
		return
	}
	const id, name = "stashbase-list-categories", "StashbaseListCategoriesResponse"
	list, response, body := *like.Get, *like.Get.Responses[http.StatusOK], new(framework.OASSchema)
	for _, content := range response.Content {
		*body = *doc.Components.Schemas[schemaOf(content)]
	}
	body.Properties = maps.Clone(body.Properties)
	body.Properties["key_info"] = &framework.OASSchema{Type: "object", Format: "map", Description: categoryInfo}
	doc.Components.Schemas[name] = body
	response.Description = categoryResponse
	response.Content = framework.OASContent{"application/json": {Schema: &framework.OASSchema{Ref: schemaPrefix + name}}}
	list.OperationID, list.Summary = id, rootSynopsis
	list.Parameters = slices.Clone(list.Parameters)
	list.Responses = map[int]*framework.OASResponse{http.StatusOK: &response}
	doc.Paths["/"] = &framework.OASPathItem{Description: rootSynopsis, DisplayAttrs: like.DisplayAttrs, Get: &list}
}

const schemaPrefix = "#/components/schemas/"

// schemaOf returns the name of the schema that a body refers to.
func schemaOf(content *framework.OASMediaTypeObject) string {
	return strings.TrimPrefix(content.Schema.Ref, schemaPrefix)
}

// keepAccepted removes the parameters and fields that an operation rejects. `list` is a parameter of
// Vault itself.
func (b *Backend) keepAccepted(doc *framework.OASDocument, op logical.Operation, path string, declared *framework.OASOperation) {
	declared.Parameters = slices.DeleteFunc(declared.Parameters, func(p framework.OASParameter) bool {
		return p.In == "query" && p.Name != "list" && !b.accepts(op, path, p.Name)
	})
	if declared.RequestBody == nil {
		return
	}
	for _, content := range declared.RequestBody.Content {
		name := schemaOf(content)
		body := doc.Components.Schemas[name]
		if body == nil {
			continue
		}
		for field := range body.Properties {
			if !b.accepts(op, path, field) {
				delete(body.Properties, field)
				body.Required = slices.DeleteFunc(body.Required, func(required string) bool { return required == field })
			}
		}
		if len(body.Properties) == 0 {
			delete(doc.Components.Schemas, name)
			declared.RequestBody = nil
		}
	}
}

// accepts reports whether an operation accepts a field. OpenAPI does not distinguish a create from an
// update.
func (b *Backend) accepts(op logical.Operation, path, field string) bool {
	return b.intake.Accepts(op, path, field) || op == logical.UpdateOperation && b.intake.Accepts(logical.CreateOperation, path, field)
}

var templated = regexp.MustCompile(`\{[^}]*\}`)

// sample returns a request path that matches a path of an OpenAPI document.
func sample(template string) string {
	return templated.ReplaceAllString(strings.TrimPrefix(template, "/"), "x")
}
