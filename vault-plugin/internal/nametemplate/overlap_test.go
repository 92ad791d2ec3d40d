package nametemplate

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/globs"
)

func namer(t testing.TB, template string, include, exclude []string) Namer {
	t.Helper()
	parsed, err := Parse(template)
	if err != nil {
		t.Fatal(err)
	}
	return Namer{Template: parsed, Fields: fields, Include: include, Exclude: exclude}
}

func TestOverlap(t *testing.T) {
	type side struct {
		template string
		include  []string
		exclude  []string
	}
	for _, tc := range []struct {
		name string
		a, b side
		fold func(string) string
		want bool
	}{
		{name: "everything and everything", want: true},
		{name: "two prefixes", a: side{template: "A_{{ .Name }}"}, b: side{template: "B_{{ .Name }}"}},
		{name: "one prefix begins the other", a: side{template: "A_{{ .Name }}"}, b: side{template: "A_B_{{ .Name }}"}, want: true},
		{name: "a prefix and everything", a: side{template: "A_{{ .Name }}"}, want: true},
		{name: "two suffixes", a: side{template: "{{ .Name }}_A"}, b: side{template: "{{ .Name }}_B"}},
		{name: "a prefix and a suffix", a: side{template: "A{{ .Name }}"}, b: side{template: "{{ .Name }}B"}, want: true},
		{name: "includes apart", a: side{include: []string{"DB_*"}}, b: side{include: []string{"API_*", "AWS_?"}}},
		{name: "includes that meet", a: side{include: []string{"DB_*"}}, b: side{include: []string{"*_URL"}}, want: true},
		{name: "one character", a: side{include: []string{"A?"}}, b: side{include: []string{"?B"}}, want: true},
		{name: "lengths apart", a: side{include: []string{"A?"}}, b: side{include: []string{"A??"}}},
		{name: "one excludes what the other includes", a: side{include: []string{"DB_*"}}, b: side{exclude: []string{"DB_*", "X"}}},
		{name: "a later pair of includes meets", a: side{include: []string{"A_*", "DB_*"}}, b: side{include: []string{"C_*", "*_URL"}}, want: true},
		{name: "it excludes less", a: side{include: []string{"DB_*", "Y"}}, b: side{exclude: []string{"DB_*"}}, want: true},
		{name: "excluded under another template", a: side{include: []string{"DB_*"}, template: "{{ .Name | lower }}"}, b: side{exclude: []string{"DB_*"}}, want: true},
		{name: "excluded, but folded", a: side{include: []string{"DB_*"}}, b: side{exclude: []string{"DB_*"}}, fold: strings.ToUpper, want: true},
		{name: "excluded, but a suffix is added", a: side{include: []string{"*_X"}, template: "{{ .Name }}_Y"}, b: side{exclude: []string{"*_X"}}, want: true},
		{name: "cases apart", a: side{template: "a{{ .Name }}"}, b: side{template: "A{{ .Name }}"}},
		{name: "cases folded", a: side{template: "a{{ .Name }}"}, b: side{template: "A{{ .Name }}"}, fold: strings.ToUpper, want: true},
		{name: "upper and lower", a: side{template: "{{ .Name | lower }}", include: []string{"DB_*"}}, b: side{include: []string{"DB_*"}}},
		{name: "a pattern in upper case", a: side{template: "{{ .Name | upper }}", include: []string{"db_*"}}, b: side{include: []string{"DB_*"}}, want: true},
		{name: "a pattern in upper case apart", a: side{template: "{{ .Name | upper }}", include: []string{"db_*"}}, b: side{include: []string{"db_*"}}},
		{name: "names known", a: side{template: "{{ .Name | kebab }}", include: []string{"DB_URL"}}, b: side{include: []string{"db-url"}}, want: true},
		{name: "names known apart", a: side{template: "{{ .Name | kebab }}", include: []string{"DB_URL"}}, b: side{include: []string{"DB_URL"}}},
		{name: "a transform makes anything", a: side{template: "{{ .Name | kebab }}"}, b: side{include: []string{"x"}}, want: true},
		{name: "a transform makes anything of a prefix", a: side{template: "{{ .Name | kebab }}", include: []string{"DB_*"}}, b: side{include: []string{"db-x"}}, want: true},
		{name: "a known name that produces none", a: side{template: `{{ .Name | trimPrefix "A" }}`, include: []string{"A"}}},
		{name: "text that does not fit is any text", a: side{template: "{{ .Project" + strings.Repeat(` | replace "a" "aa"`, 12) + " }}{{ .Name }}", include: []string{"X*"}},
			b: side{include: []string{"AX"}}, want: true},
		{name: "a class of characters in upper case", a: side{template: "{{ .Name | upper }}", include: []string{"[ab]_x"}}, b: side{include: []string{"A_X"}}, want: true},
		{name: "a class of characters", a: side{include: []string{"[AB]_X"}}, b: side{include: []string{"A_X"}}, want: true},
		{name: "a fold that makes nothing of a character", a: side{template: "A_{{ .Name }}"}, b: side{template: "B_{{ .Name }}"},
			fold: func(s string) string { return strings.Trim(s, "A_") }, want: true},
		{name: "a fold that makes two of a character", a: side{include: []string{"Xß"}}, b: side{include: []string{"XSS"}},
			fold: func(s string) string { return strings.ReplaceAll(s, "ß", "SS") }, want: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a, b := namer(t, tc.a.template, tc.a.include, tc.a.exclude), namer(t, tc.b.template, tc.b.include, tc.b.exclude)
			want := Apart
			if tc.want {
				want = Meet
			}
			if one, other := Overlap(a, b, tc.fold, NewWork(MaxWork)), Overlap(b, a, tc.fold, NewWork(MaxWork)); one != want || other != want {
				t.Errorf("%d and %d, want %d", one, other, want)
			}
		})
	}
}

