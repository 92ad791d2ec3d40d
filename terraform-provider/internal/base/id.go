package base

import (
	"fmt"
	"regexp"
	"strings"
)

// namespaceMark separates the namespace from the rest of an id. Names contain no colon.
const namespaceMark = "::"

// place identifies the object of a resource.
type place struct {
	namespace string // empty for the provider's own
	names     []string
}

// id returns [namespace::]name/name/...
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

// parseID is the inverse of id. Its error shows the form of an id with the names of the attributes.
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
		return place{}, fmt.Errorf("the id of this resource is %q, because a mount has only one", Singleton)
	}
	if len(keys) > 0 && len(p.names) != len(keys) {
		return place{}, fmt.Errorf("the id has the wrong number of parts (%d); %s", len(p.names), form(keys))
	}
	for i, name := range p.names {
		if !legal.MatchString(name) {
			return place{}, fmt.Errorf("the part for %s is not a valid name; %s", keys[i], form(keys))
		}
	}
	return p, nil
}

// legal is the rule that all names of the engine have in common. The engine checks the rest.
var legal = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}$`)

func form(keys []string) string {
	parts := make([]string, len(keys))
	for i, key := range keys {
		parts[i] = "<" + key + ">"
	}
	return "an id is " + strings.Join(parts, "/") + ", or <namespace>" + namespaceMark + strings.Join(parts, "/")
}
