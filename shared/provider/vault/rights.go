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

// right is what a token's policies must allow on a path.
type right struct {
	path         string
	capabilities []string
	folder       bool // it is asked for with a slash at its end, and a policy may name it with or without
}

// rights are those that keeping a place takes, for an entry of a name. The guide on syncing to a KV engine lists the same.
func (p *place) rights(name string) []right {
	all := []string{"create", "read", "update", "delete"}
	one := p.path
	if p.granularity == provider.Key {
		one += "/" + name
	}
	switch {
	case p.versioned && p.granularity == provider.Key:
		return []right{
			{path: p.mount + "/data/" + one, capabilities: all[:3]}, {path: p.mount + "/metadata/" + one, capabilities: []string{"read", "delete"}},
			{p.mount + "/metadata/" + p.path, []string{"list"}, true},
		}
	case p.versioned:
		return []right{{path: p.mount + "/data/" + one, capabilities: all[:3]}, {path: p.mount + "/metadata/" + one, capabilities: []string{"read"}}}
	case p.granularity == provider.Key:
		return []right{{path: p.mount + "/" + one, capabilities: all}, {p.mount + "/" + p.path, []string{"list"}, true}}
	default:
		return []right{{path: p.mount + "/" + one, capabilities: all}}
	}
}

// Lacks asks the Vault what the token's policies allow at a place. A token may ask that by the policy `default`; of one that may not, only
// a list shows what it lacks.
func (Provider) Lacks(ctx context.Context, s *provider.Session, at provider.Place, name string) ([]string, error) {
	p, err := locate(ctx, s, at)
	if err != nil {
		return nil, err
	}
	needed := p.rights(name)
	has, err := p.capabilities(ctx, needed)
	if outbound.ClassOf(err) == outbound.Permission {
		_, err = p.keeper().list(ctx)
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

// capabilities answers what the token may do on each path.
func (p *place) capabilities(ctx context.Context, of []right) (map[string][]string, error) {
	op := operation{"look at the token's capabilities", "update on sys/capabilities-self, as the policy `default` does"}
	var paths []string
	for _, r := range of {
		if paths = append(paths, r.path); r.folder {
			paths = append(paths, r.path+"/")
		}
	}
	body, err := encode(map[string][]string{"paths": paths})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", op.name, err)
	}
	told := make(map[string][]string)
	request := outbound.Request{Method: http.MethodPost, URL: p.base + "sys/capabilities-self", Body: body, Safe: true}
	if _, err := p.send(ctx, op, request, &told); err != nil {
		return nil, err
	}
	for _, r := range of {
		if told[r.path] == nil {
			return nil, p.strange(op.name, false, nil)
		}
		if r.folder {
			told[r.path] = append(told[r.path], told[r.path+"/"]...)
		}
	}
	return told, nil
}
