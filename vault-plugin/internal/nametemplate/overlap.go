package nametemplate

import (
	"path"
	"slices"
	"strings"
)

// Namer is all that decides which names a sync makes.
type Namer struct {
	Template Template
	Fields   Fields // Name is not looked at
	Include  []string
	Exclude  []string
}

// Takes reports whether a secret's name is chosen.
func (n Namer) Takes(name string) bool {
	matches := func(glob string) bool {
		met, _ := path.Match(glob, name)
		return met
	}
	return (len(n.Include) == 0 || slices.ContainsFunc(n.Include, matches)) && !slices.ContainsFunc(n.Exclude, matches)
}

// Overlap reports whether two namers could make the same name, as a destination compares names by fold (nil: byte by byte). It errs
// on the side of yes: what a template does to a name beyond upper and lower is taken to make anything.
func Overlap(a, b Namer, fold func(string) string) bool {
	if fold == nil && a.plain() && b.plain() && (covered(a, b) || covered(b, a)) {
		return false
	}
	for _, x := range a.patterns(fold) {
		for _, y := range b.patterns(fold) {
			if meet(x, y) {
				return true
			}
		}
	}
	return false
}

// plain reports whether names stay as they are.
func (n Namer) plain() bool {
	return len(n.Template.pieces) == 0 || len(n.Template.pieces) == 1 && n.Template.pieces[0].field == fieldName && len(n.Template.pieces[0].steps) == 0
}

// covered reports whether all that a takes is what b leaves out, pattern by pattern.
func covered(a, b Namer) bool {
	return len(a.Include) > 0 && !slices.ContainsFunc(a.Include, func(glob string) bool { return !slices.Contains(b.Exclude, glob) })
}

// symbol is a part of a pattern: one character, any one, or any number of any.
type symbol struct {
	any, many bool
	char      rune
}

// patterns are what the names made look like: one for each pattern of Include.
func (n Namer) patterns(fold func(string) string) [][]symbol {
	include := n.Include
	if len(include) == 0 {
		include = []string{"*"}
	}
	var all [][]symbol
	for _, glob := range include {
		if !strings.ContainsAny(glob, `*?[\`) { // one name, so what is made of it is known
			if name, err := n.Template.Execute(n.named(glob)); err == nil {
				all = append(all, literal(name, fold))
			}
			continue
		}
		all = append(all, n.pattern(glob, fold))
	}
	return all
}

func (n Namer) named(name string) Fields {
	f := n.Fields
	f.Name = name
	return f
}

func (n Namer) pattern(glob string, fold func(string) string) []symbol {
	if len(n.Template.pieces) == 0 {
		return globbed(glob, fold)
	}
	var made []symbol
	for _, p := range n.Template.pieces {
		if p.field != fieldName {
			if text, err := p.execute(n.Fields); err == nil {
				made = append(made, literal(text, fold)...)
				continue
			}
			made = append(made, symbol{many: true})
			continue
		}
		made = append(made, p.named(glob, fold)...)
	}
	return made
}

// named is what a piece makes of the names that a glob takes.
func (p piece) named(glob string, fold func(string) string) []symbol {
	cased := glob
	for _, s := range p.steps {
		switch {
		case strings.ContainsAny(glob, `[\`): // a class of characters has no upper case
			return []symbol{{many: true}}
		case s.name == "upper":
			cased = strings.ToUpper(cased)
		case s.name == "lower":
			cased = strings.ToLower(cased)
		default:
			return []symbol{{many: true}}
		}
	}
	return globbed(cased, fold)
}

func globbed(glob string, fold func(string) string) []symbol {
	if strings.ContainsAny(glob, `[\`) {
		return []symbol{{many: true}}
	}
	var made []symbol
	for _, r := range glob {
		switch r {
		case '*':
			made = append(made, symbol{many: true})
		case '?':
			made = append(made, symbol{any: true})
		default:
			made = append(made, literal(string(r), fold)...)
		}
	}
	return made
}

// literal is a known text. A fold is taken to work character by character; of a text that it makes longer or shorter nothing is
// known.
func literal(text string, fold func(string) string) []symbol {
	var made []symbol
	for _, r := range text {
		folded := string(r)
		if fold != nil {
			folded = fold(folded)
		}
		runes := []rune(folded)
		if len(runes) != 1 {
			made = append(made, symbol{many: true})
			continue
		}
		made = append(made, symbol{char: runes[0]})
	}
	return made
}

// meet reports whether a name fits both patterns.
func meet(a, b []symbol) bool {
	// reached[j] says whether the symbols of a so far and the first j of b have a name in common.
	reached := make([]bool, len(b)+1)
	reached[0] = true
	skip := func(r []bool) {
		for j, s := range b {
			r[j+1] = r[j+1] || r[j] && s.many
		}
	}
	skip(reached)
	for _, s := range a {
		next := s.after(reached, b)
		skip(next)
		reached = next
	}
	return reached[len(b)]
}

// after answers which beginnings of b have a name in common with what was reached so far and one more symbol.
func (s symbol) after(reached []bool, b []symbol) []bool {
	next := make([]bool, len(b)+1)
	if s.many {
		copy(next, reached)
		for j := range b {
			next[j+1] = next[j+1] || next[j]
		}
		return next
	}
	for j, t := range b {
		switch {
		case t.many:
			next[j+1] = reached[j+1] || reached[j]
		case s.any || t.any || s.char == t.char:
			next[j+1] = reached[j]
		}
	}
	return next
}
