package globs_test

import (
	"path"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/globs"
)

func TestPatternsMeanWhatPathMatchSays(t *testing.T) {
	long := strings.Repeat("A", 63)
	for _, pattern := range []string{
		"", "*", "**", "?", "A", "A*", "*A", "A*B", "*A*B*", "A?C", "[A-C]", "[^A]", "[^/]*", `\*`, `A\?`, "[A-C]_*", "é*", "*é?", "[à-ü]",
		"a/b", "a/*", "*/b", "*/*", "?/?", "[^a]b", `[\]]`, `[\-A]`, "A*A*A*A*B", long + "*", long + "??", long + "A*" + long,
	} {
		set := globs.Compile([]string{pattern})
		for _, name := range []string{
			"", "A", "B", "AB", "ABC", "AXXB", "*", "A?", "é", "éa", "aéb", "/", "a/b", "a/", "/b", "a/b/c", "]", "-", "AAAAB", "AAAAAAAC",
			long, long + "A", long + "AB", long + "A/B", long + "A" + long, long + long + long,
		} {
			want, err := path.Match(pattern, name)
			if err != nil {
				t.Fatalf("%q is malformed", pattern)
			}
			if set.Match(name) != want {
				t.Errorf("%q matches %q: %t, want %t", pattern, name, !want, want)
			}
		}
	}
}

func TestASetMatchesWhatAnyOfItsPatternsMatches(t *testing.T) {
	set := globs.Compile([]string{"DB_*", "CACHE", "[", "*_URL"})
	for name, want := range map[string]bool{"DB_A": true, "CACHE": true, "CACHES": false, "A_URL": true, "[": false, "": false} {
		if set.Match(name) != want {
			t.Errorf("%q: %t", name, !want)
		}
	}
	if (globs.Set{}).Match("") || globs.Compile(nil).Match("A") {
		t.Error("an empty set matches a name")
	}
}

func TestTheLimitsOfAFieldHoldExactly(t *testing.T) {
	check := func(patterns []string) error { return globs.Check("include", "DB_*", patterns) }
	for _, tc := range []struct {
		name     string
		patterns []string
		kind     fault.Kind // "" if the patterns are accepted
	}{
		{"64 patterns", slices.Repeat([]string{"A*"}, 64), ""},
		{"65 patterns", slices.Repeat([]string{"A*"}, 65), fault.Limit},
		{"256 bytes", []string{strings.Repeat("é", 127) + "A*"}, ""},
		{"257 bytes", []string{strings.Repeat("é", 128) + "*"}, fault.Limit},
		{"a malformed pattern", []string{"A", "[A"}, fault.Invalid},
	} {
		err := check(tc.patterns)
		if (err == nil) != (tc.kind == "") || err != nil && (!fault.Is(err, tc.kind) || !strings.Contains(err.Error(), "include: ")) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
	if err := globs.CheckSize("tags", []string{"[", strings.Repeat("a", 256)}); err != nil {
		t.Errorf("items that are no patterns: %v", err)
	}
}

// path.Match tries each position of the name for each part of the pattern, so that the work is the
// product of their lengths. The two matchers take turns, and the fastest round of each counts, so
// that a busy machine changes nothing.
func TestMatchingDoesNotGoBack(t *testing.T) {
	pattern, name := "*"+strings.Repeat("a", 127)+"b", strings.Repeat("a", 255)
	set := globs.Compile([]string{pattern})
	fastest := func(match func() bool) time.Duration {
		best := time.Hour
		for range 20 {
			start := time.Now()
			for range 50 {
				if match() {
					t.Fatal("the pattern matches")
				}
			}
			best = min(best, time.Since(start))
		}
		return best
	}
	ours := fastest(func() bool { return set.Match(name) })
	theirs := fastest(func() bool { met, _ := path.Match(pattern, name); return met })
	if ours*3 > theirs {
		t.Errorf("50 matches took %v, and %v with path.Match", ours, theirs)
	}
}

func FuzzMatch(f *testing.F) {
	for _, pattern := range []string{"", "*", "DB_*", "[A-C]?", "[", "[^", `\`, "A[", "[]a]", "[a-", "*[-]", "[a-b-c]", "a/*", "*é[^é]"} {
		f.Add(pattern, "DB_URL")
		f.Add(pattern, "a/é")
	}
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if !utf8.ValidString(pattern) || !utf8.ValidString(name) || len(pattern) > globs.MaxBytes {
			return
		}
		want, malformed := path.Match(pattern, name)
		if err := globs.Check("include", "DB_*", []string{pattern}); (err == nil) != (malformed == nil) {
			t.Fatalf("%q: %v, but path.Match says %v", pattern, err, malformed)
		}
		if malformed == nil && globs.Compile([]string{pattern}).Match(name) != want {
			t.Fatalf("%q matches %q: %t, want %t", pattern, name, !want, want)
		}
	})
}
