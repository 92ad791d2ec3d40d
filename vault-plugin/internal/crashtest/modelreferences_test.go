package crashtest

import (
	"maps"
	"slices"
	"strings"
)

// This file models references and inheritance.

// referencePiece is text, or a reference if it has a name.
type referencePiece struct{ text, project, environment, name string }

func (r referencePiece) path(project string) string {
	if r.project != "" {
		project = r.project
	}
	return project + "/" + r.environment
}

// parseReferences splits a value into its pieces. It supports only the names that the steps use.
func parseReferences(value string) (pieces []referencePiece, ok bool) {
	for {
		before, rest, found := strings.Cut(value, "${")
		if !found {
			return append(pieces, referencePiece{text: value}), true
		}
		if literal, escaped := strings.CutSuffix(before, `\`); escaped {
			pieces = append(pieces, referencePiece{text: literal + "${"})
			value = rest
			continue
		}
		inner, after, closed := strings.Cut(rest, "}")
		names := strings.Split(inner, "/")
		if !closed || strings.Contains(inner, " ") {
			return nil, false
		}
		piece := referencePiece{name: names[len(names)-1]}
		if len(names) > 1 {
			piece.environment = names[len(names)-2]
		}
		if len(names) > 2 {
			piece.project = names[0]
		}
		pieces = append(pieces, referencePiece{text: before}, piece)
		value = after
	}
}

// resolving is one delivery as of a moment; 0 means now. Errors are statuses.
type resolving struct {
	m        *model
	w        string
	moment   int
	views    map[string]map[string]modelVersion
	proposed map[string]modelVersion // replace the secrets of environment at
	gone     []string                // are deleted in environment at
	at       string
}

// modelHop is a secret, the environment that stores it, and the environment that is delivered.
type modelHop struct{ home, scope, name string }

func (r *resolving) view(path string) map[string]modelVersion {
	if v := r.views[path]; v != nil {
		return v
	}
	v := r.m.choose(r.m.at(r.w, path), r.moment, nil)
	if r.at == path {
		maps.Copy(v, r.proposed)
		maps.DeleteFunc(v, func(name string, _ modelVersion) bool { return slices.Contains(r.gone, name) })
	}
	r.views[path] = v
	return v
}

// other returns the view of the environment at path on behalf of the environment from.
func (r *resolving) other(from, path string) (map[string]modelVersion, int) {
	target := r.m.at(r.w, path)
	switch {
	case target == nil:
		return nil, 400
	case !mayUse(target, path, from):
		return nil, 403
	}
	return r.view(path), 0
}

// lineage returns the path of an environment and the paths of the environments that it inherits
// from.
func (r *resolving) lineage(path string) ([]string, int) {
	all := []string{path}
	for {
		base := r.m.at(r.w, path).Base
		if base == "" {
			return all, 0
		}
		if _, status := r.other(path, base); status != 0 {
			return nil, status
		}
		if len(all) > 10 || slices.Contains(all, base) {
			return nil, 400
		}
		all, path = append(all, base), base
	}
}

// resolve returns a value with its references resolved.
func (r *resolving) resolve(v modelVersion, here modelHop, chain []modelHop) (text string, status int) {
	if slices.Contains(chain, here) || len(chain) > 10 || v.Gone {
		return "", 400
	}
	if !v.References {
		return v.Value, 0
	}
	pieces, ok := parseReferences(v.Value)
	if !ok {
		return "", 400
	}
	chain = append(slices.Clip(chain), here)
	for _, piece := range pieces {
		part := piece.text
		if piece.name != "" {
			if part, status = r.follow(piece, here, chain); status != 0 {
				return "", status
			}
		}
		if text += part; len(text) > 384<<10 {
			return "", 400
		}
	}
	return text, 0
}

func (r *resolving) follow(piece referencePiece, here modelHop, chain []modelHop) (text string, status int) {
	in := here.scope
	if piece.environment != "" {
		project, _, _ := strings.Cut(here.home, "/")
		in = piece.path(project)
		if _, status := r.other(here.home, in); status != 0 {
			return "", status
		}
	}
	lineage, status := r.lineage(in)
	if status != 0 {
		return "", status
	}
	for _, home := range lineage {
		if v, ok := r.views[home][piece.name]; ok {
			return r.resolve(v, modelHop{home, in, piece.name}, chain)
		}
	}
	return "", 400
}

func (m *model) resolving(w string, moment int) *resolving {
	return &resolving{m: m, w: w, moment: moment, views: make(map[string]map[string]modelVersion)}
}

// unresolvable returns the status of the error if the references of a version cannot be resolved on
// write, else 0.
func (m *model) unresolvable(w, p, e, name string, v modelVersion) int {
	if !v.References {
		return 0
	}
	if v.Base64 {
		return 400
	}
	r := m.resolving(w, 0)
	r.proposed, r.at = map[string]modelVersion{name: v}, p+"/"+e
	return r.unresolvable()
}

// unresolvable returns the status of the first error of the proposed versions: all are parsed in the
// order of their names, then resolved.
func (r *resolving) unresolvable() int {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(r.proposed)) {
		if !r.proposed[name].References {
			continue
		}
		if _, ok := parseReferences(r.proposed[name].Value); !ok {
			return 400
		}
		names = append(names, name)
	}
	r.view(r.at)
	for _, name := range names {
		if _, status := r.resolve(r.proposed[name], modelHop{r.at, r.at, name}, nil); status != 0 {
			return status
		}
	}
	return 0
}

// deliver returns what load returns for an environment, as of a moment; 0 means now. include lists
// the wanted names; if it is empty, all are wanted.
func (m *model) deliver(w, p, e string, moment int, include []string) (all map[string]modelVersion, status int) {
	env := m.environment(w, p, e)
	if env == nil || moment > m.Now {
		return nil, 400
	}
	chosen := m.choose(env, moment, include)
	for _, v := range chosen {
		if v.Gone {
			return nil, 400
		}
	}
	refers := func(name string) bool { return chosen[name].References }
	if env.Base == "" && !slices.ContainsFunc(slices.Collect(maps.Keys(chosen)), refers) {
		return chosen, 0
	}
	r := m.resolving(w, moment)
	path := p + "/" + e
	r.view(path)
	lineage, status := r.lineage(path)
	if status != 0 {
		return nil, status
	}
	homes := make(map[string]string)
	for _, home := range slices.Backward(lineage) {
		for name := range r.views[home] {
			if included(name, include) {
				homes[name] = home
			}
		}
	}
	all = make(map[string]modelVersion)
	for _, name := range slices.Sorted(maps.Keys(homes)) {
		v := r.views[homes[name]][name]
		if v.Value, status = r.resolve(v, modelHop{homes[name], path, name}, nil); status != 0 {
			return nil, status
		}
		all[name] = v
	}
	return all, 0
}

func included(name string, include []string) bool {
	return len(include) == 0 || slices.Contains(include, name)
}

func (m *model) load(w, p, e string, moment int, include []string) want {
	chosen, status := m.deliver(w, p, e, moment, include)
	if status == 400 && m.environment(w, p, e) == nil {
		status = 404 // as for a KV version 1 secret that does not exist
	}
	if status != 0 {
		return refuse(status)
	}
	all := make(data)
	for name, v := range chosen {
		all[name] = v.Value
	}
	return want{data: all}
}

func (m *model) compare(w, p, from, to string) want {
	left, status := m.deliver(w, p, from, 0, nil)
	if status != 0 {
		return refuse(status)
	}
	right, status := m.deliver(w, p, to, 0, nil)
	if status != 0 {
		return refuse(status)
	}
	found := map[string][]string{"only_in_from": {}, "only_in_to": {}, "different": {}, "same": {}}
	for _, name := range slices.Sorted(maps.Keys(left)) {
		other, both := right[name]
		kind := "only_in_from"
		if both {
			kind = map[bool]string{true: "same", false: "different"}[other.Value == left[name].Value && other.Base64 == left[name].Base64]
		}
		found[kind] = append(found[kind], name)
	}
	for _, name := range slices.Sorted(maps.Keys(right)) {
		if _, both := left[name]; !both {
			found["only_in_to"] = append(found["only_in_to"], name)
		}
	}
	response := make(data)
	for kind, names := range found {
		response[kind] = names
	}
	return want{data: response}
}
