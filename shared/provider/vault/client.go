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

// client makes requests to one Vault with one token.
type client struct {
	http   *outbound.Client
	base   string // with /v1/ at its end
	header http.Header
}

// operation is what a request is for, and what a token's policies must allow for it, both as a person says it.
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
	// X-Vault-Request is what Vault Agent and Proxy may ask for, against requests that a browser was made to send.
	header := http.Header{"X-Vault-Token": {token}, "X-Vault-Request": {"true"}}
	if namespace := s.Settings.Text(fieldNamespace); namespace != "" {
		header.Set("X-Vault-Namespace", namespace)
	}
	return &client{s.HTTP, address + "/v1/", header}, nil
}

// get asks for what stands at a path, and reads the answer's data.
func (c *client) get(ctx context.Context, op operation, path string, data any) (*outbound.Response, error) {
	return c.send(ctx, op, outbound.Request{Method: http.MethodGet, URL: c.base + path, Safe: true}, data)
}

// post changes what stands at a path. It is not repeated by itself, for with check-and-set the second time would be refused.
func (c *client) post(ctx context.Context, op operation, path string, body []byte, data any) error {
	_, err := c.send(ctx, op, outbound.Request{Method: http.MethodPost, URL: c.base + path, Body: body, Write: true}, data)
	return err
}

// remove deletes what stands at a path.
func (c *client) remove(ctx context.Context, op operation, path string) error {
	_, err := c.send(ctx, op, outbound.Request{Method: http.MethodDelete, URL: c.base + path, Write: true}, nil)
	return err
}

// send makes a request. Without data, the answer is held to be one of Vault's without any.
func (c *client) send(ctx context.Context, op operation, r outbound.Request, data any) (*outbound.Response, error) {
	r.Operation, r.Header = op.name, c.header.Clone()
	if r.Body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	answer, err := c.http.Do(ctx, r)
	clear(r.Body)
	if err != nil {
		return nil, explain(err, op)
	}
	defer clear(answer.Body)
	if answer.Status == http.StatusNoContent && data == nil {
		return answer, nil
	}
	var told struct {
		RequestID string          `json:"request_id"`
		Data      json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(answer.Body, &told); err != nil || told.RequestID == "" {
		return nil, c.strange(op.name, r.Write, err)
	}
	defer clear(told.Data)
	if data == nil {
		return answer, nil
	}
	if !bytes.HasPrefix(told.Data, []byte("{")) {
		return nil, c.strange(op.name, r.Write, nil)
	}
	if err := json.Unmarshal(told.Data, data); err != nil {
		return nil, c.strange(op.name, r.Write, err)
	}
	return answer, nil
}

// strange is for an answer that is none of Vault's.
func (c *client) strange(operation string, wrote bool, cause error) error {
	return &outbound.Error{
		Class: outbound.Provider, Provider: "vault", Operation: operation, Unknown: wrote, Cause: cause,
		Hint: "the answer is none of Vault's: check the address, and what stands between",
	}
}

// explain adds to an error what a person can do about it, where nobody has yet.
func explain(err error, op operation) error {
	var known *outbound.Error
	if !errors.As(err, &known) {
		return err
	}
	explained := *known
	switch {
	case known.Class == outbound.Limit:
		// Vault says so with status 500, after which outbound leaves open whether there was an effect. There was none.
		explained.Unknown = false
	case known.Class == outbound.Permission && op.needs != "":
		explained.Hint = "the token's policies must allow " + op.needs
	case known.Status >= 300 && known.Status < 400:
		explained.Class = outbound.Invalid
		explained.Hint = "a redirect is not followed: a standby of Vault redirects to its active node, so give the address of that one or of a load balancer"
	}
	return &explained
}

// refusal is an error that no answer of the other side stands behind.
func refusal(class outbound.Class, operation, hint string) error {
	return &outbound.Error{Class: class, Provider: "vault", Operation: operation, Hint: hint}
}

// escape makes the segments of a path fit for a URL.
func escape(path string) string {
	segments := strings.Split(path, "/")
	for i := range segments {
		segments[i] = url.PathEscape(segments[i])
	}
	return strings.Join(segments, "/")
}

// encode is json.Marshal without the escapes for HTML, which take six bytes for one.
func encode(value any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
