package github

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/shared/provider"
)

// apiVersion is the oldest version that GitHub still serves, and the only one that every supported
// GitHub Enterprise Server implements. GitHub supports it at least until March 2028:
// docs.github.com/en/rest/about-the-rest-api/api-versions, read 2026-11.
const apiVersion = "2022-11-28"

// client sends requests to one API with one token.
type client struct {
	http   *outbound.Client
	base   string // without a trailing slash
	header http.Header
}

// operation describes a request for error messages: what it does, which permissions the token needs
// for it, and which kind of scope it concerns.
type operation struct{ name, needs, scope string }

func open(s *provider.Session) (*client, error) {
	base := s.Settings.Text(fieldBaseURL)
	if _, err := provider.CanonicalURL(base); err != nil {
		return nil, refusal(outbound.Invalid, "connect", fieldBaseURL+" "+err.Error())
	}
	token := s.Credential.Text(fieldToken)
	if !provider.IsToken(token) {
		return nil, refusal(outbound.Auth, "connect", "the token is empty or contains characters that are not valid in a token: supply it again")
	}
	return &client{s.HTTP, strings.TrimRight(base, "/"), http.Header{
		"Authorization":        {"Bearer " + token},
		"Accept":               {"application/vnd.github+json"},
		"X-Github-Api-Version": {apiVersion},
	}}, nil
}

// get sends a GET request for path and decodes the response body into out.
func (c *client) get(ctx context.Context, op operation, path string, out any) (*outbound.Response, error) {
	response, err := c.send(ctx, op, outbound.Request{Method: http.MethodGet, URL: c.base + path, Safe: true})
	if err != nil {
		return nil, err
	}
	if response.Status != http.StatusOK {
		return nil, unexpected(op, false, nil)
	}
	if err := json.Unmarshal(response.Body, out); err != nil {
		return nil, unexpected(op, false, err)
	}
	return response, nil
}

// change sends a request that changes something. Repeating it has the same effect as sending it
// once, so it is marked Safe. A repetition may overwrite a write that others made in between, as
// the first attempt would have.
func (c *client) change(ctx context.Context, op operation, method, path string, body []byte) error {
	response, err := c.send(ctx, op, outbound.Request{Method: method, URL: c.base + path, Body: body, Safe: true, Write: true})
	if err != nil {
		return err
	}
	created := method == http.MethodPut && response.Status == http.StatusCreated
	if response.Status != http.StatusNoContent && !created {
		return unexpected(op, true, nil)
	}
	return nil
}

func (c *client) send(ctx context.Context, op operation, r outbound.Request) (*outbound.Response, error) {
	r.Operation, r.Header = op.name, c.header.Clone()
	if r.Body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	response, err := c.http.Do(ctx, r)
	if err != nil {
		return nil, explain(err, op)
	}
	return response, nil
}

// unexpected returns the error for a response that GitHub does not send. wrote reports whether the
// request may have changed something.
func unexpected(op operation, wrote bool, cause error) error {
	return &outbound.Error{
		Class: outbound.Provider, Provider: "github", Operation: op.name, Unknown: wrote, Cause: cause,
		Hint: "the response did not come from GitHub: check base_url, which is https://HOST/api/v3 for a GitHub Enterprise Server, and any proxy in between",
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
	case known.Status >= 300 && known.Status < 400:
		explained.Class = outbound.Invalid
		explained.Hint = "redirects are not followed: if the repository was renamed or moved to another owner, set owner and repository to the new names"
	case known.Class == outbound.NotFound && op.scope != "":
		explained.Hint = "the " + op.scope + " does not exist or the token cannot see it: give the token access to the repository and " + op.needs
	case known.Class == outbound.Permission && known.Hint == "" && op.needs != "":
		explained.Hint = "give the token access to the repository and " + op.needs
	}
	return &explained
}

// refusal returns an error that is not based on a response of GitHub.
func refusal(class outbound.Class, operation, hint string) error {
	return &outbound.Error{Class: class, Provider: "github", Operation: operation, Hint: hint}
}
