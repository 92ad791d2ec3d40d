package keyring

import (
	"testing"
	"time"
)

// day is the time at which the tests create keys.
var day = time.Date(2026, time.March, 4, 5, 6, 7, 891e6, time.UTC)

// Scopes for tests that need any scope.
var (
	production = EnvironmentScope{Project: "shop", Environment: "production", ID: ID{1}}
	github     = IntegrationScope{Provider: "github", Name: "main", ID: ID{2}}
	ci         = SyncScope{Project: "shop", Environment: "production", Destination: "github-actions", Name: "ci", ID: ID{3}}
	alerts     = WebhookScope{Name: "alerts", ID: ID{4}}
)

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func newTestMaster(t testing.TB) *Master {
	t.Helper()
	return must(NewMaster(day))(t)
}

func newTestWorkspace(t testing.TB, m *Master) *Workspace {
	t.Helper()
	return must(m.NewWorkspace(WorkspaceScope{"acme", NewID()}, day))(t)
}

// rotated returns w with n additional versions.
func rotated(t testing.TB, w *Workspace, n int) *Workspace {
	t.Helper()
	for range n {
		w = must(w.Rotate(day))(t)
	}
	return w
}

// parts splits T(f1..fn) into its fields, and returns the bytes after it.
func parts(t testing.TB, b []byte) (fields [][]byte, rest []byte) {
	t.Helper()
	if len(b) == 0 {
		t.Fatal("a tuple has at least one byte, its count")
	}
	n, b := int(b[0]), b[1:]
	for range n {
		if len(b) < 2 {
			t.Fatal("tuple is truncated")
		}
		size := int(b[0])<<8 | int(b[1])
		if len(b) < 2+size {
			t.Fatal("tuple is truncated")
		}
		fields, b = append(fields, b[2:2+size]), b[2+size:]
	}
	return fields, b
}
