package connect

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestTheEnvironmentHasWhatIsNotConfigured(t *testing.T) {
	r := newRegistry(t)
	t.Setenv("VAULT_ADDR", r.URL)
	t.Setenv("VAULT_NAMESPACE", "of-the-environment")
	t.Setenv("VAULT_TOKEN", ownersToken)
	for _, namespace := range []string{"", "configured"} {
		if err := uses(t, &Connection{settings: settings{namespace: namespace}}); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"of-the-environment /v1/stashbase/workspaces/acme " + ownersToken, "configured /v1/stashbase/workspaces/acme " + ownersToken}
	if !slices.Equal(r.seen, want) {
		t.Errorf("requests %q, want %q", r.seen, want)
	}
}

// The sources of a value are its attribute, its file, its variables in order, and its default file.
func TestTheFirstSourceOfALoginHasTheValue(t *testing.T) {
	dir := t.TempDir()
	file, standard := filepath.Join(dir, "file"), filepath.Join(dir, "standard")
	for name, content := range map[string]string{file: "of-file", standard: "of-standard"} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		given         values
		first, second string // variables
		want          string
	}{
		{values{"x": "given", "x_file": file}, "1", "2", "given"},
		{values{"x_file": file}, "1", "2", "of-file"},
		{values{}, "1", "2", "1"},
		{values{}, "", "2", "2"},
		{values{}, "", "", "of-standard"},
	} {
		t.Setenv("FIRST", c.first)
		t.Setenv("SECOND", c.second)
		l := &login{values: c.given, method: method{fields: []field{
			{name: "x", file: true, env: []string{"FIRST", "SECOND"}, fallback: standard},
		}}}
		if got, err := l.resolve(); err != nil || got["x"] != c.want {
			t.Errorf("%+v: %q (%v)", c, got["x"], err)
		}
	}
}

// With Vault Enterprise, a node that lags behind must not serve a read after a write.
func TestAReadFollowsTheWriteBeforeIt(t *testing.T) {
	const index = "X-Vault-Index"
	state := base64.StdEncoding.EncodeToString([]byte("v1:cluster:1:2:mac"))
	var sent []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent = append(sent, r.Header.Get(index))
		w.Header().Set(index, state)
		_, _ = w.Write([]byte(`{"data": {"name": "acme"}}`))
	}))
	defer server.Close()
	conn := &Connection{settings: settings{address: server.URL, token: "t"}}
	for range 2 {
		if err := uses(t, conn); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"", state}; !slices.Equal(sent, want) {
		t.Errorf("states %q, want %q", sent, want)
	}
}