func TestTheZeroTemplateLeavesNamesUnchanged(t *testing.T) {
	if made, err := (Template{}).Execute(fields); err != nil || made != fields.Name {
		t.Errorf("%q, %v", made, err)
	}
	a := Namer{Include: []string{"A_*"}}
	for _, tc := range []struct {
		name string
		b    Namer
		want Verdict
	}{
		{"a name of the pattern", Namer{Include: []string{"A_X"}}, Meet},
		{"another pattern", Namer{Include: []string{"B_*"}}, Apart},
		{"the pattern is excluded", Namer{Exclude: []string{"A_*"}}, Apart},
	} {
		if v := Overlap(a, tc.b, nil, NewWork(MaxWork)); v != tc.want {
			t.Errorf("%s: %d, want %d", tc.name, v, tc.want)
		}
	}
}

// The sums list the work in this order: the patterns of a, those of b, and for each pair the
// characters at the ends and 1. If the ends do not differ, the symbols of b and its table follow
// once, and then the states of a, each times the words that hold the states of b.
func TestTheWorkOfAComparisonIsExact(t *testing.T) {
	for _, tc := range []struct {
		name, template string
		a, b           []string
		want           int
	}{
		{"first characters differ", "", []string{"A*"}, []string{"B*"}, (2 + 1) + (2 + 1) + 1},
		{"second characters differ", "", []string{"AB*"}, []string{"AC*"}, (3 + 2) + (3 + 2) + 2},
		{"last characters differ", "", []string{"*A"}, []string{"*B"}, (2 + 1) + (2 + 1) + (1 + 1)},
		{"characters before the last differ", "", []string{"*BA"}, []string{"*CA"}, (3 + 2) + (3 + 2) + (1 + 2)},
		{"anything", "", []string{"*"}, []string{"*"}, 1 + 1 + 1 + (0 + 2) + 1},
		{"any character", "", []string{"?"}, []string{"?"}, (1 + 1) + (1 + 1) + (2 + 1) + (1 + 2) + 2},
		{"the table is made once", "", []string{"A?", "B?"}, []string{"?"}, 2*(2+2) + (1 + 1) + (2 + 1) + (1 + 2) + 3 + (2 + 1) + 3},
		{"two words of states", "", []string{"A*"}, []string{"*" + strings.Repeat("?", 64)}, (2 + 1) + (65 + 64) + (1 + 1 + 1) + (64 + 2*2) + 2*2},
		{"functions", "{{ .Name | lower | upper }}", []string{"*"}, []string{"*"}, (1 + 2*stepWork) + 1 + 1 + (0 + 2) + 1},
	} {
		work := NewWork(MaxWork)
		Overlap(namer(t, tc.template, tc.a, nil), namer(t, "", tc.b, nil), nil, work)
		if got := MaxWork - work.left; got != tc.want {
			t.Errorf("%s: %d units, want %d", tc.name, got, tc.want)
		}
	}
}

