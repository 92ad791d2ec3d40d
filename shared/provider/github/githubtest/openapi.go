package githubtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

// description is the part of GitHub's OpenAPI description that the server implements.
type description struct{ *openapi3.T }

// absent prints once that there is no description.
var absent sync.Once

// load returns the description, or nil if it is not available. In CI, a missing description fails
// the test.
func load(t testing.TB) *description {
	t.Helper()
	d, err := loaded()
	switch {
	case err == nil:
		return d
	case os.Getenv("CI") == "true":
		t.Fatal(err)
	}
	absent.Do(func() { fmt.Fprintln(os.Stderr, err) })
	return nil
}

// Described skips a test that needs GitHub's description if it is not available.
func Described(t testing.TB) {
	t.Helper()
	if load(t) == nil {
		t.Skip("GitHub's OpenAPI description is not available: run tools/github-openapi.sh for the reason")
	}
}

// loaded reads the description once per process.
var loaded = sync.OnceValues(func() (*description, error) {
	path, err := runTool("github-openapi.sh")
	if err != nil {
		return nil, err
	}
	whole, err := os.ReadFile(path) //nolint:gosec // A file that a script of this module has fetched.
	if err != nil {
		return nil, err
	}
	trimmed, err := trim(whole)
	if err != nil {
		return nil, err
	}
	spec, err := openapi3.NewLoader().LoadFromData(trimmed)
	if err != nil {
		return nil, err
	}
	return &description{spec}, nil
})

// paths returns the paths that the server implements. Loading all 811 paths takes two seconds and
// 400 MB.
func paths() []string {
	all := []string{"/user", "/installation/repositories"}
	for _, secrets := range []string{"/repos/{owner}/{repo}/actions/secrets", "/repos/{owner}/{repo}/environments/{environment_name}/secrets"} {
		all = append(all, secrets, secrets+"/public-key", secrets+"/{secret_name}")
	}
	return all
}

var reference = regexp.MustCompile(`"#/components/([a-z]+)/([^"]+)"`)

// trim removes all paths from a description except those of the server, and all components that
// they do not refer to.
func trim(whole []byte) ([]byte, error) {
	var all struct {
		OpenAPI    string                                `json:"openapi"`
		Info       json.RawMessage                       `json:"info"`
		Paths      map[string]json.RawMessage            `json:"paths"`
		Components map[string]map[string]json.RawMessage `json:"components"`
	}
	if err := json.Unmarshal(whole, &all); err != nil {
		return nil, err
	}
	kept, components := make(map[string]json.RawMessage), make(map[string]map[string]json.RawMessage)
	var queue []json.RawMessage
	for _, path := range paths() {
		if all.Paths[path] == nil {
			return nil, fmt.Errorf("the description has no path %s", path)
		}
		kept[path] = all.Paths[path]
		queue = append(queue, kept[path])
	}
	for len(queue) > 0 {
		next := queue[0]
		queue = queue[1:]
		for _, found := range reference.FindAllSubmatch(next, -1) {
			kind, name := string(found[1]), string(found[2])
			part := all.Components[kind][name]
			if kind == "examples" {
				part = json.RawMessage(`{"value":null}`)
			}
			if components[kind] == nil {
				components[kind] = make(map[string]json.RawMessage)
			}
			if components[kind][name] == nil && part != nil {
				components[kind][name] = part
				queue = append(queue, part)
			}
		}
	}
	if all.Components["schemas"]["basic-error"] != nil {
		components["schemas"]["basic-error"] = all.Components["schemas"]["basic-error"]
	}
	return json.Marshal(map[string]any{"openapi": all.OpenAPI, "info": all.Info, "paths": kept, "components": components})
}

// check validates a request and its response against the description.
func (d *description) check(t testing.TB, lax bool, mux *http.ServeMux, r *http.Request, body []byte, response *httptest.ResponseRecorder) {
	if d == nil {
		return
	}
	_, pattern := mux.Handler(r)
	_, path, _ := strings.Cut(pattern, " ")
	item := d.Paths.Value(path)
	if item == nil || item.GetOperation(r.Method) == nil {
		if !lax {
			t.Errorf("githubtest: GitHub's description has no %s %s", r.Method, r.URL.Path)
		}
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	input := &openapi3filter.RequestValidationInput{
		Request: r, PathParams: parameters(path, r.URL.EscapedPath()),
		Route:   &routers.Route{Spec: d.T, Path: path, PathItem: item, Method: r.Method, Operation: item.GetOperation(r.Method)},
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc},
	}
	if err := openapi3filter.ValidateRequest(context.Background(), input); err != nil && !lax {
		t.Errorf("githubtest: a request breaks GitHub's description: %s %s: %v", r.Method, r.URL.Path, err)
	}
	if err := d.checkResponse(input, response); err != nil {
		t.Errorf("githubtest: a response to %s %s breaks GitHub's description: %v", r.Method, r.URL.Path, err)
	}
}

// checkResponse validates a response. The description lists only some of the error responses and
// redirects, but all of them have the same form.
func (d *description) checkResponse(input *openapi3filter.RequestValidationInput, response *httptest.ResponseRecorder) error {
	if response.Code >= http.StatusMultipleChoices {
		var body any
		if err := json.Unmarshal(response.Body.Bytes(), &body); err != nil {
			return err
		}
		return d.Components.Schemas["basic-error"].Value.VisitJSON(body)
	}
	if !slices.Contains(slices.Collect(maps.Keys(input.Route.Operation.Responses.Map())), fmt.Sprint(response.Code)) {
		return errors.New("the description does not list its status")
	}
	return openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: response.Code, Header: response.Header(), Body: io.NopCloser(bytes.NewReader(response.Body.Bytes())),
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	})
}

// parameters returns the values of a path's parameters.
func parameters(pattern, path string) map[string]string {
	values := make(map[string]string)
	segments := strings.Split(path, "/")
	for i, name := range strings.Split(pattern, "/") {
		if !strings.HasPrefix(name, "{") || i >= len(segments) {
			continue
		}
		if value, err := url.PathUnescape(segments[i]); err == nil {
			values[strings.Trim(name, "{}")] = value
		}
	}
	return values
}
