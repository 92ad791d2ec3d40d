package nametemplate

import "strings"

// symbol is one character of a pattern: a given one, or any one.
type symbol struct {
	any  bool
	char rune
}

// pattern is an automaton for the names of a glob. In state i, the first i symbols are matched. A
// name matches if it leads from state 0 to the last state.
type pattern struct {
	symbols []symbol
	stars   map[int]bool // states that any character keeps

	// steps caches, for a character, the states whose symbol it matches: one bit for each state.
	// The key -1 is for a symbol that matches any character.
	steps map[rune][]uint64
}

const anyChar = -1

func (p *pattern) add(s symbol) { p.symbols = append(p.symbols, s) }

// star adds any number of characters.
func (p *pattern) star() {
	if p.stars == nil {
		p.stars = make(map[int]bool)
	}
	p.stars[len(p.symbols)] = true
}

// glob adds the names that a glob matches. A character class counts as any text.
func (p *pattern) glob(glob string, fold func(string) string) {
	if strings.ContainsAny(glob, `[\`) {
		p.star()
		return
	}
	for _, r := range glob {
		switch r {
		case '*':
			p.star()
		case '?':
			p.add(symbol{any: true})
		default:
			p.literal(string(r), fold)
		}
	}
}

// literal adds a known text. It applies fold to each character. Where fold does not map a character
// to exactly one character, the pattern matches any text.
func (p *pattern) literal(text string, fold func(string) string) {
	for _, r := range text {
		folded := string(r)
		if fold != nil {
			folded = fold(folded)
		}
		runes := []rune(folded)
		if len(runes) != 1 {
			p.star()
			continue
		}
		p.add(symbol{char: runes[0]})
	}
}

// meet reports whether some name matches both patterns.
func (p *pattern) meet(q *pattern, work *Work) Verdict {
	apart, steps := p.endsApart(q)
	if !work.spend(steps) {
		return Unknown
	}
	if apart {
		return Apart
	}
	if !work.spend(q.prepared() + (len(p.symbols)+1)*q.words()) {
		return Unknown
	}
	// reached holds the states of q that some text reaches together with the current state of p.
	reached, next := make([]uint64, q.words()), make([]uint64, q.words())
	reached[0] = 1
	stars := make([]uint64, q.words())
	for state := range q.stars {
		stars[state/64] |= 1 << (state % 64)
	}
	for i := 0; ; i++ {
		if p.stars[i] { // any text keeps the state of p, and may lead q to every later state
			fill(reached)
		}
		if i == len(p.symbols) {
			break
		}
		char := p.symbols[i].char
		if p.symbols[i].any {
			char = anyChar
		}
		fits, known := q.steps[char]
		if !known {
			fits = q.steps[noChar]
		}
		carry := uint64(0)
		for w, states := range reached {
			moved := states & fits[w]
			next[w] = moved<<1 | carry | states&stars[w]
			carry = moved >> 63
		}
		reached, next = next, reached
	}
	last := len(q.symbols)
	if reached[last/64]>>(last%64)&1 == 1 {
		return Meet
	}
	return Apart
}

// noChar is the key of a character that q has no symbol for; only symbols for any character match.
const noChar = -2

// fill adds all states after the first one that is set.
func fill(states []uint64) {
	for w, bits := range states {
		if bits == 0 {
			continue
		}
		states[w] = ^(bits&-bits - 1)
		for w++; w < len(states); w++ {
			states[w] = ^uint64(0)
		}
		return
	}
}

func (p *pattern) words() int { return len(p.symbols)/64 + 1 }

// prepared computes steps, and returns the work that this took.
func (p *pattern) prepared() (work int) {
	if p.steps != nil {
		return 0
	}
	wild, all := make([]uint64, p.words()), make([]uint64, p.words())
	for i, s := range p.symbols {
		all[i/64] |= 1 << (i % 64)
		if s.any {
			wild[i/64] |= 1 << (i % 64)
		}
	}
	p.steps = map[rune][]uint64{anyChar: all, noChar: wild}
	for i, s := range p.symbols {
		if s.any {
			continue
		}
		states := p.steps[s.char]
		if states == nil {
			states = append([]uint64{}, wild...)
			p.steps[s.char] = states
		}
		states[i/64] |= 1 << (i % 64)
	}
	return len(p.symbols) + len(p.steps)*p.words()
}

// endsApart reports whether the patterns begin or end with different characters, which most
// patterns do, and returns the number of characters that it has compared.
func (p *pattern) endsApart(q *pattern) (apart bool, steps int) {
	shorter := min(len(p.symbols), len(q.symbols))
	differ := func(a, b symbol) bool { return !a.any && !b.any && a.char != b.char }
	for i := range shorter {
		steps++
		if p.stars[i] || q.stars[i] {
			break
		}
		if differ(p.symbols[i], q.symbols[i]) {
			return true, steps
		}
	}
	for i := range shorter {
		steps++
		x, y := len(p.symbols)-i, len(q.symbols)-i
		if p.stars[x] || q.stars[y] {
			break
		}
		if differ(p.symbols[x-1], q.symbols[y-1]) {
			return true, steps
		}
	}
	return false, steps + 1
}