// Any comparison ends with a verdict if it has exactly the work that it takes, and with Unknown if
// it has less.
func TestTheWorkOfAComparisonIsBounded(t *testing.T) {
	a := namer(t, "{{ .Name }}_X", []string{"A*B?", "CACHE", "Z*"}, nil)
	b := namer(t, "{{ .Name | upper }}_X", []string{"A*C?", "CACHED", "Y*"}, nil)
	work := NewWork(MaxWork)
	if v := Overlap(a, b, strings.ToUpper, work); v != Apart {
		t.Fatalf("the verdict is %d", v)
	}
	needed := MaxWork - work.left
	for n := range needed {
		if v := Overlap(a, b, strings.ToUpper, NewWork(n)); v != Unknown {
			t.Fatalf("with %d units of %d, the verdict is %d", n, needed, v)
		}
	}
	if v := Overlap(a, b, strings.ToUpper, NewWork(needed)); v != Apart {
		t.Errorf("with all units, the verdict is %d", v)
	}
}

func TestAThousandOrdinarySyncsAreComparedWithinTheBound(t *testing.T) {
	work := NewWork(MaxWork)
	next := namer(t, "APP_{{ .Name | upper }}", []string{"DB_*", "*_URL", "CACHE_PASSWORD"}, []string{"*_OLD"})
	for i := range 1000 {
		other := namer(t, fmt.Sprintf("TEAM_%d_{{ .Name | upper }}", i), []string{"DB_*", "*_URL", "CACHE_PASSWORD"}, []string{"*_OLD"})
		if v := Overlap(next, other, strings.ToUpper, work); v != Apart {
			t.Fatalf("sync %d: %d", i, v)
		}
	}
	if work.left < MaxWork/2 {
		t.Errorf("%d of %d units are left", work.left, MaxWork)
	}
}

// A comparison has the same result whichever side is compared first, also for patterns with more
// states than a word has bits.
func TestLongPatternsMeet(t *testing.T) {
	long := strings.Repeat("a", 100)
	for _, tc := range []struct {
		a, b string
		want Verdict
	}{
		{long + "*" + long, "*" + long + "?" + long, Meet},
		{long + "*" + long, long + "b?" + long, Meet},
		{long + "?" + long, long + "b?" + long, Apart},
		{"*" + long + "b*", long + long + "*c", Meet},
		{long + "b" + long, "*a?b*b*", Apart},
		{long + "b" + long, "*a?b*", Meet},
	} {
		a, b := namer(t, "", []string{tc.a}, nil), namer(t, "", []string{tc.b}, nil)
		if one, other := Overlap(a, b, nil, NewWork(MaxWork)), Overlap(b, a, nil, NewWork(MaxWork)); one != tc.want || other != tc.want {
			t.Errorf("%s and %s: %d and %d, want %d", tc.a, tc.b, one, other, tc.want)
		}
	}
}

// If two namers produce the same name of any two names, they must overlap.
func FuzzOverlapIsNeverMissed(f *testing.F) {
	f.Add("A_{{ .Name }}", "{{ .Name | upper }}", "*", "A*", "X", "A_X", "B_*", true)
	f.Add("{{ .Name }}", "{{ .Name }}", "A?", "?B", "AB", "AB", "", false)
	f.Add(`{{ .Name | replace "_" "" }}`, "{{ .Name | kebab }}", "A_B", "*", "A_B", "ab", "AB", true)
	f.Fuzz(func(t *testing.T, templateA, templateB, includeA, includeB, nameA, nameB, excludeB string, folds bool) {
		a, errA := Parse(templateA)
		b, errB := Parse(templateB)
		if errA != nil || errB != nil || len(nameA)+len(nameB) > 64 || !ascii(nameA+nameB+includeA+includeB+templateA+templateB) {
			return
		}
		first, second := Namer{a, fields, []string{includeA}, nil}, Namer{b, fields, []string{includeB}, []string{excludeB}}
		if !globs.NewFilter(first.Include, first.Exclude).Selects(nameA) || !globs.NewFilter(second.Include, second.Exclude).Selects(nameB) {
			return
		}
		madeA, errA := a.Execute(first.named(nameA))
		madeB, errB := b.Execute(second.named(nameB))
		if errA != nil || errB != nil {
			return
		}
		var fold func(string) string
		same := madeA == madeB
		if folds {
			fold = strings.ToUpper
			same = fold(madeA) == fold(madeB)
		}
		if same && Overlap(first, second, fold, NewWork(MaxWork)) != Meet {
			t.Errorf("both produce %q of %q and %q", madeA, nameA, nameB)
		}
	})
}

func ascii(s string) bool { return !strings.ContainsFunc(s, func(r rune) bool { return r > 126 }) }
