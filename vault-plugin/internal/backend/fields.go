package backend

import (
	"context"
	"errors"
	"maps"
	"net/http"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
)

// The names of the path parameters and of the fields that several paths share.
const (
	fieldWorkspace       = "workspace"
	fieldProject         = "project"
	fieldEnvironment     = "environment"
	fieldName            = "name"
	fieldContext         = "context"
	fieldDescription     = "description"
	fieldConfirm         = "confirm"
	fieldDeletionAllowed = "deletion_allowed"
	fieldCreated         = "created_time"
	fieldUpdated         = "updated_time"
	fieldLimit           = "limit"
	fieldAfter           = "after"
)

// The segments of paths. They match any text without a slash: an invalid name then gets an error
// with the rule for names instead of "unsupported path".
const (
	inWorkspace   = `/(?P<` + fieldWorkspace + `>[^/]+)`
	inProject     = inWorkspace + `/(?P<` + fieldProject + `>[^/]+)`
	inEnvironment = inProject + `/(?P<` + fieldEnvironment + `>[^/]+)`
	inSecret      = inEnvironment + `/(?P<` + fieldName + `>[^/]+)`
	inContext     = inWorkspace + `/(?P<` + fieldContext + `>[^/]+)`
)

type fields = map[string]*framework.FieldSchema

var segments = []struct{ name, help string }{
	{fieldWorkspace, "Name of the workspace."},
	{fieldProject, "Name of the project in the workspace."},
	{fieldEnvironment, "Name of the environment in the project."},
	{fieldName, "Name of the secret in the environment."},
}

// pathFields declares the first depth segments of a path (1: workspace ... 4: secret name) and the
// other fields of the path.
func pathFields(depth int, more ...fields) fields {
	all := make(fields)
	for _, s := range segments[:depth] {
		all[s.name] = &framework.FieldSchema{Type: framework.TypeString, Description: s.help, Required: true}
	}
	for _, m := range more {
		maps.Copy(all, m)
	}
	return all
}

func stringField(help string) *framework.FieldSchema {
	return &framework.FieldSchema{Type: framework.TypeString, Description: help}
}

func intField(help string) *framework.FieldSchema {
	return &framework.FieldSchema{Type: framework.TypeInt, Description: help}
}

func wordsField(help string) *framework.FieldSchema {
	return &framework.FieldSchema{Type: framework.TypeCommaStringSlice, Description: help}
}

func durationField(help string) *framework.FieldSchema {
	return &framework.FieldSchema{Type: framework.TypeDurationSecond, Description: help}
}

func boolField(help string) *framework.FieldSchema {
	return &framework.FieldSchema{Type: framework.TypeBool, Description: help}
}

// query marks a field as a query parameter of a read, list or delete.
func query(f *framework.FieldSchema) *framework.FieldSchema {
	f.Query = true
	return f
}

// response declares the response of an operation with status 200. Every field is always present,
// except those listed as optional.
func response(help string, of fields, optional ...string) map[int][]framework.Response {
	required := make(fields, len(of))
	for name, f := range of {
		copied := *f
		copied.Required = true
		required[name] = &copied
	}
	for _, name := range optional {
		required[name].Required = false
	}
	return map[int][]framework.Response{http.StatusOK: {{Description: help, Fields: required}}}
}

// openResponse declares a response whose field names come from the caller's data.
func openResponse(help string) map[int][]framework.Response {
	return map[int][]framework.Response{http.StatusOK: {{Description: help}}}
}

func object(help string) *framework.FieldSchema {
	return &framework.FieldSchema{Type: framework.TypeMap, Description: help}
}

func list(help string) *framework.FieldSchema {
	return &framework.FieldSchema{Type: framework.TypeStringSlice, Description: help}
}

func timeField(help string) *framework.FieldSchema {
	return &framework.FieldSchema{Type: framework.TypeTime, Description: help + " RFC 3339, UTC."}
}

// operation declares an operation: a summary in one line, the verb and suffix of its OpenAPI id,
// and its responses.
func operation(run framework.OperationFunc, summary, verb, suffix string, responses map[int][]framework.Response) *framework.PathOperation {
	return &framework.PathOperation{
		Callback:     run,
		Summary:      summary,
		DisplayAttrs: &framework.DisplayAttributes{OperationVerb: verb, OperationSuffix: suffix},
		Responses:    responses,
	}
}

// display returns the OpenAPI attributes that all paths share.
func display() *framework.DisplayAttributes {
	return &framework.DisplayAttributes{OperationPrefix: "stashbase"}
}

// changing marks an operation that Vault Enterprise must forward to a node that can write.
func changing(op *framework.PathOperation) *framework.PathOperation {
	op.ForwardPerformanceStandby = true
	op.ForwardPerformanceSecondary = true
	return op
}

// deleting marks an operation that deletes. If the last segment of the path does not exist, the
// delete succeeds, as in KV: a client that repeats a delete need not know whether the first one
// arrived. The response then has status 204 and no body. A missing parent is an error, because the
// path may be misspelt.
func deleting(op *framework.PathOperation) *framework.PathOperation {
	run := op.Callback
	op.Callback = func(ctx context.Context, req *logical.Request, data *framework.FieldData) (*logical.Response, error) {
		resp, err := run(ctx, req, data)
		var known *fault.Error
		if errors.As(err, &known) && known.Kind == fault.NotFound && known.Status == http.StatusNotFound {
			return nil, nil
		}
		return resp, err
	}
	op.Responses[http.StatusNoContent] = []framework.Response{{Description: "It does not exist."}}
	return changing(op)
}

type operations = map[logical.Operation]framework.OperationHandler
