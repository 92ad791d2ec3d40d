package base

import (
	"fmt"
	"regexp"
	"strings"
)

// namespaceMark stands between the namespace and the rest of an id. No name has a colon.
const namespaceMark = "::"

// place says which object a resource stands for.
type place struct {
	namespace string // empty: the provider's
	names     []string
}

// id is [namespace::]name/name/...
func (p place) id() string {
	joined := strings.Join(p.names, "/")
	if len(p.names) == 0 {
		joined = Singleton
	}
	if p.namespace == "" {
		return joined
	}
	return p.namespace + namespaceMark + joined
}

// parseID is the inverse of id. Its error shows the form with the names of the attributes.
func parseID(id string, keys []string) (place, error) {
	var p place
	rest := id
	if namespace, after, found := strings.Cut(id, namespaceMark); found {
		if namespace == "" {
			return place{}, fmt.Errorf("the namespace before %q is empty; %s", namespaceMark, form(keys))
		}
		p.namespace, rest = namespace, after
	}
	if len(keys) > 0 {
		p.names = strings.Split(rest, "/")
	} else if rest != Singleton {
		return place{}, fmt.Errorf("the id of what a mount has once is %q", Singleton)
	}
	if len(keys) > 0 && len(p.names) != len(keys) {
		return place{}, fmt.Errorf("the id has %d parts; %s", len(p.names), form(keys))
	}
	for i, name := range p.names {
		if !legal.MatchString(name) {
			return place{}, fmt.Errorf("the part for %s is no name; %s", keys[i], form(keys))
		}
	}
	return p, nil
}

// legal is what all names of the engine have in common. The engine knows the rest.
var legal = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}$`)

func form(keys []string) string {
	parts := make([]string, len(keys))
	for i, key := range keys {
		parts[i] = "<" + key + ">"
	}
	return "an id is " + strings.Join(parts, "/") + ", or <namespace>" + namespaceMark + strings.Join(parts, "/")
}
