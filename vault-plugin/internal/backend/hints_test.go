package backend_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var commandOfVault = regexp.MustCompile(`\bvault (write|read|list|delete|patch|kv|secrets|plugin|policy|token) `)

// Under OpenBao the command has another name, so a text names it at most once, before a path that
// shows what to do.
func TestAnErrorNamesTheCommandOnce(t *testing.T) {
	checked := 0
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			for _, argument := range call.Args {
				text := literal(argument)
				if strings.Contains(text, "\n") {
					continue // help
				}
				found := len(commandOfVault.FindAllString(text, -1))
				if found > 0 {
					checked++
				}
				if found > 1 {
					t.Errorf("%s: the text names the command %d times: %s", files.Position(argument.Pos()), found, text)
				}
			}
			return true
		})
		return nil
	})
	if err != nil || checked < 10 {
		t.Errorf("checked %d texts (%v)", checked, err)
	}
}

// literal returns the text of a string constant, also of one that is put together with +.
func literal(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, _ := strconv.Unquote(e.Value)
		return text
	case *ast.BinaryExpr:
		return literal(e.X) + literal(e.Y)
	}
	return ""
}
