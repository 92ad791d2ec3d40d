package vault

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/shared/provider"
)

// client sends requests to one Vault with one token.
type client struct {
	http   *outbound.Client
	base   string // ends with /v1/
	header http.Header
}

// operation describes a request for error messages: what it does, and what the token's policies
// must allow for it.
type operation struct{ name, needs string }

func open(s *provider.Session) (*client, error) {
	address, err := provider.CanonicalURL(s.Settings.Text(fieldAddress))
	if err != nil {
		return nil, refusal(outbound.Invalid, "connect", "address "+err.Error())
	}
	token := s.Credential.Text(fieldToken)
	if err := checkToken(token); err != nil {
		return nil, refusal(outbound.Auth, "connect", "token "+err.Error())
	}
	// Vault Agent and Vault Proxy can require X-Vault-Request as a protection against forged
	// requests of browsers.
	header := http.Header{"X-Vault-Token": {token}, "X-Vault-Request": {"true"}}
	if namespace := s.Settings.Text(fieldNamespace); namespace != "" {
		header.Set("X-Vault-Namespace", namespace)
	}
	return &client{s.HTTP, address + "/v1/", header}, nil
}

// get sends a GET request for path and decodes the data of the response.
func (c *client) get(ctx context.Context, op operation, path string, data any) (*outbound.Response, error) {
	return c.send(ctx, op, outbound.Request{Method: http.MethodGet, URL: c.base + path, Safe: true}, data)
}

// post sends a POST request to path. It is not marked Safe: with check-and-set, a repetition would
// fail.
func (c *client) post(ctx context.Context, op operation, path string, body []byte, data any) error {
	_, err := c.send(ctx, op, outbound.Request{Method: http.MethodPost, URL: c.base + path, Body: body, Write: true}, data)
	return err
}

// remove sends a DELETE request for path.
func (c *client) remove(ctx context.Context, op operation, path string) error {
	_, err := c.send(ctx, op, outbound.Request{Method: http.MethodDelete, URL: c.base + path, Write: true}, nil)
	return err
}

// send sends a request and decodes the data of the response into data. If data is nil, the response
// may have no content.
func (c *client) send(ctx context.Context, op operation, r outbound.Request, data any) (*outbound.Response, error) {
	r.Operation, r.Header = op.name, c.header.Clone()
	if r.Body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	response, err := c.http.Do(ctx, r)
	clear(r.Body)
	if err != nil {
		return nil, explain(err, op)
	}
	defer clear(response.Body)
	if response.Status == http.StatusNoContent && data == nil {
		return response, nil
	}
	var body struct {
		RequestID string          `json:"request_id"`
		Data      json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(response.Body, &body); err != nil || body.RequestID == "" {
		return nil, c.unexpected(op.name, r.Write, err)
	}
	defer clear(body.Data)
	if data == nil {
		return response, nil
	}
	if !bytes.HasPrefix(body.Data, []byte("{")) {
		return nil, c.unexpected(op.name, r.Write, nil)
	}
	if err := json.Unmarshal(body.Data, data); err != nil {
		return nil, c.unexpected(op.name, r.Write, err)
	}
	return response, nil
}

// unexpected returns the error for a response that Vault does not send. wrote reports whether the
// request may have changed something.
func (c *client) unexpected(operation string, wrote bool, cause error) error {
	return &outbound.Error{
		Class: outbound.Provider, Provider: "vault", Operation: operation, Unknown: wrote, Cause: cause,
		Hint: "the response did not come from Vault: check the address and any proxy in between",
	}
}

// explain adds a hint to an error that has none yet.
func explain(err error, op operation) error {
	var known *outbound.Error
	if !errors.As(err, &known) {
		return err
	}
	explained := *known
	switch {
	case known.Class == outbound.Limit:
		// Vault sends this error with status 500. Package outbound then treats the outcome as
		// unknown, but the request had no effect.
		explained.Unknown = false
	case known.Class == outbound.Permission && op.needs != "":
		explained.Hint = "the token's policies must allow " + op.needs
	case known.Status >= 300 && known.Status < 400:
		explained.Class = outbound.Invalid
		explained.Hint = "redirects are not followed: a standby of Vault redirects to the active node, so set address to the active node or a load balancer, together with the credential"
	}
	return &explained
}

// refusal returns an error that is not based on a response of Vault.
func refusal(class outbound.Class, operation, hint string) error {
	return &outbound.Error{Class: class, Provider: "vault", Operation: operation, Hint: hint}
}

// escape escapes each segment of a path for a URL.
func escape(path string) string {
	segments := strings.Split(path, "/")
	for i := range segments {
		segments[i] = url.PathEscape(segments[i])
	}
	return strings.Join(segments, "/")
}

// encode is json.Marshal without escapes for HTML, which take six bytes per character.
func encode(value any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
