package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// skips lists the functions that may skip a test whatever the environment is, with the reason. In
// CI, a test that needs a tool must fail without it. Otherwise nobody notices that it never ran.
var skips = map[string]string{
	"shared/provider/providertest/compare.go: writeOverChanged":                         "the place has no versions",
	"shared/provider/providertest/compare.go: conflictAmongOthers":                      "the declaration excludes the check",
	"shared/provider/providertest/readback.go: readNothing":                             "the declaration excludes the check",
	"shared/provider/providertest/providertest.go: try":                                 "the declaration or the party excludes the check",
	"shared/provider/github/githubtest/openapi.go: Described":                           "load fails in CI",
	"shared/keyring/api_test.go: TestFIPSIsEnforced":                                    "runs in the process of another test",
	"shared/keyring/bench_test.go: TestSealAndOpenAllocateLittle":                       "the race detector allocates memory itself",
	"vault-plugin/internal/intake/framework_test.go: FuzzCheck":                         "the input has no meaning",
	"vault-plugin/internal/document/compat_test.go: TestYAMLReadsAsStringsInPyYAML":     "PyYAML is optional",
	"vault-plugin/internal/document/compat_test.go: TestShellsReadEveryValueAndRunNone": "dash and busybox are optional",
}

func TestTestsThatNeedAToolFailInCI(t *testing.T) {
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() && slices.Contains([]string{".git", "bin", "node_modules"}, entry.Name()) {
			if entry != nil && entry.IsDir() && err == nil {
				return fs.SkipDir
			}
			return err
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		for _, name := range blindSkips(file) {
			if where := filepath.ToSlash(rel) + ": " + name; skips[where] == "" {
				t.Errorf("%s skips a test and does not ask whether CI is set; let it fail there, or give the reason in the list", where)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// blindSkips returns the functions of a file that skip a test and do not mention CI.
func blindSkips(file *ast.File) []string {
	var names []string
	for _, decl := range file.Decls {
		f, isFunc := decl.(*ast.FuncDecl)
		if !isFunc || f.Body == nil {
			continue
		}
		skips, asks := false, false
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				s, isSelector := n.Fun.(*ast.SelectorExpr)
				skips = skips || isSelector && slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, s.Sel.Name)
			case *ast.BasicLit:
				asks = asks || n.Value == `"CI"`
			}
			return true
		})
		if skips && !asks {
			names = append(names, f.Name.Name)
		}
	}
	return names
}

// The control: the check distinguishes the two kinds of skips.
func TestSkipsCheckDetectsMistakes(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "x.go", `package x
func blind(t T) { if missing { t.Skip("no tool") } }
func asking(t T) { if os.Getenv("CI") == "true" { t.Fatal() }; t.Skipf("no tool") }
func harmless(t T) { t.Log("CI") }
`, 0)
	if err != nil {
		t.Fatal(err)
	}
	if got := blindSkips(file); !slices.Equal(got, []string{"blind"}) {
		t.Errorf("got %q", got)
	}
}
