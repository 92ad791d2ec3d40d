// Package intake holds a raw request against the schema of its path before the framework converts anything, because the
// framework's conversion errors contain the value and reach Vault's audit log in clear, ahead of the handler and of the ACL
// check. It knows shapes only: bounds and meanings belong to the services.
//
// What Check lets through, framework.FieldData converts without an error and without a change of meaning; a fuzz test holds
// the two together.
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
}

// route is one path with what the check needs of it.
type route struct {
	path     *framework.Path
	pattern  *regexp.Regexp
	captured map[string]bool // the names the pattern takes from the path
}

// Option changes what a Checker asks of a field.
type Option func(*Checker)

// StringValues asks that the values in these TypeMap fields are JSON strings. Secrets need it: Vault sends numbers to a plugin
// as floats, which change large ones, and its audit log hashes strings only.
func StringValues(fields ...string) Option {
	return func(c *Checker) {
		for _, field := range fields {
			c.stringValues[field] = true
		}
	}
}

// New compiles the patterns once, in the order the framework tries them. Its errors are mistakes of the plugin's author: a
// pattern that does not compile, no Operations, a capture without a field, a field of a type Check has no form for, arbitrary input, a name
// given to StringValues that is no TypeMap.
func New(paths []*framework.Path, options ...Option) (*Checker, error) {
	c := &Checker{stringValues: map[string]bool{}}
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
				return nil, fmt.Errorf("path %q: StringValues names %q, which is no TypeMap here", path.Pattern, field)
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
		return r, fmt.Errorf("the pattern is blank")
	}
	if path.Operations == nil {
		// The framework would fall back on the deprecated Callbacks, which serves does not look at.
		return r, fmt.Errorf("there are no Operations")
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

// anchored does what framework.Backend does to a pattern before its first request, so that both choose the same path.
func anchored(pattern string) string {
	if pattern[0] != '^' {
		pattern = "^" + pattern
	}
	if pattern[len(pattern)-1] != '$' {
		pattern += "$"
	}
	return pattern
}

// Match answers the path that the framework will choose for a request path relative to the mount, and what its pattern takes
// from it: nil, nil when there is none.
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

// Check refuses a request whose data do not fit the schema of its path: an error of kind fault.Invalid that names the field
// and the form it must have, and holds nothing the caller sent but a well-formed field name. Requests that the framework
// answers by itself without converting data (help, rollback, renewal, unknown paths and operations) pass.
//
// A read, list or delete takes only the fields declared with Query: its parameters stand in the URL, where nothing may arrive
// that was not meant to be there.
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

// ExistenceRequest is the request as HandleExistenceCheck should see it: a shallow copy without data. Whether a thing exists is
// a question about the path alone, and Vault asks it before the ACL check.
func (c *Checker) ExistenceRequest(req *logical.Request) *logical.Request {
	bare := *req
	bare.Data = nil
	return &bare
}

// unconverted names the operations that the framework serves without building FieldData from the request.
func unconverted(op logical.Operation) bool {
	switch op {
	case logical.HelpOperation, logical.RenewOperation, logical.RevokeOperation, logical.RollbackOperation,
		logical.RotationOperation:
		return true
	default:
		return false
	}
}

// serves mirrors the framework: an operation without a handler is answered before any conversion.
func (r *route) serves(op logical.Operation) bool {
	operation, ok := r.path.Operations[op]
	return ok && operation.Handler() != nil
}

// takes reports whether the data of an operation may hold the field.
func (r *route) takes(op logical.Operation, field string) bool {
	schema := r.path.Fields[field]
	if schema == nil || r.captured[field] {
		return false
	}
	switch op {
	case logical.ReadOperation, logical.ListOperation, logical.DeleteOperation:
		return schema.Query
	default:
		return true
	}
}

func (c *Checker) checkField(r *route, op logical.Operation, field string, value any) error {
	if r.captured[field] {
		return fault.New(fault.Invalid, "%s: is given by the path; leave it out of the data", field)
	}
	if !r.takes(op, field) {
		return r.unknown(op, field)
	}
	patch := op == logical.PatchOperation
	if value == nil {
		if patch {
			return nil
		}
		return fault.New(fault.Invalid, "%s: must not be null; leave the field out (null resets a field in a patch only)", field)
	}
	form, _ := formOf(r.path.Fields[field].Type)
	if !form.fits(value) {
		return fault.New(fault.Invalid, "%s: must be %s", field, form.want)
	}
	if c.stringValues[field] {
		return checkStrings(field, value, patch)
	}
	return nil
}
