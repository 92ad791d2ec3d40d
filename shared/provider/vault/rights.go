package vault

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/shared/provider"
)

// right is a set of capabilities that the token's policies must grant on a path.
type right struct {
	path         string
	capabilities []string
	// folder is set for a path that Vault checks with a trailing slash. A policy may contain the
	// path with or without the slash.
	folder bool
}

// rights returns the rights that are needed to manage the entry with the given name. The guide on
// syncing to a KV engine lists the same rights.
func (m *mount) rights(name string) []right {
	all := []string{"create", "read", "update", "delete"}
	one := m.path
	if m.granularity == provider.Key {
		one += "/" + name
	}
	switch {
	case m.versioned && m.granularity == provider.Key:
		return []right{
			{path: m.name + "/data/" + one, capabilities: all[:3]}, {path: m.name + "/metadata/" + one, capabilities: []string{"read", "delete"}},
			{m.name + "/metadata/" + m.path, []string{"list"}, true},
		}
	case m.versioned:
		return []right{{path: m.name + "/data/" + one, capabilities: all[:3]}, {path: m.name + "/metadata/" + one, capabilities: []string{"read"}}}
	case m.granularity == provider.Key:
		return []right{{path: m.name + "/" + one, capabilities: all}, {m.name + "/" + m.path, []string{"list"}, true}}
	default:
		return []right{{path: m.name + "/" + one, capabilities: all}}
	}
}

// Lacks compares the capabilities of the token at a place with the needed rights. The policy
// `default` allows a token to look up its capabilities. If the token may not do so, Lacks lists the
// entries instead, which detects only missing rights to list.
func (Provider) Lacks(ctx context.Context, s *provider.Session, place provider.Place, name string) ([]string, error) {
	m, err := openMount(ctx, s, place)
	if err != nil {
		return nil, err
	}
	needed := m.rights(name)
	has, err := m.capabilities(ctx, needed)
	if outbound.ClassOf(err) == outbound.Permission {
		_, err = m.store().list(ctx)
		return nil, err
	}
	if err != nil {
		return nil, err
	}
	var lacks []string
	for _, r := range needed {
		missing := slices.DeleteFunc(slices.Clone(r.capabilities), func(c string) bool { return slices.Contains(has[r.path], c) })
		if len(missing) > 0 && !slices.Contains(has[r.path], "root") {
			lacks = append(lacks, strings.Join(missing, ", ")+" on "+r.path)
		}
	}
	return lacks, nil
}

// capabilities returns the capabilities of the token on each path.
func (m *mount) capabilities(ctx context.Context, needed []right) (map[string][]string, error) {
	op := operation{"look up the token's capabilities", "update on sys/capabilities-self, as the policy `default` does"}
	var paths []string
	for _, r := range needed {
		if paths = append(paths, r.path); r.folder {
			paths = append(paths, r.path+"/")
		}
	}
	body, err := encode(map[string][]string{"paths": paths})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", op.name, err)
	}
	granted := make(map[string][]string)
	request := outbound.Request{Method: http.MethodPost, URL: m.base + "sys/capabilities-self", Body: body, Safe: true}
	if _, err := m.send(ctx, op, request, &granted); err != nil {
		return nil, err
	}
	for _, r := range needed {
		if granted[r.path] == nil {
			return nil, m.unexpected(op.name, false, nil)
		}
		if r.folder {
			granted[r.path] = append(granted[r.path], granted[r.path+"/"]...)
		}
	}
	return granted, nil
}
