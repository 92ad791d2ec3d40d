// Package intake owns the first check of a request: it compares the raw data with the schema of the
// path before the framework converts anything. The framework's conversion errors contain the value
// and reach Vault's audit log in clear, before the handler and before the ACL check. The package
// knows only the types of fields. Limits and meanings belong to the services.
//
// framework.FieldData converts all data that Check accepts, without an error and without a change
// of meaning. A fuzz test verifies this.
package intake

import (
	"fmt"
	"maps"
	"regexp"
	"slices"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
)

// Checker checks requests for a fixed list of paths. It is safe for concurrent use.
type Checker struct {
	routes       []route
	stringValues map[string]bool
	only         map[string][]logical.Operation
	suggest      Suggestion
}

// route is one path with its compiled pattern.
type route struct {
	path     *framework.Path
	pattern  *regexp.Regexp
	captured map[string]bool // the fields that the pattern captures from the path
}

// Option changes what a Checker requires of a field.
type Option func(*Checker)

// StringValues requires that the values in the given TypeMap fields are JSON strings. Secrets need
// this: Vault sends numbers to a plugin as floats, which changes large numbers, and Vault's audit
// log hashes only strings.
func StringValues(fields ...string) Option {
	return func(c *Checker) {
		for _, field := range fields {
			c.stringValues[field] = true
		}
	}
}

// Only restricts a query parameter to some of the operations of its path. Without it, reads, lists
// and deletes accept every query parameter of their path. An operation that accepted a parameter and
// ignored it would do something else than the caller means.
func Only(field string, ops ...logical.Operation) Option {
	return func(c *Checker) { c.only[field] = ops }
}

// Suggestion returns what to do instead of sending an unknown field to an operation of a path, or
// "". Its text must not contain the field's name unless Printable accepts it.
type Suggestion func(path *framework.Path, op logical.Operation, field string) string

// Suggest adds a suggestion to the errors for unknown fields.
func Suggest(s Suggestion) Option { return func(c *Checker) { c.suggest = s } }

// New returns a Checker for the paths, in the order in which the framework tries them. An error is
// a mistake of the plugin's author: a pattern that does not compile, a path without Operations, a
// capture without a field, a field of an unsupported type, arbitrary input, or a field given to
// StringValues that is not a TypeMap.
func New(paths []*framework.Path, options ...Option) (*Checker, error) {
	c := &Checker{stringValues: map[string]bool{}, only: map[string][]logical.Operation{}}
	for _, option := range options {
		option(c)
	}
	declaredMaps := map[string]bool{}
	for _, path := range paths {
		r, err := newRoute(path)
		if err != nil {
			return nil, fmt.Errorf("path %q: %w", path.Pattern, err)
		}
		c.routes = append(c.routes, r)
		for field, schema := range path.Fields {
			isMap := schema.Type == framework.TypeMap
			if c.stringValues[field] && !isMap {
				return nil, fmt.Errorf("path %q: StringValues names %q, which is not a TypeMap", path.Pattern, field)
			}
			declaredMaps[field] = declaredMaps[field] || isMap
		}
	}
	for field := range c.stringValues {
		if !declaredMaps[field] {
			return nil, fmt.Errorf("StringValues names %q, which no path declares", field)
		}
	}
	return c, nil
}

func newRoute(path *framework.Path) (route, error) {
	r := route{path: path, captured: map[string]bool{}}
	if path.Pattern == "" {
		return r, fmt.Errorf("the pattern is empty")
	}
	if path.Operations == nil {
		// The framework would use the deprecated Callbacks, which serves does not consider.
		return r, fmt.Errorf("the path has no Operations")
	}
	if path.TakesArbitraryInput {
		return r, fmt.Errorf("arbitrary input cannot be checked")
	}
	pattern, err := regexp.Compile(anchored(path.Pattern))
	if err != nil {
		return r, err
	}
	r.pattern = pattern
	for _, name := range pattern.SubexpNames() {
		if name == "" {
			continue
		}
		if path.Fields[name] == nil {
			return r, fmt.Errorf("the capture %q has no field", name)
		}
		r.captured[name] = true
	}
	for field, schema := range path.Fields {
		if _, ok := formOf(schema.Type); !ok {
			return r, fmt.Errorf("field %q: no form for type %s", field, schema.Type)
		}
	}
	return r, nil
}

// anchored changes a pattern as framework.Backend does before its first request, so that both
// choose the same path.
func anchored(pattern string) string {
	if pattern[0] != '^' {
		pattern = "^" + pattern
	}
	if pattern[len(pattern)-1] != '$' {
		pattern += "$"
	}
	return pattern
}

