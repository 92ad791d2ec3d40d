package vault

import (
	"context"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/shared/provider"
)

// kv1 is a KV engine of version 1. It has no versions and cannot compare. Whether a secret exists
// is checked right before a write. Any other change by others between the check and the write is
// lost.
type kv1 struct {
	*client
	mount string // escaped
}

func (e kv1) compares() bool { return false }

func (e kv1) entries(ctx context.Context, folder string) ([]provider.Entry, error) {
	names, err := e.names(ctx, operation{"list the secrets", "list on <mount>/<path>, with and without a trailing slash"}, e.mount+"/"+escape(folder)+"/")
	if err != nil {
		return nil, err
	}
	entries := make([]provider.Entry, len(names))
	for i, name := range names {
		entries[i].Name = name
	}
	return entries, nil
}

// stats lists the folder, because looking up one secret would read its value.
func (e kv1) stats(ctx context.Context, folder string, names []string) ([]provider.Entry, error) {
	all, err := e.entries(ctx, folder)
	return filterByName(all, names), err
}

func (e kv1) stat(ctx context.Context, path string) (state, error) {
	f, current, err := e.read(ctx, path)
	f.wipe()
	return current, err
}

func (e kv1) read(ctx context.Context, path string) (fields, state, error) {
	var f fields
	_, err := e.get(ctx, operation{"read a secret", "read on the secret"}, e.mount+"/"+escape(path), &f)
	if outbound.ClassOf(err) == outbound.NotFound {
		return nil, state{}, nil
	}
	return f, state{exists: err == nil}, err
}

func (e kv1) write(ctx context.Context, path string, f fields, _ state) (state, error) {
	if len(f) == 0 {
		// KV v1 rejects a secret without fields.
		return state{}, e.remove(ctx, path)
	}
	op := operation{"write a secret", "create and update on the secret"}
	body, err := encode(f)
	if err != nil {
		return state{}, &outbound.Error{Class: outbound.Internal, Provider: "vault", Operation: op.name, Cause: err}
	}
	return state{exists: true}, e.post(ctx, op, e.mount+"/"+escape(path), body, nil)
}

func (e kv1) remove(ctx context.Context, path string) error {
	return e.client.remove(ctx, operation{"remove a secret", "delete on the secret"}, e.mount+"/"+escape(path))
}
