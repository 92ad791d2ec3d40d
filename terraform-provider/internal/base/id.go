package base

import (
	"fmt"
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
func parseID(id string, keys []Key) (place, error) {
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
	return p, p.check(keys)
}

// check returns an error unless all names are valid.
func (p place) check(keys []Key) error {
	for i, name := range p.names {
		if err := keys[i].Kind.Check(name); err != nil {
			return fmt.Errorf("%s: %w; %s", keys[i].Name, err, form(keys))
		}
	}
	return nil
}

// form describes an id with the names of the attributes.
func form(keys []Key) string {
	parts := make([]string, len(keys))
	for i, key := range keys {
		parts[i] = "<" + key.Name + ">"
	}
	return "an id is " + strings.Join(parts, "/") + ", or <namespace>" + namespaceMark + strings.Join(parts, "/")
}
