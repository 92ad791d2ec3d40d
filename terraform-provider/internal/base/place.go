package base

import (
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// keyed holds the attributes of a plan or state that make up the id.
type keyed struct {
	names  []string // of the keys, in their order, and engine_namespace at the end
	values []tftypes.Value
}

const namespaceAttribute = "engine_namespace"

// keysIn returns the attributes of a plan or state that make up the id.
func (r *managed[M]) keysIn(value tftypes.Value) (keyed, error) {
	attributes := map[string]tftypes.Value{}
	if err := value.As(&attributes); err != nil {
		return keyed{}, err
	}
	var k keyed
	for _, key := range r.kind.Keys {
		k.names, k.values = append(k.names, key.Name), append(k.values, attributes[key.Name])
	}
	k.names, k.values = append(k.names, namespaceAttribute), append(k.values, attributes[namespaceAttribute])
	return k, nil
}

// place returns the object that the attributes identify. Unknown names are empty.
func (k keyed) place() place {
	var at place
	for i, value := range k.values {
		var text string
		if value.IsKnown() && !value.IsNull() {
			_ = value.As(&text) // cannot fail: the schema fixes the type
		}
		if k.names[i] == namespaceAttribute {
			at.namespace = text
			continue
		}
		at.names = append(at.names, text)
	}
	return at
}

// known reports whether all attributes are known.
func (k keyed) known() bool {
	for _, value := range k.values {
		if !value.IsKnown() {
			return false
		}
	}
	return true
}

// differs returns the first attribute whose value differs from that of another plan or state.
func (k keyed) differs(from keyed) (attribute string, found bool) {
	for i, value := range k.values {
		if !value.Equal(from.values[i]) {
			return k.names[i], true
		}
	}
	return "", false
}
