package client

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"

	"github.com/hashicorp/vault/api"
)

// request is one request to a path below the mount.
type request struct {
	method, path string
	query        url.Values
	body         fields // nil for a request without a body
}

// do makes a request and decodes the data of the response into result, which may be nil.
func (c *Client) do(ctx context.Context, r request, result any) error {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	var sent attempts
	response, err := c.send(httptrace.WithClientTrace(ctx, sent.trace()), r)
	if response != nil {
		defer func() { _ = response.Body.Close() }()
	}
	if err != nil {
		return c.failure(err, r, &sent)
	}
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return c.failure(err, r, &sent)
	}
	if response.StatusCode == http.StatusNoContent && result == nil {
		return nil
	}
	var envelope struct {
		Data     json.RawMessage `json:"data"`
		Warnings []string        `json:"warnings"`
	}
	// The decoder's error may quote the response, and the response may hold a value.
	if json.Unmarshal(content, &envelope) != nil {
		return c.strange(r, response.StatusCode, "the response is no JSON object; check for a proxy in front of Vault")
	}
	if hear, ok := ctx.Value(hearing{}).(func(string)); ok && r.method != http.MethodGet {
		for _, warning := range envelope.Warnings {
			hear(warning)
		}
	}
	if result == nil {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(envelope.Data))
	decoder.UseNumber()
	if decoder.Decode(result) != nil {
		return c.strange(r, response.StatusCode, "the response has a format that this version of the client does not know")
	}
	return nil
}

// hearing is the key of the function in a context that hears warnings.
type hearing struct{}

// WithWarnings returns a context under which writes pass the warnings of their responses to hear. A
// warning contains no value of a secret.
func WithWarnings(ctx context.Context, hear func(warning string)) context.Context {
	return context.WithValue(ctx, hearing{}, hear)
}

// send makes a request whose response body the caller reads and closes under ctx.
//
// The calls of api.Logical do not serve here. Those that parse the response drop the text of a 404,
// which distinguishes a missing secret from a missing mount. Those that return it raw cancel the
// context of a write before the body is read: over HTTP/2 the body is then lost. They also send
// "null" in place of the body after a redirect, and have no merge patch.
func (c *Client) send(ctx context.Context, r request) (*api.Response, error) {
	request := c.vault.NewRequest(r.method, "/v1/"+c.full(r.path))
	for name, values := range r.query {
		request.Params[name] = values
	}
	if r.body != nil {
		if err := request.SetJSONBody(r.body); err != nil {
			return nil, err
		}
	}
	if r.method == http.MethodPatch {
		request.Headers.Set("Content-Type", "application/merge-patch+json")
	}
	return c.vault.RawRequestWithContext(ctx, request) //nolint:staticcheck // No other call leaves the body readable; see above.
}

// bounded returns ctx with the time limit of Vault's client, which covers the reading of the
// response as well.
func (c *Client) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if limit := c.vault.ClientTimeout(); limit > 0 {
		return context.WithTimeout(ctx, limit)
	}
	return context.WithCancel(ctx)
}

// attempts counts how often Vault's client sent a request, and how often a response began. Vault's
// client repeats a request whose response was lost, and returns the error of the last attempt only.
type attempts struct{ sent, responses atomic.Int32 }

func (a *attempts) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		WroteHeaders:         func() { a.sent.Add(1) },
		GotFirstResponseByte: func() { a.responses.Add(1) },
	}
}

// any reports whether the request was sent at all.
func (a *attempts) any() bool { return a.sent.Load() > 0 }

// lost reports whether an attempt was sent and got no response.
func (a *attempts) lost() bool { return a.sent.Load() > a.responses.Load() }
