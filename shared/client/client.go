// Package client speaks with one mount of the secrets engine over Vault's API: a method for each path that a program needs, with
// typed answers and typed errors. It owns the form of requests and answers, and knows neither how a caller has logged in nor what
// it does with a value. Connections are its caller's: New takes a client of Vault that is made already.
package client

import (
	"bytes"
	"context"
	"encoding/json"
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

// get reads a path below the mount into answer.
func (c *Client) get(ctx context.Context, path string, query url.Values, answer any) error {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	response, err := c.vault.Logical().ReadRawWithDataWithContext(ctx, c.full(path), query)
	return c.finish(response, err, http.MethodGet, path, answer)
}

func (c *Client) put(ctx context.Context, path string, body fields, answer any) error {
	encoded, err := json.Marshal(body)
	if err != nil {
		return err
	}
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	response, err := c.vault.Logical().WriteRawWithContext(ctx, c.full(path), encoded)
	return c.finish(response, err, http.MethodPut, path, answer)
}

// patch changes the fields of body: null resets one to its default.
func (c *Client) patch(ctx context.Context, path string, body fields, answer any) error {
	secret, err := c.vault.Logical().JSONMergePatch(ctx, c.full(path), body)
	if err != nil || secret == nil {
		return c.failure(err, http.MethodPatch, path)
	}
	return decode(secret.Data, answer)
}

// remove deletes a path. Vault drops the body of a DELETE, so parameters travel as a query.
func (c *Client) remove(ctx context.Context, path string, query url.Values) error {
	secret, err := c.vault.Logical().DeleteWithDataWithContext(ctx, c.full(path), query)
	if err != nil || secret == nil {
		return c.failure(err, http.MethodDelete, path)
	}
	return nil
}

// bounded ends a request after the time that the client of Vault is configured with, which its raw calls do not look at.
func (c *Client) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if limit := c.vault.ClientTimeout(); limit > 0 {
		return context.WithTimeout(ctx, limit)
	}
	return context.WithCancel(ctx)
}

func (c *Client) full(path string) string { return c.mount + "/" + path }

// finish closes a raw answer and decodes its data. The raw calls are used where the text of a 404 counts: the others of Vault's
// client drop it, and with it the difference between a missing secret and a missing mount.
func (c *Client) finish(response *api.Response, err error, method, path string, answer any) error {
	if response != nil {
		defer func() { _ = response.Body.Close() }()
	}
	if err != nil || response == nil {
		return c.failure(err, method, path)
	}
	var envelope struct {
		Data json.RawMessage `json:"data"`
	}
	if err := json.NewDecoder(response.Body).Decode(&envelope); err != nil {
		// The decoder's error may quote the answer, and the answer may hold a value.
		return &Error{Kind: Strange, Status: response.StatusCode, Method: method, Path: c.full(path),
			Text: "the answer is no JSON object: is there a proxy before Vault?"}
	}
	if answer == nil {
		return nil
	}
	return c.into(envelope.Data, response.StatusCode, method, path, answer)
}

func (c *Client) into(data []byte, status int, method, path string, answer any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	if err := decoder.Decode(answer); err != nil {
		return &Error{Kind: Strange, Status: status, Method: method, Path: c.full(path),
			Text: "the answer has not the form that this version of the client knows"}
	}
	return nil
}

// decode turns an answer that Vault's client has parsed into a typed one.
func decode(data map[string]any, answer any) error {
	if answer == nil {
		return nil
	}
	encoded, err := json.Marshal(data)
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(encoded))
	decoder.UseNumber()
	if err := decoder.Decode(answer); err != nil {
		return &Error{Kind: Strange, Text: "the answer has not the form that this version of the client knows"}
	}
	return nil
}

// below joins the segments of a path and escapes each, so that a name with a slash in it stays one segment and is refused by the
// engine's rule for names instead of meaning another path.
func below(segments ...string) string {
	escaped := make([]string, len(segments))
	for i, segment := range segments {
		escaped[i] = url.PathEscape(segment)
	}
	return strings.Join(escaped, "/")
}
