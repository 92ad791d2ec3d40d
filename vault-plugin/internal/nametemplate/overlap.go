package nametemplate

import (
	"path"
	"slices"
	"strings"
)

// Namer holds everything that decides which names a sync produces.
type Namer struct {
	Template Template
	Fields   Fields // Name is ignored
	Include  []string
	Exclude  []string
}

// Takes reports whether the sync includes the secret of that name.
func (n Namer) Takes(name string) bool {
	matches := func(glob string) bool {
		met, _ := path.Match(glob, name)
		return met
	}
	return (len(n.Include) == 0 || slices.ContainsFunc(n.Include, matches)) && !slices.ContainsFunc(n.Exclude, matches)
}

// Overlap reports whether two namers can produce the same name. fold maps names to the form in
// which the destination compares them; nil compares byte by byte. Overlap may return true for
// namers that never collide: it assumes that transforms other than upper and lower can produce any
// text.
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

// plain reports whether the template leaves names unchanged.
func (n Namer) plain() bool {
	return len(n.Template.pieces) == 0 || len(n.Template.pieces) == 1 && n.Template.pieces[0].field == fieldName && len(n.Template.pieces[0].steps) == 0
}

// covered reports whether b excludes every pattern that a includes.
func covered(a, b Namer) bool {
	return len(a.Include) > 0 && !slices.ContainsFunc(a.Include, func(glob string) bool { return !slices.Contains(b.Exclude, glob) })
}

// symbol is a part of a pattern: a given character, any one character, or any number of characters.
type symbol struct {
	any, many bool
	char      rune
}

// patterns returns a pattern of the produced names for each pattern of Include.
func (n Namer) patterns(fold func(string) string) [][]symbol {
	include := n.Include
	if len(include) == 0 {
		include = []string{"*"}
	}
	var all [][]symbol
	for _, glob := range include {
		if !strings.ContainsAny(glob, `*?[\`) { // the glob is a single name, so its produced name is known
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

// named returns the pattern of what a piece produces from the names that match a glob.
func (p piece) named(glob string, fold func(string) string) []symbol {
	cased := glob
	for _, s := range p.steps {
		switch {
		case strings.ContainsAny(glob, `[\`): // a character class cannot be converted to upper or lower case
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

// literal returns the pattern of a known text. It applies fold to each character. Where fold does
// not map a character to exactly one character, the pattern matches any text.
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

// meet reports whether some name matches both patterns.
func meet(a, b []symbol) bool {
	// reached[j] reports whether the symbols of a so far and the first j symbols of b have a match
	// in common.
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

// after extends reached by the symbol s: it returns which prefixes of b have a match in common with
// the symbols so far followed by s.
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
