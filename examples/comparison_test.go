package examples_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	namedTest    = regexp.MustCompile("`(Test[A-Z]\\w*)`")
	declaredTest = regexp.MustCompile(`(?m)^func (Test\w+)\(`)
)

// Each row of the comparison names the tests that show it, and these tests exist.
func TestTheComparisonNamesTestsThatExist(t *testing.T) {
	declared := declaredTests(t)
	text, err := os.ReadFile(filepath.Join(root, "docs", "reference", "kv-and-transit.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows, header := 0, false
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		switch {
		case !strings.HasPrefix(line, "|"):
			header = true // the next row is the header of a table
			continue
		case header, strings.HasPrefix(line, "| ---"):
			if header && strings.TrimSpace(cells[len(cells)-1]) != "shown by" {
				t.Errorf("the last column of a table is not for tests: %s", line)
			}
			header = false
			continue
		}
		rows++
		names := namedTest.FindAllStringSubmatch(cells[len(cells)-1], -1)
		if len(names) == 0 {
			t.Errorf("a row names no test: %s", line)
		}
		for _, name := range names {
			if !declared[name[1]] {
				t.Errorf("%s does not exist, but is named by: %s", name[1], line)
			}
		}
	}
	if rows == 0 {
		t.Fatal("no row found: the test shows nothing")
	}
}

// declaredTests returns the tests of the packages whose behaviour the comparison describes.
func declaredTests(t *testing.T) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	for _, dir := range []string{"vault-plugin", "shared"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			for _, name := range declaredTest.FindAllSubmatch(text, -1) {
				found[string(name[1])] = true
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}
