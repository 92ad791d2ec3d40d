// Package archtest contains no product code. Its tests read the sources and the import graph of the
// module, and fail if a rule of the architecture is broken. It is below shared/ only because every
// package may be examined from there. It imports nothing of the project.
//
// A commit that breaks a rule on purpose also changes the table of that rule, so that the change is
// visible in review.
package archtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/stashbase/vault-stashbase"

// root is the checkout, relative to the folder in which the test runs.
const root = "../../.."

// listed is a package as `go list` prints it.
type listed struct {
	ImportPath   string
	Dir          string
	Export       string
	Deps         []string
	GoFiles      []string
	Imports      []string
	TestImports  []string
	XTestImports []string
	Error        *struct{ Err string }
}

// rel returns the package's path below the module: "shared/keyring".
func (p listed) rel() string { return relative(p.ImportPath) }

func (p listed) allImports() []string {
	return append(append(append([]string(nil), p.Imports...), p.TestImports...), p.XTestImports...)
}

func relative(path string) string { return strings.TrimPrefix(strings.TrimPrefix(path, module), "/") }

func ours(path string) bool { return path == module || strings.HasPrefix(path, module+"/") }

// below reports whether path is dir or inside dir.
func below(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }

var graph = sync.OnceValues(func() (map[string]listed, error) {
	cmd := exec.Command("go", "list", "-deps", "-export",
		"-json=ImportPath,Dir,Export,Deps,GoFiles,Imports,TestImports,XTestImports,Error", "./...")
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w\n%s", err, stderr.String())
	}
	packages := map[string]listed{}
	decoder := json.NewDecoder(bytes.NewReader(out))
	for {
		var p listed
		switch err := decoder.Decode(&p); {
		case errors.Is(err, io.EOF):
			return packages, nil
		case err != nil:
			return nil, err
		case p.Error != nil:
			return nil, fmt.Errorf("%s: %s", p.ImportPath, p.Error.Err)
		}
		packages[p.ImportPath] = p
	}
})

// packages returns the packages of the module by import path, and all packages they depend on.
func packages(t *testing.T) (own, all map[string]listed) {
	t.Helper()
	all, err := graph()
	if err != nil {
		t.Fatal(err)
	}
	own = map[string]listed{}
	for path, p := range all {
		if ours(path) {
			own[path] = p
		}
	}
	return own, all
}

// checked is the syntax and the types of a package.
type checked struct {
	listed
	set   *token.FileSet
	files []*ast.File
	info  *types.Info
}

// at returns the position of a node as package/file:line.
func (c checked) at(n ast.Node) string {
	p := c.set.Position(n.Pos())
	return fmt.Sprintf("%s/%s:%d", c.rel(), filepath.Base(p.Filename), p.Line)
}

// support reports whether a package serves only tests. Its name or the name of a folder above ends
// with "test": vaulttest, enginetest, a provider's githubtest, and every package in providertest.
func support(rel string) bool {
	return strings.HasSuffix(rel, "test") || strings.Contains(rel, "test/")
}

// product type-checks the packages of the module that programs contain: no tests and no test
// support.
var product = sync.OnceValues(func() ([]checked, error) {
	all, err := graph()
	if err != nil {
		return nil, err
	}
	set := token.NewFileSet()
	imports := exportImporter(set, all)
	var found []checked
	for path, p := range all {
		if !ours(path) || support(p.rel()) || len(p.GoFiles) == 0 {
			continue
		}
		c := checked{listed: p, set: set, info: &types.Info{
			Uses: map[*ast.Ident]types.Object{}, Types: map[ast.Expr]types.TypeAndValue{},
		}}
		for _, name := range p.GoFiles {
			file, err := parser.ParseFile(set, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				return nil, err
			}
			c.files = append(c.files, file)
		}
		config := types.Config{Importer: imports}
		if _, err := config.Check(path, set, c.files, c.info); err != nil {
			return nil, err
		}
		found = append(found, c)
	}
	return found, nil
})

// exportImporter returns an importer of the packages of the import graph.
func exportImporter(set *token.FileSet, all map[string]listed) types.Importer {
	return importer.ForCompiler(set, "gc", func(path string) (io.ReadCloser, error) {
		return os.Open(all[path].Export)
	})
}

func exports(t *testing.T, set *token.FileSet) types.Importer {
	t.Helper()
	_, all := packages(t)
	return exportImporter(set, all)
}

func productPackages(t *testing.T) []checked {
	t.Helper()
	found, err := product()
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		t.Fatal("found no package, so the test shows nothing")
	}
	return found
}
