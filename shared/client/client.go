// Package client is a typed client of one mount of the secrets engine, on top of Vault's own Go
// client. It has a method for each path that a program needs, with typed results and typed errors
// (see Error and Kind).
//
// The package owns the format of requests and responses. It does not log in: New takes a client of
// Vault that is configured and has a token. It neither stores nor logs a value.
package client

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/hashicorp/vault/api"
)

// DefaultMount is the path of the mount that New uses when it is given none.
const DefaultMount = "stashbase"

// Client makes requests to one mount of the engine, with one token and in one namespace. It is safe
// for concurrent use.
type Client struct {
	vault *api.Client
	mount string
}

// New returns a client of the engine at mount. An empty mount means DefaultMount.
func New(vault *api.Client, mount string) *Client {
	mount = strings.Trim(mount, "/")
	if mount == "" {
		mount = DefaultMount
	}
	return &Client{vault: vault, mount: mount}
}

// Mount returns the path of the engine's mount, without slashes at its ends.
func (c *Client) Mount() string { return c.mount }

// Namespace returns the namespace of Vault that requests go to. It is empty for the root namespace.
func (c *Client) Namespace() string { return c.vault.Namespace() }

// WithNamespace returns a client of the same mount path in another namespace.
func (c *Client) WithNamespace(namespace string) *Client {
	return &Client{vault: c.vault.WithNamespace(namespace), mount: c.mount}
}

// fields is the JSON object of a request or a response.
type fields = map[string]any

// get reads a path below the mount and decodes the data into result.
func (c *Client) get(ctx context.Context, path string, query url.Values, result any) error {
	return c.do(ctx, request{method: http.MethodGet, path: path, query: query}, result)
}

// list returns the names below a path. It returns none for an empty list, for which Vault sends a
// 404 without a text.
func (c *Client) list(ctx context.Context, path string) ([]string, error) {
	var result struct {
		Keys []string `json:"keys"`
	}
	err := c.get(ctx, path, url.Values{"list": {"true"}}, &result)
	var e *Error
	if errors.As(err, &e) && e.Kind == NotFound && e.Text == missing {
		return nil, nil
	}
	return result.Keys, err
}

// put writes the fields of body to a path below the mount and decodes the data of the response into
// result, which may be nil.
func (c *Client) put(ctx context.Context, path string, body fields, result any) error {
	return c.do(ctx, request{method: http.MethodPut, path: path, body: body}, result)
}

// patch is put with a merge patch: a nil field resets the field to its default.
func (c *Client) patch(ctx context.Context, path string, body fields, result any) error {
	return c.do(ctx, request{method: http.MethodPatch, path: path, body: body}, result)
}

// remove deletes a path below the mount. Vault drops the body of a DELETE, so the parameters are
// sent as a query.
func (c *Client) remove(ctx context.Context, path string, query url.Values) error {
	return c.do(ctx, request{method: http.MethodDelete, path: path, query: query}, nil)
}

func (c *Client) full(path string) string { return c.mount + "/" + path }

// below joins the segments of a path. It escapes each of them: the engine then refuses a name that
// contains a slash, which would otherwise lead to another path.
func below(segments ...string) string {
	escaped := make([]string, len(segments))
	for i, segment := range segments {
		escaped[i] = url.PathEscape(segment)
	}
	return strings.Join(escaped, "/")
}