// Match returns the path that the framework chooses for a request path, and the fields that its
// pattern captures. requestPath is relative to the mount. Match returns nil, nil if no path
// matches.
func (c *Checker) Match(requestPath string) (*framework.Path, map[string]string) {
	r := c.route(requestPath)
	if r == nil {
		return nil, nil
	}
	captures := make(map[string]string, len(r.captured))
	matches := r.pattern.FindStringSubmatch(requestPath)
	for i, name := range r.pattern.SubexpNames() {
		if name != "" {
			captures[name] = matches[i]
		}
	}
	return r.path, captures
}

func (c *Checker) route(requestPath string) *route {
	for i := range c.routes {
		if c.routes[i].pattern.MatchString(requestPath) {
			return &c.routes[i]
		}
	}
	return nil
}

// Check returns an error if the data of a request do not match the schema of its path. The error is
// of kind fault.Invalid. It names the field and the expected form. The only part of the request
// that it contains is a well-formed field name. Check accepts requests that the framework handles
// without converting data (help, rollback, renewal, unknown paths and operations).
//
// A read, list or delete accepts only fields that are declared with Query, and a write only the
// other fields.
func (c *Checker) Check(req *logical.Request) error {
	if len(req.Data) == 0 || unconverted(req.Operation) {
		return nil
	}
	r := c.route(req.Path)
	if r == nil || !r.serves(req.Operation) {
		return nil
	}
	for _, field := range slices.Sorted(maps.Keys(req.Data)) {
		if err := c.checkField(r, req.Operation, field, req.Data[field]); err != nil {
			return err
		}
	}
	return nil
}

// ExistenceRequest returns the request for HandleExistenceCheck: a shallow copy without data.
// Existence depends only on the path, and Vault calls the existence check before the ACL check.
func (c *Checker) ExistenceRequest(req *logical.Request) *logical.Request {
	bare := *req
	bare.Data = nil
	return &bare
}

// unconverted reports whether the framework handles an operation without converting the data.
func unconverted(op logical.Operation) bool {
	switch op {
	case logical.HelpOperation, logical.RenewOperation, logical.RevokeOperation, logical.RollbackOperation,
		logical.RotationOperation:
		return true
	default:
		return false
	}
}

// serves reports whether the path has a handler for the operation. The framework rejects an
// operation without a handler before any conversion.
func (r *route) serves(op logical.Operation) bool {
	operation, ok := r.path.Operations[op]
	return ok && operation.Handler() != nil
}

// takes reports whether the data of an operation may contain the field. The parameters of a read,
// list or delete are part of the URL, which carries only the fields that are declared with Query. A
// write carries all other fields in its body.
func (c *Checker) takes(r *route, op logical.Operation, field string) bool {
	schema := r.path.Fields[field]
	if schema == nil || r.captured[field] {
		return false
	}
	inURL := op == logical.ReadOperation || op == logical.ListOperation || op == logical.DeleteOperation
	if ops, restricted := c.only[field]; restricted && schema.Query {
		return slices.Contains(ops, op)
	}
	return schema.Query == inURL
}

// Accepts reports whether an operation on a request path may carry the field in its data. It is
// false for an unknown path and for an operation that the path does not have.
func (c *Checker) Accepts(op logical.Operation, requestPath, field string) bool {
	r := c.route(requestPath)
	return r != nil && r.serves(op) && c.takes(r, op, field)
}

func (c *Checker) checkField(r *route, op logical.Operation, field string, value any) error {
	if r.captured[field] {
		return fault.New(fault.Invalid, "%s: is part of the path; remove it from the data", field)
	}
	if !c.takes(r, op, field) {
		return c.refused(r, op, field)
	}
	patch := op == logical.PatchOperation
	if value == nil {
		if patch {
			return nil
		}
		return fault.New(fault.Invalid, "%s: must not be null; omit the field (null resets a field only in a patch)", field)
	}
	schema := r.path.Fields[field]
	form, _ := formOf(schema.Type)
	if !form.fits(value) {
		if example := JSONExample(field, schema.Type); example != "" {
			return fault.New(fault.Invalid, "%s: must be %s; on the command line, give the whole request as JSON: %s", field, form.want, example)
		}
		return fault.New(fault.Invalid, "%s: must be %s", field, form.want)
	}
	if c.stringValues[field] {
		return checkStrings(field, value, patch)
	}
	return nil
}

// JSONExample returns how a command line passes a field whose value can be written only in JSON, or
// "" for any other field.
func JSONExample(field string, t framework.FieldType) string {
	switch t {
	case framework.TypeMap:
		return `- <<<'{"` + field + `": {...}}'`
	case framework.TypeSlice:
		return `- <<<'{"` + field + `": [...]}'`
	default:
		return ""
	}
}
