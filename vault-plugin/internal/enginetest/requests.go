package enginetest

import (
	"context"
	"errors"

	"github.com/hashicorp/vault/sdk/logical"
)

// Must sends a request and fails the test if the request fails.
func (m *Mount) Must(op logical.Operation, path string, data Data) Data {
	m.t.Helper()
	response, err := m.Do(Request{Op: op, Path: path, Data: data})
	if err != nil {
		m.t.Fatalf("%s %s: %v", op, path, err)
	}
	return response
}

// Write writes a path and fails the test if the request fails.
func (m *Mount) Write(path string, data Data) Data {
	m.t.Helper()
	return m.Must(logical.UpdateOperation, path, data)
}

// Read reads a path and fails the test if the request fails.
func (m *Mount) Read(path string) Data {
	m.t.Helper()
	return m.Must(logical.ReadOperation, path, nil)
}

// Delete deletes a path and fails the test if the request fails.
func (m *Mount) Delete(path string, data Data) Data {
	m.t.Helper()
	return m.Must(logical.DeleteOperation, path, data)
}

// List returns the keys of a path without its trailing slash. It fails the test if the request
// fails.
func (m *Mount) List(path string) []string {
	m.t.Helper()
	raw, _ := m.Must(logical.ListOperation, path+"/", nil)["keys"].([]any)
	names := make([]string, len(raw))
	for i, name := range raw {
		names[i], _ = name.(string)
	}
	return names
}

// Refuse sends a request and fails the test unless the request is refused.
func (m *Mount) Refuse(op logical.Operation, path string, data Data) *Refused {
	m.t.Helper()
	_, err := m.Do(Request{Op: op, Path: path, Data: data})
	var refused *Refused
	if !errors.As(err, &refused) {
		m.t.Fatalf("%s %s: the request was not refused", op, path)
	}
	return refused
}

// Patch patches a path and fails the test if the request fails.
func (m *Mount) Patch(path string, data Data) Data {
	m.t.Helper()
	return m.Must(logical.PatchOperation, path, data)
}

// Exists runs the existence check by which Vault distinguishes a create from an update.
func (m *Mount) Exists(path string) bool {
	m.t.Helper()
	_, exists, err := m.Backend.HandleExistenceCheck(context.Background(), &logical.Request{
		ID: "existence", Operation: logical.UpdateOperation, Path: path, Storage: m.Storage, MountPoint: "stashbase/",
	})
	if err != nil {
		m.t.Fatalf("existence of %s: %v", path, err)
	}
	return exists
}

// Tick sends the rollback request that Vault's active node sends every minute.
func (m *Mount) Tick() {
	m.t.Helper()
	_, err := m.Backend.HandleRequest(context.Background(), &logical.Request{
		ID: "tick", Operation: logical.RollbackOperation, Storage: m.Storage, MountPoint: "stashbase/",
	})
	if err != nil && !errors.Is(err, logical.ErrUnsupportedOperation) {
		m.t.Fatalf("periodic: %v", err)
	}
}

// Populate creates a workspace, a project and its environments.
func (m *Mount) Populate(workspace, project string, environments ...string) {
	m.t.Helper()
	m.Write("workspaces/"+workspace, nil)
	m.Write("projects/"+workspace+"/"+project, nil)
	for _, e := range environments {
		m.Write("environments/"+workspace+"/"+project+"/"+e, nil)
	}
}

// Version returns the version number in a response.
func Version(response Data) int {
	n, _ := response["version"].(float64)
	return int(n)
}
