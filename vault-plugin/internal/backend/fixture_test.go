package backend_test

import (
	"crypto/rand"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
)

type data = enginetest.Data

const (
	dev    = "acme/api/development" // the environment that most tests use
	secret = "secrets/" + dev + "/DATABASE_URL"
)

// populated returns a mount with the environment dev.
func populated(t *testing.T) *enginetest.Mount {
	t.Helper()
	m := enginetest.New(t)
	m.Populate("acme", "api", "development")
	return m
}

// planted returns a value that occurs nowhere else.
func planted() string { return rand.Text() }

// expect checks the status of an error and the word that it begins with, and that its text contains
// the given parts.
func expect(t *testing.T, got *enginetest.Refused, status int, word string, parts ...string) {
	t.Helper()
	if got.Status != status || got.Word() != word {
		t.Errorf("got error %d %q, want %d %s", got.Status, got.Text, status, word)
	}
	for _, part := range parts {
		if !strings.Contains(got.Text, part) {
			t.Errorf("the error does not contain %q: %s", part, got.Text)
		}
	}
}

// leaks returns a part of the value that occurs in the text, or "".
func leaks(text, value string) string {
	const window = 4
	for i := 0; i+window <= len(value); i++ {
		if part := value[i : i+window]; strings.Contains(text, part) {
			return part
		}
	}
	return ""
}

// has checks the given fields of a response. Numbers are float64, as JSON decoding produces them.
func has(t *testing.T, got data, want data) {
	t.Helper()
	for _, field := range slices.Sorted(maps.Keys(want)) {
		w := want[field]
		if n, ok := w.(int); ok {
			w = float64(n)
		}
		if !equal(got[field], w) {
			t.Errorf("%s is %v, want %v", field, got[field], w)
		}
	}
}

func equal(got, want any) bool {
	switch w := want.(type) {
	case data:
		g, ok := got.(data)
		return ok && maps.EqualFunc(g, w, func(a, b any) bool { return equal(a, b) })
	case []string:
		g, ok := got.([]any)
		return ok && slices.EqualFunc(g, w, func(a any, b string) bool { return a == b })
	case int:
		return got == float64(w)
	default:
		return got == want
	}
}

func object(t *testing.T, in data, path ...string) data {
	t.Helper()
	for _, field := range path {
		next, ok := in[field].(data)
		if !ok {
			t.Fatalf("no object %s in %v", strings.Join(path, "."), in)
		}
		in = next
	}
	return in
}

// restarting yields the running mount, and then the mount after a restart.
func restarting(m **enginetest.Mount) iter.Seq[*enginetest.Mount] {
	return func(yield func(*enginetest.Mount) bool) {
		if yield(*m) {
			*m = (*m).Restart()
			yield(*m)
		}
	}
}

func write(path string, d data) enginetest.Request {
	return enginetest.Request{Op: logical.UpdateOperation, Path: path, Data: d}
}

func read(path string, d data) enginetest.Request {
	return enginetest.Request{Op: logical.ReadOperation, Path: path, Data: d}
}

func remove(path string, d data) enginetest.Request {
	return enginetest.Request{Op: logical.DeleteOperation, Path: path, Data: d}
}

func patch(path string, d data) enginetest.Request {
	return enginetest.Request{Op: logical.PatchOperation, Path: path, Data: d}
}

func listing(path string, d data) enginetest.Request {
	return enginetest.Request{Op: logical.ListOperation, Path: path + "/", Data: d}
}
