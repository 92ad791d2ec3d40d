package keyring

import (
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const importPath = "github.com/stashbase/vault-stashbase/shared/keyring"

// Each file of testdata/mustnotcompile except control.go begins with "// want: " and a part of the
// expected error.
func TestMisuseDoesNotCompile(t *testing.T) {
	fset := token.NewFileSet()
	std := importer.Default()
	names := slices.Sorted(maps.Keys(sourceFiles(t)))
	own := must((&types.Config{Importer: std}).Check(importPath, fset, parseAll(t, fset, names...), nil))(t)
	imports := importerFunc(func(path string) (*types.Package, error) {
		if path == importPath {
			return own, nil
		}
		return std.Import(path)
	})
	paths := must(filepath.Glob(filepath.Join("testdata", "mustnotcompile", "*.go")))(t)
	if len(paths) < 22 {
		t.Fatalf("only %d files", len(paths))
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".go"), func(t *testing.T) {
			var problems []string
			config := types.Config{Importer: imports, Error: func(err error) { problems = append(problems, err.Error()) }}
			_, _ = config.Check("p", fset, parseAll(t, fset, path), nil)
			first, _, _ := strings.Cut(string(must(os.ReadFile(path))(t)), "\n")
			want, fails := strings.CutPrefix(first, "// want: ")
			switch {
			case !fails && filepath.Base(path) != "control.go":
				t.Error("the file does not begin with // want:")
			case !fails && len(problems) > 0:
				t.Errorf("does not compile: %q", problems)
			case fails && (len(problems) != 1 || !strings.Contains(problems[0], want)):
				t.Errorf("got errors %q, want one that contains %q", problems, want)
			}
		})
	}
}

type importerFunc func(path string) (*types.Package, error)

func (f importerFunc) Import(path string) (*types.Package, error) { return f(path) }

func parseAll(t *testing.T, fset *token.FileSet, paths ...string) []*ast.File {
	t.Helper()
	files := make([]*ast.File, len(paths))
	for i, path := range paths {
		files[i] = must(parser.ParseFile(fset, path, nil, parser.SkipObjectResolution))(t)
	}
	return files
}
