package archtest

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// engineDir is the folder of the packages that layers lists.
const engineDir = "vault-plugin/internal"

// layers lists all packages of the engine, from the top to the bottom. A package may import
// packages of lower layers only, so the import graph has no circles. Tests may import the harnesses
// above them.
var layers = [][]string{
	{"docgen", "crashtest"}, // a generator of pages, and tests of the whole engine
	{"enginetest"},          // the harness of tests in memory
	{"backend"},
	{"engine"},
	{"rewrap", "syncs"},
	{"secrets", "integrations", "encryption", "syncrun"},
	{"workspaces", "syncplan", "document"},
	{"activity", "credseal", "ledger", "policies", "references", "dotenv"},
	{"recordset"},
	{"keys", "settings", "undone", "schedule", "intake", "headcache", "naming", "charset"},
	{"caller"}, // below keys and settings, because a change of either takes a caller.Request
	{"store", "jobs", "gate", "budget", "clock", "keylock", "nametemplate"},
	{"globs"},
	{"fault"},
}

func TestEngineImportsPointDown(t *testing.T) {
	own, _ := packages(t)
	imports := map[string][]string{}
	for _, p := range own {
		name, inside := strings.CutPrefix(p.rel(), engineDir+"/")
		if !inside {
			continue
		}
		imports[name] = nil
		for _, path := range p.Imports {
			if imported, inside := strings.CutPrefix(relative(path), engineDir+"/"); inside && ours(path) {
				imports[name] = append(imports[name], imported)
			}
		}
	}
	for _, wrong := range misplaced(layers, imports) {
		t.Error(wrong)
	}
}

// misplaced returns a sentence for each import that does not point down, and for each package that
// is either not listed or does not exist.
func misplaced(layers [][]string, imports map[string][]string) []string {
	var wrong []string
	depth := map[string]int{}
	for i, layer := range layers {
		for _, name := range layer {
			depth[name] = i
			if _, exists := imports[name]; !exists {
				wrong = append(wrong, fmt.Sprintf("package %s does not exist; remove it from the layers", name))
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(imports)) {
		at, listed := depth[name]
		if !listed {
			wrong = append(wrong, fmt.Sprintf("package %s is in no layer; add it to the layers, to %s and to its diagram", name, designPage))
			continue
		}
		for _, imported := range imports[name] {
			if below, listed := depth[imported]; listed && below <= at {
				wrong = append(wrong, fmt.Sprintf("%s imports %s, which is not in a lower layer", name, imported))
			}
		}
	}
	return wrong
}

// The controls: the check detects each kind of mistake in a graph of three packages.
func TestLayersCheckDetectsMistakes(t *testing.T) {
	order := [][]string{{"top"}, {"left", "right"}}
	for name, c := range map[string]struct {
		imports map[string][]string
		says    string // empty: nothing is wrong
	}{
		"arrows down": {imports: map[string][]string{"top": {"left", "right"}, "left": nil, "right": nil}},
		"an arrow up": {imports: map[string][]string{"top": nil, "left": {"top"}, "right": nil}, says: "left imports top"},
		"an arrow to the side": {
			imports: map[string][]string{"top": nil, "left": {"right"}, "right": nil}, says: "left imports right",
		},
		"a package in no layer": {
			imports: map[string][]string{"top": nil, "left": nil, "right": nil, "new": nil}, says: "package new is in no layer",
		},
		"a package that is gone": {imports: map[string][]string{"top": nil, "left": nil}, says: "package right does not exist"},
	} {
		t.Run(name, func(t *testing.T) {
			wrong := misplaced(order, c.imports)
			if c.says == "" && len(wrong) > 0 || c.says != "" && (len(wrong) != 1 || !strings.Contains(wrong[0], c.says)) {
				t.Errorf("detected %q, want %q", wrong, c.says)
			}
		})
	}
}

// designPage is the page that describes the packages.
const designPage = "docs/development/design.md"

func TestDesignPageDescribesAllPackages(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, designPage))
	if err != nil {
		t.Fatal(err)
	}
	if missing := undescribed(string(text), slices.Concat(layers...)); len(missing) > 0 {
		t.Errorf("%s has no row for the packages %v", designPage, missing)
	}
	if missing := undescribed(string(text), []string{"nosuchpackage"}); len(missing) != 1 {
		t.Error("the check finds a package that does not exist")
	}
}

// undescribed returns the packages of the engine that have no row in the table of a page.
func undescribed(page string, names []string) []string {
	described := map[string]bool{}
	for line := range strings.Lines(page) {
		first, isRow := strings.CutPrefix(line, "| `internal/")
		if !isRow {
			continue
		}
		first, _, _ = strings.Cut(first, "|")
		for name := range strings.SplitSeq(first, ",") {
			described[strings.Trim(name, " `")] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return described[name] })
}
