package nametemplate

import (
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

// Verdict is the result of a comparison of two namers.
type Verdict int

// The verdicts.
const (
	Apart   Verdict = iota // they never produce the same name
	Meet                   // they can produce the same name
	Unknown                // the comparison would take more work than is left
)

// MaxWork is the work that the comparisons for one request may take together. It takes a few tens
// of milliseconds. A thousand syncs with a few patterns each take a small part of it.
const MaxWork = 1 << 23

// Work bounds comparisons. One unit is one character, or a step over 64 characters.
type Work struct{ left int }

// stepWork is the work of one call of a function of a template.
const stepWork = 256

// NewWork returns a Work of n units.
func NewWork(n int) *Work { return &Work{left: n} }

func (w *Work) spend(n int) (enough bool) {
	w.left -= n
	return w.left >= 0
}

// Overlap reports whether two namers can produce the same name. fold maps names to the form in
// which the destination compares them; nil compares byte by byte. Overlap may return Meet for
// namers that never collide: it assumes that transforms other than upper and lower can produce any
// text.
func Overlap(a, b Namer, fold func(string) string, work *Work) Verdict {
	if fold == nil && a.plain() && b.plain() && (covered(a, b) || covered(b, a)) {
		return Apart
	}
	left, enough := a.patterns(fold, work)
	if !enough {
		return Unknown
	}
	right, enough := b.patterns(fold, work)
	if !enough {
		return Unknown
	}
	for _, x := range left {
		for _, y := range right {
			if v := x.meet(y, work); v != Apart {
				return v
			}
		}
	}
	return Apart
}

// plain reports whether the template leaves names unchanged. A template of one piece consists of
// .Name, because Parse requires it.
func (n Namer) plain() bool {
	return len(n.Template.pieces) == 0 || len(n.Template.pieces) == 1 && len(n.Template.pieces[0].steps) == 0
}

// covered reports whether b excludes every pattern that a includes.
func covered(a, b Namer) bool {
	return len(a.Include) > 0 && !slices.ContainsFunc(a.Include, func(glob string) bool { return !slices.Contains(b.Exclude, glob) })
}

// patterns returns a pattern of the produced names for each pattern of Include.
func (n Namer) patterns(fold func(string) string, work *Work) (all []*pattern, enough bool) {
	include := n.Include
	if len(include) == 0 {
		include = []string{"*"}
	}
	for _, glob := range include {
		if !work.spend(len(glob) + n.Template.steps()*stepWork) {
			return nil, false
		}
		p := &pattern{}
		if strings.ContainsAny(glob, `*?[\`) {
			p = n.pattern(glob, fold)
		} else if name, err := n.Template.Execute(n.named(glob)); err == nil {
			p.literal(name, fold) // the glob is a single name, so its produced name is known
		} else {
			continue
		}
		if all = append(all, p); !work.spend(len(p.symbols)) {
			return nil, false
		}
	}
	return all, true
}

func (n Namer) named(name string) Fields {
	f := n.Fields
	f.Name = name
	return f
}

// steps returns the number of functions that the template calls.
func (t Template) steps() (n int) {
	for _, p := range t.pieces {
		n += len(p.steps)
	}
	return n
}

func (n Namer) pattern(glob string, fold func(string) string) *pattern {
	made := &pattern{}
	if len(n.Template.pieces) == 0 {
		made.glob(glob, fold)
	}
	for _, p := range n.Template.pieces {
		if p.field == fieldName {
			p.named(made, glob, fold)
			continue
		}
		if text, err := p.execute(n.Fields); err == nil {
			made.literal(text, fold)
		} else {
			made.star()
		}
	}
	return made
}

// named adds to a pattern what a piece produces from the names that match a glob. The case of a
// character class does not matter, because a class counts as any text.
func (p piece) named(made *pattern, glob string, fold func(string) string) {
	cased := glob
	for _, s := range p.steps {
		switch s.name {
		case "upper":
			cased = strings.ToUpper(cased)
		case "lower":
			cased = strings.ToLower(cased)
		default:
			made.star()
			return
		}
	}
	made.glob(cased, fold)
}
