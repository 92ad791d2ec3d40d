package vault

import (
	"context"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/shared/provider"
)

// kv1 is a KV engine of version 1. It has no versions and compares nothing: what somebody else writes to a secret of ours between our
// look and our write is lost. Only whether a secret exists is looked at, right before a write.
type kv1 struct {
	*client
	mount string // escaped
}

func (e kv1) compares() bool { return false }

func (e kv1) entries(ctx context.Context, folder string) ([]provider.Entry, error) {
	names, err := e.names(ctx, operation{"list the secrets", "list on <mount>/<path>, with and without a slash at its end"}, e.mount+"/"+escape(folder)+"/")
	if err != nil {
		return nil, err
	}
	entries := make([]provider.Entry, len(names))
	for i, name := range names {
		entries[i].Name = name
	}
	return entries, nil
}

// stats lists: to look at one secret were to read it.
func (e kv1) stats(ctx context.Context, folder string, names []string) ([]provider.Entry, error) {
	all, err := e.entries(ctx, folder)
	return chosen(all, names), err
}

func (e kv1) stat(ctx context.Context, path string) (state, error) {
	f, at, err := e.read(ctx, path)
	f.wipe()
	return at, err
}

func (e kv1) read(ctx context.Context, path string) (fields, state, error) {
	var told fields
	_, err := e.get(ctx, operation{"read a secret", "read on the secret"}, e.mount+"/"+escape(path), &told)
	if outbound.ClassOf(err) == outbound.NotFound {
		return nil, state{}, nil
	}
	return told, state{exists: err == nil}, err
}

func (e kv1) write(ctx context.Context, path string, f fields, _ state) (state, error) {
	if len(f) == 0 {
		// The engine takes no secret without fields.
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
