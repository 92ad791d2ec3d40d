// Package globs matches names against patterns that a caller has chosen. The syntax and the meaning
// are those of path.Match. The time to match a name is proportional to its length, whatever the
// pattern is: no pattern makes the matcher go back.
package globs

import (
	"errors"
	"iter"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
)

// Limits of one field.
const (
	MaxPatterns = 64
	MaxBytes    = 256 // of one pattern
)

// CheckSize rejects a field that has too many items, or an item that is too long. It is also for
// lists that hold no patterns.
func CheckSize(field string, items []string) error {
	if len(items) > MaxPatterns {
		return fault.New(fault.Limit, "%s: has %d items; at most %d are allowed", field, len(items), MaxPatterns)
	}
	for i, item := range items {
		if len(item) > MaxBytes {
			return fault.New(fault.Limit, "%s: item %d has %d bytes; at most %d are allowed", field, i+1, len(item), MaxBytes)
		}
	}
	return nil
}

// Check is CheckSize, and also rejects a malformed pattern. examples shows valid patterns, such as
// "DB_* or *_URL".
func Check(field, examples string, patterns []string) error {
	if err := CheckSize(field, patterns); err != nil {
		return err
	}
	for i, p := range patterns {
		if _, err := parse(p); err != nil {
			return fault.New(fault.Invalid, "%s: pattern %d is malformed; valid patterns are, for example, %s", field, i+1, examples)
		}
	}
	return nil
}

// Set is a list of patterns that are ready to match. The zero value matches nothing.
type Set []pattern

// Compile prepares patterns that Check has accepted. A malformed pattern matches nothing.
func Compile(patterns []string) Set {
	var s Set
	for _, text := range patterns {
		if p, err := parse(text); err == nil {
			s = append(s, p)
		}
	}
	return s
}

// Match reports whether any of the patterns matches the whole name.
func (s Set) Match(name string) bool {
	for i := range s {
		if s[i].match(name) {
			return true
		}
	}
	return false
}

// Filter selects names by the patterns of two fields. The zero value selects nothing.
type Filter struct {
	all              bool
	include, exclude Set
}

// NewFilter returns a filter that selects the names that include matches, or all names if include
// is empty, except for those that exclude matches. Check has accepted both.
func NewFilter(include, exclude []string) Filter {
	return Filter{all: len(include) == 0, include: Compile(include), exclude: Compile(exclude)}
}

// Selects reports whether the filter selects a name.
func (f Filter) Selects(name string) bool {
	return (f.all || f.include.Match(name)) && !f.exclude.Match(name)
}

// pattern is an automaton. State i means that the first i symbols are matched. One bit of a word is
// one state, so one step moves 64 states at once.
type pattern struct {
	name    string // if symbols is nil: the only name that matches
	symbols []symbol
	words   int      // words that hold one bit for each state
	stars   []uint64 // states that every character except a slash keeps
	ascii   []uint64 // for each ASCII character: the states whose next symbol matches it
}

// symbol matches one character: those in ranges, or with not, those in none.
type symbol struct {
	not    bool
	ranges []span
}

type span struct{ low, high rune }

func (s symbol) matches(r rune) bool {
	for _, in := range s.ranges {
		if in.low <= r && r <= in.high {
			return !s.not
		}
	}
	return s.not
}

var errMalformed = errors.New("malformed pattern")

// parse reads a pattern. It accepts exactly what path.Match accepts.
func parse(text string) (pattern, error) {
	if !strings.ContainsAny(text, `*?[\`) {
		return pattern{name: text}, nil
	}
	if _, err := path.Match(text, ""); err != nil || !utf8.ValidString(text) {
		return pattern{}, errMalformed
	}
	p := pattern{symbols: []symbol{}}
	var stars []int // numbers of the symbols before each star
	for rest := []rune(text); len(rest) > 0; {
		var s symbol
		switch rest[0] {
		case '*':
			stars, rest = append(stars, len(p.symbols)), rest[1:]
			continue
		case '?':
			s, rest = symbol{not: true, ranges: []span{{'/', '/'}}}, rest[1:]
		case '[':
			var err error
			if s, rest, err = class(rest[1:]); err != nil {
				return pattern{}, err
			}
		default:
			r, after, err := character(rest)
			if err != nil {
				return pattern{}, err
			}
			s, rest = symbol{ranges: []span{{r, r}}}, after
		}
		p.symbols = append(p.symbols, s)
	}
	p.words = len(p.symbols)/64 + 1
	p.stars = make([]uint64, p.words)
	for _, state := range stars {
		p.stars[state/64] |= 1 << (state % 64)
	}
	p.ascii = make([]uint64, utf8.RuneSelf*p.words)
	for i, s := range p.symbols {
		for r := range s.ascii() {
			p.ascii[int(r)*p.words+i/64] |= 1 << (i % 64)
		}
	}
	return p, nil
}

// ascii returns the ASCII characters that the symbol matches.
func (s symbol) ascii() iter.Seq[rune] {
	return func(yield func(rune) bool) {
		first, last := rune(0), rune(utf8.RuneSelf-1)
		if !s.not && len(s.ranges) == 1 { // most symbols are one character
			first, last = s.ranges[0].low, min(s.ranges[0].high, last)
		}
		for r := first; r <= last; r++ {
			if s.matches(r) && !yield(r) {
				return
			}
		}
	}
}

// class reads a character class after its opening bracket.
func class(rest []rune) (s symbol, after []rune, err error) {
	if len(rest) > 0 && rest[0] == '^' {
		s.not, rest = true, rest[1:]
	}
	for {
		if len(rest) > 0 && rest[0] == ']' && len(s.ranges) > 0 {
			return s, rest[1:], nil
		}
		var in span
		if in.low, rest, err = character(rest); err != nil {
			return s, nil, err
		}
		in.high = in.low
		if len(rest) > 0 && rest[0] == '-' {
			if in.high, rest, err = character(rest[1:]); err != nil {
				return s, nil, err
			}
		}
		s.ranges = append(s.ranges, in)
	}
}

// character reads a character that may be escaped.
func character(rest []rune) (r rune, after []rune, err error) {
	if len(rest) > 0 && rest[0] == '\\' {
		rest = rest[1:]
	}
	if len(rest) == 0 {
		return 0, nil, errMalformed
	}
	return rest[0], rest[1:], nil
}

// next returns the states whose next symbol matches a character.
func (p *pattern) next(r rune) []uint64 {
	if r < utf8.RuneSelf {
		return p.ascii[int(r)*p.words:][:p.words]
	}
	states := make([]uint64, p.words)
	for i, s := range p.symbols {
		if s.matches(r) {
			states[i/64] |= 1 << (i % 64)
		}
	}
	return states
}

func (p *pattern) match(name string) bool {
	if p.symbols == nil {
		return p.name == name
	}
	now := make([]uint64, p.words)
	now[0] = 1
	for _, r := range name {
		next := p.next(r)
		carry, left := uint64(0), uint64(0)
		for w, states := range now {
			moved, kept := states&next[w], uint64(0)
			if r != '/' {
				kept = states & p.stars[w]
			}
			now[w] = moved<<1 | carry | kept
			carry = moved >> 63
			left |= now[w]
		}
		if left == 0 {
			return false
		}
	}
	last := len(p.symbols)
	return now[last/64]>>(last%64)&1 == 1
}
