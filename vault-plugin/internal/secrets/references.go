package secrets

import (
	"slices"
	"strings"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/naming"
)

// reference is one ${...} of a value. An empty environment means the one that is delivered, an empty project that of the value.
type reference struct{ project, environment, name string }

// piece is a part of a value: text that stays, or a reference.
type piece struct {
	text string
	ref  *reference
}

// parseReferences takes a value apart at its references: ${NAME}, ${environment/NAME} and ${project/environment/NAME}. A
// backslash before ${ makes it text; everything else is text as it stands. The error tells which reference is wrong by its count,
// and nothing of the value.
func parseReferences(value string) ([]piece, error) {
	var pieces []piece
	text := func(s string) {
		if s != "" {
			pieces = append(pieces, piece{text: s})
		}
	}
	for count := 1; ; {
		before, rest, found := strings.Cut(value, "${")
		if !found {
			text(value)
			return pieces, nil
		}
		if literal, escaped := strings.CutSuffix(before, `\`); escaped {
			text(literal + "${")
			value = rest
			continue
		}
		text(before)
		inner, after, closed := strings.Cut(rest, "}")
		ref, ok := parseReference(inner)
		if !closed || !ok {
			return nil, fault.New(fault.Invalid, `value: reference number %d is not one: write ${NAME}, ${environment/NAME} or ${project/environment/NAME}, and \${ for the text`, count)
		}
		pieces = append(pieces, piece{ref: ref})
		value = after
		count++
	}
}

func parseReference(inner string) (*reference, bool) {
	names := strings.Split(inner, "/")
	if len(names) > 3 || naming.CheckSecret("", names[len(names)-1]) != nil {
		return nil, false
	}
	for _, name := range names[:len(names)-1] {
		if naming.Check("", name) != nil {
			return nil, false
		}
	}
	ref := &reference{name: names[len(names)-1]}
	switch len(names) {
	case 2:
		ref.environment = names[0]
	case 3:
		ref.project, ref.environment = names[0], names[1]
	}
	return ref, true
}

// targets lists what a value in a project refers to in named environments, as project/environment/NAME, sorted.
func targets(project string, pieces []piece) []string {
	var all []string
	for _, p := range pieces {
		if p.ref == nil || p.ref.environment == "" {
			continue
		}
		in := p.ref.project
		if in == "" {
			in = project
		}
		all = append(all, in+"/"+p.ref.environment+"/"+p.ref.name)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
