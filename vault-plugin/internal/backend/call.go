package backend

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/caller"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/engine"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/naming"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/workspaces"
)

// call is one request on its way through a handler. The names in its path are valid, and its data
// match the schema.
type call struct {
	*engine.Engine
	now  func() time.Time
	req  *logical.Request
	data *framework.FieldData

	path          workspaces.Path
	name, context string // empty if the path has none
}

type handler func(ctx context.Context, c *call) (*logical.Response, error)

// handle makes an operation of a handler.
func (b *Backend) handle(h handler) framework.OperationFunc {
	return func(ctx context.Context, req *logical.Request, data *framework.FieldData) (*logical.Response, error) {
		e, err := b.ready(ctx, req.Storage)
		if err != nil {
			return nil, err
		}
		c, err := newCall(e, b.options.Clock.Now, req, data)
		if err != nil {
			return nil, err
		}
		resp, err := h(ctx, c)
		if err != nil || !c.delivers() {
			return resp, err
		}
		if err := c.Tree.CheckLocked(c.path.Workspace); err != nil {
			return nil, err
		}
		return resp, nil
	}
}

// delivers reports whether the request reads something in a workspace. What it has read is withheld
// if the workspace was locked meanwhile. A lock waits for writes, so their responses are returned.
func (c *call) delivers() bool {
	reads := c.req.Operation == logical.ReadOperation || c.req.Operation == logical.ListOperation
	return reads && c.path.Workspace != "" && !strings.HasPrefix(c.req.Path, "workspaces/")
}

// nameRule rejects a name that breaks the rules for its kind.
type nameRule func(field, name string) error

// lastName returns the rule for the last name in a path. The paths of a family share one rule:
// integrations and syncs have names like those of workspaces, and all other families name secrets.
func lastName(path string) nameRule {
	switch family, _, _ := strings.Cut(path, "/"); family {
	case integrationFamily, syncFamily:
		return naming.Check
	}
	return naming.CheckSecret
}

func newCall(e *engine.Engine, now func() time.Time, req *logical.Request, data *framework.FieldData) (*call, error) {
	c := &call{Engine: e, now: now, req: req, data: data}
	segments := []struct {
		field string
		to    *string
		check nameRule
	}{
		{fieldWorkspace, &c.path.Workspace, naming.Check},
		{fieldProject, &c.path.Project, naming.Check},
		{fieldEnvironment, &c.path.Environment, naming.Check},
		{fieldName, &c.name, lastName(req.Path)},
		{fieldContext, &c.context, naming.Check},
	}
	for _, s := range segments {
		raw, ok := data.Raw[s.field].(string)
		if !ok {
			continue
		}
		if err := s.check(s.field, raw); err != nil {
			return nil, err
		}
		*s.to = raw
	}
	return c, nil
}

// exists makes an existence check. It reads memory, so the check costs no storage call. It first
// loads a mount that is out of date. If that fails, the check returns the error: "does not exist"
// would let a caller that may only create overwrite what storage holds.
func (b *Backend) exists(look func(c *call) bool) framework.ExistenceFunc {
	return func(ctx context.Context, req *logical.Request, data *framework.FieldData) (bool, error) {
		e, err := b.ready(ctx, req.Storage)
		if err != nil {
			return false, err
		}
		c, err := newCall(e, b.options.Clock.Now, req, data)
		return err == nil && look(c), nil
	}
}

// beside returns the path of another environment of the same project.
func (c *call) beside(environment string) workspaces.Path {
	path := c.path
	path.Environment = environment
	return path
}

// request returns who sent the request. The token's accessor is hashed, because a reader of stored
// records could revoke the token with the accessor itself.
func (c *call) request() caller.Request {
	actor := store.Actor{EntityID: c.req.EntityID, DisplayName: c.req.DisplayName}
	if c.req.ClientTokenAccessor != "" {
		sum := sha256.Sum256([]byte(c.req.ClientTokenAccessor))
		actor.AccessorHash = hex.EncodeToString(sum[:])
	}
	return caller.Request{Mount: c.req.MountPoint, ID: c.req.ID, Actor: actor, Creates: c.req.Operation == logical.CreateOperation}
}

// given reports whether the request carries a field, and whether its value is null. Only a patch
// may send null, which resets the field.
func (c *call) given(field string) (present, null bool) {
	raw, present := c.req.Data[field]
	return present, present && raw == nil
}

// assign sets *to to the value of a field if the request carries the field. If the value is null,
// it sets *to to reset.
func assign[T any](c *call, field string, to *T, reset T) {
	switch present, null := c.given(field); {
	case null:
		*to = reset
	case present:
		if v, ok := c.data.Get(field).(T); ok {
			*to = v
		}
	}
}

// given returns the value of a field, or nil if the request does not carry the field. For null it
// returns the zero value.
func given[T any](c *call, field string) *T {
	present, null := c.given(field)
	if !present {
		return nil
	}
	var v T
	if !null {
		v, _ = c.data.Get(field).(T)
	}
	return &v
}

// assignSeconds is assign for a field that is a number of seconds.
func assignSeconds(c *call, field string, to *time.Duration, reset time.Duration) {
	seconds := int(*to / time.Second)
	assign(c, field, &seconds, int(reset/time.Second))
	*to = time.Duration(seconds) * time.Second
}

// number returns the value of a field that is 0 or positive, or nil if the request does not carry
// it.
func (c *call) number(field string) (*uint64, error) {
	if present, null := c.given(field); !present || null {
		return nil, nil
	}
	v, ok := c.data.Get(field).(int)
	if !ok || v < 0 {
		return nil, fault.New(fault.Invalid, "%s: must be a whole number, 0 or greater", field)
	}
	n := uint64(v)
	return &n, nil
}

// text returns the value of a string field, or its default if the request does not carry it.
func (c *call) text(field string) string {
	s, _ := c.data.Get(field).(string)
	return s
}

// flag returns the value of a boolean field, or false if the request does not carry it.
func (c *call) flag(field string) bool {
	v, _ := c.data.Get(field).(bool)
	return v
}

// respond returns a response with the given data.
func respond(data map[string]any) (*logical.Response, error) {
	return &logical.Response{Data: data}, nil
}
