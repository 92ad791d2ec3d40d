// Package references owns the syntax of references in a value: ${NAME}, ${environment/NAME} and
// ${project/environment/NAME}. It knows neither the values of the targets nor who may use them.
package references

import (
	"slices"
	"strings"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/naming"
)

// Limits of one call that resolves references.
const (
	// MaxHops is the largest number of hops of a chain of references.
	MaxHops = 10
	// MaxExpansions is the largest number of references that are replaced. A reference counts each
	// time, although its target is resolved once.
	MaxExpansions = 50_000
	// MaxReached is the largest number of environments that are read. Each of them is read as a
	// whole.
	MaxReached = 100
)

// Reference is one ${...} in a value. An empty Environment means the environment that is delivered.
// An empty Project means the project of the value.
type Reference struct{ Project, Environment, Name string }

// Piece is a part of a value: literal text, or a reference.
type Piece struct {
	Text string
	Ref  *Reference
}

// Parse splits a value into literal text and references. `\${` is a literal "${"; all other text
// is unchanged. An error gives the number of the invalid reference, counted from 1, and no part of
// the value.
func Parse(value string) ([]Piece, error) {
	var pieces []Piece
	text := func(s string) {
		if s != "" {
			pieces = append(pieces, Piece{Text: s})
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
		ref, ok := parse(inner)
		if !closed || !ok {
			return nil, fault.New(fault.Invalid, `value: reference number %d is invalid: write ${NAME}, ${environment/NAME} or ${project/environment/NAME}, or \${ for a literal ${`, count)
		}
		pieces = append(pieces, Piece{Ref: ref})
		value = after
		count++
	}
}

func parse(inner string) (*Reference, bool) {
	names := strings.Split(inner, "/")
	if len(names) > 3 || naming.CheckSecret("", names[len(names)-1]) != nil {
		return nil, false
	}
	for _, name := range names[:len(names)-1] {
		if naming.Check("", name) != nil {
			return nil, false
		}
	}
	ref := &Reference{Name: names[len(names)-1]}
	switch len(names) {
	case 2:
		ref.Environment = names[0]
	case 3:
		ref.Project, ref.Environment = names[0], names[1]
	}
	return ref, true
}

// Targets returns the references with a named environment as project/environment/NAME, sorted and
// without duplicates. project is the project of the value.
func Targets(project string, pieces []Piece) []string {
	var all []string
	for _, p := range pieces {
		if p.Ref == nil || p.Ref.Environment == "" {
			continue
		}
		in := p.Ref.Project
		if in == "" {
			in = project
		}
		all = append(all, in+"/"+p.Ref.Environment+"/"+p.Ref.Name)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
