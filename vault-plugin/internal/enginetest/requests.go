package enginetest

import (
	"context"
	"errors"

	"github.com/hashicorp/vault/sdk/logical"
)

// Must sends a request that has to succeed.
func (m *Mount) Must(op logical.Operation, path string, data Data) Data {
	m.t.Helper()
	answer, err := m.Do(Request{Op: op, Path: path, Data: data})
	if err != nil {
		m.t.Fatalf("%s %s: %v", op, path, err)
	}
	return answer
}

// Write is `vault write`, which has to succeed.
func (m *Mount) Write(path string, data Data) Data {
	m.t.Helper()
	return m.Must(logical.UpdateOperation, path, data)
}

// Read is `vault read`, which has to succeed.
func (m *Mount) Read(path string) Data {
	m.t.Helper()
	return m.Must(logical.ReadOperation, path, nil)
}

// Delete is `vault delete`, which has to succeed.
func (m *Mount) Delete(path string, data Data) Data {
	m.t.Helper()
	return m.Must(logical.DeleteOperation, path, data)
}

// List is `vault list`, which has to succeed; the path gets its trailing slash.
func (m *Mount) List(path string) []string {
	m.t.Helper()
	raw, _ := m.Must(logical.ListOperation, path+"/", nil)["keys"].([]any)
	names := make([]string, len(raw))
	for i, name := range raw {
		names[i], _ = name.(string)
	}
	return names
}

// Refuse sends a request that has to be refused.
func (m *Mount) Refuse(op logical.Operation, path string, data Data) *Refused {
	m.t.Helper()
	_, err := m.Do(Request{Op: op, Path: path, Data: data})
	var refused *Refused
	if !errors.As(err, &refused) {
		m.t.Fatalf("%s %s: was not refused", op, path)
	}
	return refused
}

// Patch is `vault patch`, which has to succeed.
func (m *Mount) Patch(path string, data Data) Data {
	m.t.Helper()
	return m.Must(logical.PatchOperation, path, data)
}

// Exists asks what Vault asks before a write, to tell a create from an update.
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

// Tick is the call that Vault's active node makes every minute.
func (m *Mount) Tick() {
	m.t.Helper()
	_, err := m.Backend.HandleRequest(context.Background(), &logical.Request{
		ID: "tick", Operation: logical.RollbackOperation, Storage: m.Storage, MountPoint: "stashbase/",
	})
	if err != nil && !errors.Is(err, logical.ErrUnsupportedOperation) {
		m.t.Fatalf("periodic: %v", err)
	}
}

// Populate makes a workspace, a project and environments in it.
func (m *Mount) Populate(workspace, project string, environments ...string) {
	m.t.Helper()
	m.Write("workspaces/"+workspace, nil)
	m.Write("projects/"+workspace+"/"+project, nil)
	for _, e := range environments {
		m.Write("environments/"+workspace+"/"+project+"/"+e, nil)
	}
}

// Version answers the version number in an answer.
func Version(answer Data) int {
	n, _ := answer["version"].(float64)
	return int(n)
}
