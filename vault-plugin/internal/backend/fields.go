package backend

import (
	"maps"
	"net/http"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
)

// The names of the path parameters, and of the fields that several paths share.
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

// The segments of paths. They match anything, so that a name that breaks the rules is answered with the rule, not with
// "unsupported path".
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

// pathFields declares the first depth segments of a path (1: workspace ... 4: secret name), and what else it takes.
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

// query makes a field one that stands in the URL of a read, list or delete.
func query(f *framework.FieldSchema) *framework.FieldSchema {
	f.Query = true
	return f
}

// response declares what an operation answers with status 200. Every field is always there unless it is listed as optional.
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

// openResponse declares an answer whose fields are named by the caller's data.
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

// operation declares an operation: what it does in one line, what its OpenAPI id ends with, and what it answers.
func operation(run framework.OperationFunc, summary, verb, suffix string, responses map[int][]framework.Response) *framework.PathOperation {
	return &framework.PathOperation{
		Callback:     run,
		Summary:      summary,
		DisplayAttrs: &framework.DisplayAttributes{OperationVerb: verb, OperationSuffix: suffix},
		Responses:    responses,
	}
}

// display is what all paths of a family share in OpenAPI.
func display() *framework.DisplayAttributes {
	return &framework.DisplayAttributes{OperationPrefix: "stashbase"}
}

// changing marks an operation that Vault Enterprise must run on the node that may write.
func changing(op *framework.PathOperation) *framework.PathOperation {
	op.ForwardPerformanceStandby = true
	op.ForwardPerformanceSecondary = true
	return op
}

type operations = map[logical.Operation]framework.OperationHandler
