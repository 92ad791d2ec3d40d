package acceptance_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/stashbase/vault-stashbase/shared/vaulttest"
)

type data = map[string]any

// caller makes requests to one mount with one token. It returns every response unchanged. Vault's
// own client drops the text of a 404 and the data in it.
type caller struct {
	t                     testing.TB
	address, token, mount string
	http                  *http.Client
}

func callerOf(t testing.TB, c *api.Client) caller {
	t.Helper()
	transport := c.CloneConfig().HttpClient.Transport // which trusts the server's certificate
	return caller{t: t, address: c.Address(), token: c.Token(), mount: vaulttest.MountPath, http: &http.Client{Transport: transport, Timeout: time.Minute}}
}

// atMount returns the same caller for another mount.
func (c caller) atMount(mount string) caller {
	c.mount = mount
	return c
}

// in returns the same caller for a subtest.
func (c caller) in(t testing.TB) caller {
	c.t = t
	return c
}

// response is what Vault returned.
type response struct {
	request string // method and path
	status  int
	body    string
	data    data
	errors  []string
}

// word returns the part of the error before the colon, which clients match. Vault puts an error of
// a plugin into a list of one item, as text. It passes on an error response unchanged.
func (a response) word() string {
	if len(a.errors) == 0 {
		return ""
	}
	word, _, _ := strings.Cut(strings.TrimPrefix(a.errors[0], "1 error occurred:\n\t* "), ":")
	return word
}

func (a response) String() string { return fmt.Sprintf("%s: %d %s", a.request, a.status, a.body) }

// try makes a request. An error means that no response arrived.
func (c caller) try(method, path string, body data) (response, error) {
	a := response{request: method + " " + path}
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return a, err
		}
		content = bytes.NewReader(text)
	}
	req, err := http.NewRequest(method, c.address+"/v1/"+c.mount+"/"+path, content)
	if err != nil {
		return a, err
	}
	req.Header.Set("X-Vault-Token", c.token)
	if method == http.MethodPatch {
		req.Header.Set("Content-Type", "application/merge-patch+json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return a, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	a.status, a.body = resp.StatusCode, string(text)
	var parsed struct {
		Data   data
		Errors []string
	}
	if len(text) > 0 && json.Unmarshal(text, &parsed) == nil {
		a.data, a.errors = parsed.Data, parsed.Errors
	}
	return a, err
}

// send makes a request that gets a response of any status. The data of the response must conform to
// the published OpenAPI document.
func (c caller) send(method, path string, body data) response {
	c.t.Helper()
	a, err := c.try(method, path, body)
	if err != nil {
		c.t.Fatal(err)
	}
	c.conforms(method, path, a)
	return a
}

// must makes a request that has to succeed.
func (c caller) must(method, path string, body data) data {
	c.t.Helper()
	a := c.send(method, path, body)
	if a.status != http.StatusOK {
		c.t.Fatal(a)
	}
	return a.data
}

func (c caller) read(path string) data {
	c.t.Helper()
	return c.must("GET", path, nil)
}

func (c caller) write(path string, body data) data {
	c.t.Helper()
	if body == nil {
		body = data{}
	}
	return c.must("POST", path, body)
}

// list returns the keys of a listing.
func (c caller) list(path string) []string {
	c.t.Helper()
	return texts(c.must("LIST", path, nil)["keys"])
}

// refused makes a request that has to fail with the given status and word, and returns the
// response.
func (c caller) refused(method, path string, body data, status int, word string) response {
	c.t.Helper()
	a := c.send(method, path, body)
	if a.status != status || a.word() != word {
		c.t.Errorf("%s\nwant %d %s:", a, status, word)
	}
	return a
}

// texts converts a JSON list to strings.
func texts(of any) []string {
	all, _ := of.([]any)
	var out []string
	for _, item := range all {
		out = append(out, fmt.Sprint(item))
	}
	return out
}

// expect compares single fields of a response.
func expect(t testing.TB, what string, got data, want data) {
	t.Helper()
	for field, value := range want {
		if fmt.Sprint(got[field]) != fmt.Sprint(value) {
			t.Errorf("%s: %s is %v, want %v", what, field, got[field], value)
		}
	}
}

func same(t testing.TB, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}
