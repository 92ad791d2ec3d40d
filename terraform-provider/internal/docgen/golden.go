package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// listing prints the schemas with one line per attribute. A change that users of the provider
// notice is then one line in review.
func listing(all schemas) string {
	var out strings.Builder
	all.Provider.list(&out, "provider")
	for _, group := range []struct {
		name    string
		members map[string]schema
	}{{"resource", all.Resources}, {"data", all.Data}, {"ephemeral", all.Ephemerals}} {
		for _, name := range slices.Sorted(maps.Keys(group.members)) {
			group.members[name].list(&out, group.name+" "+name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(all.Identities)) {
		fmt.Fprintf(&out, "identity %s, version %d\n", name, all.Identities[name].Version)
		for _, a := range slices.Sorted(maps.Keys(all.Identities[name].Attributes)) {
			required := "optional"
			if all.Identities[name].Attributes[a].RequiredForImport {
				required = "required"
			}
			fmt.Fprintf(&out, "  %s %s %s\n", a, typeName(all.Identities[name].Attributes[a].Type), required)
		}
	}
	return out.String()
}

func (s schema) list(out *strings.Builder, title string) {
	fmt.Fprintf(out, "%s, version %d\n", title, s.Version)
	listAttributes(out, "  ", s.Block.Attributes)
	for _, name := range slices.Sorted(maps.Keys(s.Block.Blocks)) {
		fmt.Fprintf(out, "  block %s %s\n", name, s.Block.Blocks[name].Nesting)
		listAttributes(out, "    ", s.Block.Blocks[name].Block.Attributes)
	}
}

func listAttributes(out *strings.Builder, indent string, all map[string]attribute) {
	for _, name := range slices.Sorted(maps.Keys(all)) {
		a := all[name]
		words := []string{name}
		if a.Nested != nil {
			words = append(words, a.Nested.Nesting+" of objects")
		} else {
			words = append(words, typeName(a.Type))
		}
		for word, holds := range map[string]bool{"required": a.Required, "optional": a.Optional, "computed": a.Computed, "sensitive": a.Sensitive, "write-only": a.WriteOnly} {
			if holds {
				words = append(words, word)
			}
		}
		slices.Sort(words[2:])
		out.WriteString(indent + strings.Join(words, " ") + "\n")
		if a.Nested != nil {
			listAttributes(out, indent+"  ", a.Nested.Attributes)
		}
	}
}

func typeName(t fmt.Stringer) string {
	return strings.ToLower(strings.ReplaceAll(t.String(), "tftypes.", ""))
}

func lower(s string) string { return strings.ToLower(s) }
