// Package client speaks with one mount of the secrets engine over Vault's API: a method for each path that a program needs, with
// typed answers and typed errors. It owns the form of requests and answers, and knows neither how a caller has logged in nor what
// it does with a value. Connections are its caller's: New takes a client of Vault that is made already.
package client

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/hashicorp/vault/api"
)

// DefaultMount is where the engine is mounted when nobody says otherwise.
const DefaultMount = "stashbase"

// Client is one mount of the engine, seen with one token in one namespace. It is safe for concurrent use.
type Client struct {
	vault *api.Client
	mount string
}

// New returns a client of the engine at mount, which DefaultMount replaces when it is empty.
func New(vault *api.Client, mount string) *Client {
	mount = strings.Trim(mount, "/")
	if mount == "" {
		mount = DefaultMount
	}
	return &Client{vault: vault, mount: mount}
}

// Mount is the path of the engine's mount, without slashes around it.
func (c *Client) Mount() string { return c.mount }

// Namespace is the namespace of Vault that requests go to; empty for the root.
func (c *Client) Namespace() string { return c.vault.Namespace() }

// WithNamespace returns the same client for another namespace.
func (c *Client) WithNamespace(namespace string) *Client {
	return &Client{vault: c.vault.WithNamespace(namespace), mount: c.mount}
}

// fields are the JSON object of a request or an answer.
type fields = map[string]any

// get reads a path below the mount into result.
func (c *Client) get(ctx context.Context, path string, query url.Values, result any) error {
	return c.do(ctx, request{method: http.MethodGet, path: path, query: query}, result)
}

// list returns the names below a path, none where the path holds nothing: Vault has a 404 without a text for an empty list.
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

func (c *Client) put(ctx context.Context, path string, body fields, result any) error {
	return c.do(ctx, request{method: http.MethodPut, path: path, body: body}, result)
}

// patch changes the fields of body; null resets a field to its default.
func (c *Client) patch(ctx context.Context, path string, body fields, result any) error {
	return c.do(ctx, request{method: http.MethodPatch, path: path, body: body}, result)
}

// remove deletes a path. Vault drops the body of a DELETE, so parameters travel as a query.
func (c *Client) remove(ctx context.Context, path string, query url.Values) error {
	return c.do(ctx, request{method: http.MethodDelete, path: path, query: query}, nil)
}

func (c *Client) full(path string) string { return c.mount + "/" + path }

// below joins the segments of a path and escapes each, so that a name with a slash in it stays one segment and is refused by the
// engine's rule for names instead of meaning another path.
func below(segments ...string) string {
	escaped := make([]string, len(segments))
	for i, segment := range segments {
		escaped[i] = url.PathEscape(segment)
	}
	return strings.Join(escaped, "/")
}
