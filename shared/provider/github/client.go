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

// apiVersion is the oldest that GitHub still serves, and the only one that every supported GitHub Enterprise Server knows. Support for
// it ends in March 2028 at the earliest: docs.github.com/en/rest/about-the-rest-api/api-versions, read 2026-11.
const apiVersion = "2022-11-28"

// client makes requests to one API with one token.
type client struct {
	http   *outbound.Client
	base   string // without a slash at its end
	header http.Header
}

// operation is what a request is for, what a token needs for it, and the kind of scope it is about, all as a person says it.
type operation struct{ name, needs, scope string }

func open(s *provider.Session) (*client, error) {
	base := s.Settings.Text(fieldBaseURL)
	if _, err := provider.CanonicalURL(base); err != nil {
		return nil, refusal(outbound.Invalid, "connect", fieldBaseURL+" "+err.Error())
	}
	token := s.Credential.Text(fieldToken)
	if !provider.IsToken(token) {
		return nil, refusal(outbound.Auth, "connect", "the token is empty or holds characters that no token has: supply it again")
	}
	return &client{s.HTTP, strings.TrimRight(base, "/"), http.Header{
		"Authorization":        {"Bearer " + token},
		"Accept":               {"application/vnd.github+json"},
		"X-Github-Api-Version": {apiVersion},
	}}, nil
}

// get asks for what stands at a path, and reads the answer into told.
func (c *client) get(ctx context.Context, op operation, path string, told any) (*outbound.Response, error) {
	answer, err := c.send(ctx, op, outbound.Request{Method: http.MethodGet, URL: c.base + path, Safe: true})
	if err != nil {
		return nil, err
	}
	if answer.Status != http.StatusOK {
		return nil, strange(op, false, nil)
	}
	if err := json.Unmarshal(answer.Body, told); err != nil {
		return nil, strange(op, false, err)
	}
	return answer, nil
}

// change makes a request that changes something. Each has the same effect, done once or twice; a repetition that comes after another's
// write takes its place, as the first one would have.
func (c *client) change(ctx context.Context, op operation, method, path string, body []byte) error {
	answer, err := c.send(ctx, op, outbound.Request{Method: method, URL: c.base + path, Body: body, Safe: true, Write: true})
	if err != nil {
		return err
	}
	created := method == http.MethodPut && answer.Status == http.StatusCreated
	if answer.Status != http.StatusNoContent && !created {
		return strange(op, true, nil)
	}
	return nil
}

func (c *client) send(ctx context.Context, op operation, r outbound.Request) (*outbound.Response, error) {
	r.Operation, r.Header = op.name, c.header.Clone()
	if r.Body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	answer, err := c.http.Do(ctx, r)
	if err != nil {
		return nil, explain(err, op)
	}
	return answer, nil
}

// strange is for an answer that is none of GitHub's.
func strange(op operation, wrote bool, cause error) error {
	return &outbound.Error{
		Class: outbound.Provider, Provider: "github", Operation: op.name, Unknown: wrote, Cause: cause,
		Hint: "the answer is none of GitHub's: check base_url, which is https://HOST/api/v3 for a GitHub Enterprise Server, and what stands between",
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
	case known.Status >= 300 && known.Status < 400:
		explained.Class = outbound.Invalid
		explained.Hint = "a redirect is not followed: has the repository been renamed or moved to another owner? Set owner and repository to what they are now"
	case known.Class == outbound.NotFound && op.scope != "":
		explained.Hint = "the " + op.scope + " does not exist, or the token may not see it: it must be given access to the repository, and " + op.needs
	case known.Class == outbound.Permission && known.Hint == "" && op.needs != "":
		explained.Hint = "the token must be given access to the repository, and " + op.needs
	}
	return &explained
}

// refusal is an error that no answer of the other side stands behind.
func refusal(class outbound.Class, operation, hint string) error {
	return &outbound.Error{Class: class, Provider: "github", Operation: operation, Hint: hint}
}
