package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// sample has every kind of fault. Its test notices those of the function checked, and none of the
// function unchecked.
const sample = `package p

type log struct{ calls string }

func (l *log) put(s string) error { l.calls += s; return nil }

func checked(l *log, n, limit int, on bool) (string, error) {
	if n < 0 || n >= limit && on {
		l.calls += "-"
		return "refused", nil
	}
	defer l.put(".")
	if err := l.put("a"); err != nil {
		return "", err
	}
	if err := l.put("b"); err != nil {
		return "", err
	}
	clear(make([]byte, n+1))
	return "done", nil
}

func unchecked(n int) int {
	if n > 7 {
		n++
	}
	return n - 1
}
`

const sampleTest = `package p

import "testing"

func TestChecked(t *testing.T) {
	for _, c := range []struct {
		n, limit    int
		on          bool
		want, calls string
	}{
		{0, 2, true, "done", "ab."}, {1, 2, true, "done", "ab."}, {2, 2, true, "refused", "-"}, {3, 2, false, "done", "ab."}, {-1, 2, false, "refused", "-"},
	} {
		l := &log{}
		got, _ := checked(l, c.n, c.limit, c.on)
		if got != c.want || l.calls != c.calls {
			t.Errorf("%+v: %s, %s", c, got, l.calls)
		}
	}
	unchecked(7)
}
`

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		at := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// results returns how the tests of the sample notice each fault.
func results(t *testing.T, suites ...suite) map[string]string {
	t.Helper()
	root, tmp := t.TempDir(), t.TempDir()
	write(t, root, map[string]string{"go.mod": "module sample\n\ngo 1.26\n", "p/p.go": sample, "p/p_test.go": sampleTest, "none/none.go": "package none\n"})
	src, err := load(root, "p")
	if err != nil {
		t.Fatal(err)
	}
	overlay, err := src.overlay(root, tmp)
	if err != nil {
		t.Fatal(err)
	}
	var binaries []*binary
	for _, s := range suites {
		b, err := compile(root, tmp, overlay, s)
		if err != nil {
			t.Fatal(err)
		}
		binaries = append(binaries, b)
	}
	got := map[string]string{}
	for _, f := range src.faults {
		if got[f.key()] != "" {
			t.Errorf("two faults have the key %s", f.key())
		}
		got[f.key()] = notice(binaries, f)
	}
	return got
}

func TestEachKindOfFaultIsMadeAndNoticed(t *testing.T) {
	got := results(t, suite{path: "none"}, suite{path: "p"})
	want := map[string]string{}
	for how, keys := range map[string][]string{
		"failed": {
			"checked | never | n < 0 || n >= limit && on", "checked | always | n < 0 || n >= limit && on",
			"checked | never | n < 0", "checked | never | n >= limit && on", "checked | always | n >= limit", "checked | always | on",
			"checked | bound | n < 0", "checked | bound | n >= limit",
			`checked | drop | l.calls += "-"`, `checked | drop | return "refused", nil`, `checked | drop | defer l.put(".")`,
			"checked | always | err != nil", "checked | always | err != nil (2)",
			`checked | swap | if err := l.put("a"); err != nil { return "", err } <-> if err := l.put("b"); err != nil { return "", err }`,
			`log.put | drop | l.calls += s`,
		},
		"survived": {
			"checked | never | err != nil", "checked | never | err != nil (2)", "checked | drop | clear(make([]byte, n+1))",
			`checked | swap | if err := l.put("b"); err != nil { return "", err } <-> clear(make([]byte, n+1))`,
			"checked | number | n+1", "unchecked | never | n > 7", "unchecked | always | n > 7", "unchecked | bound | n > 7", "unchecked | number | n - 1",
		},
		"not reached": {"unchecked | drop | n++"},
	} {
		for _, key := range keys {
			want["p/p.go | "+key] = how
		}
	}
	for key, how := range got {
		switch {
		case len(key) > 100 && want[key] == "": // the text is cut
			for whole := range want {
				if strings.HasPrefix(whole, key) && want[whole] == how {
					delete(want, whole)
				}
			}
		case want[key] != how:
			t.Errorf("%s: %q, want %q", key, how, want[key])
			fallthrough
		default:
			delete(want, key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(want)) {
		t.Errorf("no fault %s", key)
	}
}

func TestAFaultThatNoSuiteReachesIsNotRun(t *testing.T) {
	for key, how := range results(t, suite{path: "p", run: "TestNothing"}) {
		if how != "not reached" {
			t.Errorf("%s: %s", key, how)
		}
	}
}

func TestSuitesMustPassWithoutAFault(t *testing.T) {
	root, tmp := t.TempDir(), t.TempDir()
	write(t, root, map[string]string{
		"go.mod": "module sample\n\ngo 1.26\n", "p/p.go": "package p\n",
		"p/p_test.go": "package p\n\nimport \"testing\"\n\nfunc TestIt(t *testing.T) { t.Error(\"broken\") }\n",
	})
	src, err := load(root, "p")
	if err != nil {
		t.Fatal(err)
	}
	overlay, err := src.overlay(root, tmp)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := compile(root, tmp, overlay, suite{path: "p"}); err == nil || !strings.Contains(err.Error(), "broken") {
		t.Errorf("the error is %v", err)
	}
}

func TestEquivalentFaultsAreWholeAndExist(t *testing.T) {
	for _, wrong := range []string{"a.go | f | drop | g()", "a.go"} {
		if _, err := parseEquivalents(wrong); err == nil {
			t.Errorf("%q is accepted", wrong)
		}
	}
	known, err := parseEquivalents("# comment\n\np/a.go | f | always | a || b | it is slower only\n")
	if err != nil || known["p/a.go | f | always | a || b"] != "it is slower only" {
		t.Fatalf("%v, %v", known, err)
	}
	s := &source{path: "p", faults: []fault{{file: "p/a.go", in: "f", op: always, text: "a || b", nth: 1}}}
	if err := stale(s, known); err != nil {
		t.Error(err)
	}
	s.faults[0].text = "a"
	if err := stale(s, known); err == nil {
		t.Error("a fault that does not exist is accepted")
	}
	if err := stale(&source{path: "q"}, known); err != nil {
		t.Errorf("a fault of another package: %v", err)
	}
	if _, err := parseEquivalents(equivalents); err != nil {
		t.Error(err)
	}
}
