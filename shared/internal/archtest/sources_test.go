package archtest

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Limits on size, in lines and files. The aim is 400 lines for a file. The limit is higher for
// files that would be worse as two.
const (
	fileLines     = 450
	functionLines = 60
	testLines     = 80
	packageFiles  = 15
)

// wide lists packages with one file per noun, which a reader reads file by file.
var wide = []string{"vault-plugin/internal/backend"}

// source is one Go file of the checkout that is not generated.
type source struct {
	path string // relative to the root
	text []byte
	file *ast.File
	set  *token.FileSet
}

func (s source) test() bool { return strings.HasSuffix(s.path, "_test.go") }

func (s source) line(p token.Pos) int { return s.set.Position(p).Line }

func sources(t *testing.T) []source {
	t.Helper()
	var found []source
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			if name := entry.Name(); name != ".." && strings.HasPrefix(name, ".") || name == "bin" || name == "dist" {
				return fs.SkipDir
			}
			return nil
		case filepath.Ext(path) != ".go":
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err == nil && !ast.IsGenerated(file) {
			found = append(found, source{path: filepath.ToSlash(rel), text: text, file: file, set: set})
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		t.Fatal("found no source, so the test shows nothing")
	}
	return found
}

func TestFilesAndPackagesAreSmall(t *testing.T) {
	files := map[string]int{}
	for _, s := range sources(t) {
		if lines := bytes.Count(s.text, []byte("\n")); lines > fileLines {
			t.Errorf("%s has %d lines; the limit is %d", s.path, lines, fileLines)
		}
		if !s.test() && !strings.Contains(s.path, "/testdata/") {
			files[filepath.Dir(s.path)]++
		}
	}
	for dir, count := range files {
		if count > packageFiles && !slices.Contains(wide, dir) {
			t.Errorf("%s has %d source files; the limit is %d", dir, count, packageFiles)
		}
	}
}

// Lines of composite literals are not counted, because a reader reads a schema or a table of cases
// as data.
func TestFunctionsFitOnAScreen(t *testing.T) {
	for _, s := range sources(t) {
		limit := functionLines
		if s.test() {
			limit = testLines
		}
		for _, decl := range s.file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || f.Body == nil {
				continue
			}
			if lines := s.codeLines(f.Body); lines > limit {
				t.Errorf("%s:%d: %s has %d lines; the limit is %d", s.path, s.line(f.Pos()), f.Name.Name, lines, limit)
			}
		}
	}
}

// codeLines returns the number of lines between a function's braces, without the lines inside its
// outermost composite literals.
func (s source) codeLines(body *ast.BlockStmt) int {
	lines := s.line(body.End()) - s.line(body.Pos()) - 1
	ast.Inspect(body, func(n ast.Node) bool {
		literal, ok := n.(*ast.CompositeLit)
		if ok {
			lines -= max(0, s.line(literal.End())-s.line(literal.Pos())-1)
		}
		return !ok
	})
	return lines
}

// A comment that begins with the name of another identifier was left behind by a move or a copy.
func TestDocCommentsBeginWithTheirOwnName(t *testing.T) {
	byDir := map[string][]source{}
	for _, s := range sources(t) {
		dir := filepath.Dir(s.path) + " " + s.file.Name.Name
		byDir[dir] = append(byDir[dir], s)
	}
	for _, group := range byDir {
		var all []declared
		names := map[string]bool{}
		for _, s := range group {
			for _, d := range declarations(s) {
				all = append(all, d)
				names[d.scope+d.name] = true
			}
		}
		for _, d := range all {
			first := identifier.FindString(d.doc)
			switch {
			case d.doc == "" || first == d.name:
			case d.exported:
				t.Errorf("%s: the comment of %s begins with %q", d.at, d.name, first)
			case names[d.scope+first]:
				t.Errorf("%s: the comment of %s begins with the name of %s", d.at, d.name, first)
			}
		}
	}
}

var identifier = regexp.MustCompile(`^\w*`)

// declared is a declared name with its doc comment. The scope of a method is its receiver.
type declared struct {
	scope, name, doc, at string
	exported             bool // its comment is part of the package's documentation
}

// declarations returns the top-level declarations of a file. The comment of a parenthesised group
// describes the group, so it may begin with any word.
func declarations(s source) []declared {
	var found []declared
	add := func(scope string, name *ast.Ident, doc *ast.CommentGroup) {
		at := s.path + ":" + strconv.Itoa(s.line(name.Pos()))
		exported := name.IsExported() && !s.test()
		found = append(found, declared{scope: scope, name: name.Name, doc: doc.Text(), at: at, exported: exported})
	}
	for _, decl := range s.file.Decls {
		switch decl := decl.(type) {
		case *ast.FuncDecl:
			add(receiver(decl), decl.Name, decl.Doc)
		case *ast.GenDecl:
			for _, spec := range decl.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					add("", spec.Name, own(decl, spec.Doc))
				case *ast.ValueSpec:
					add("", spec.Names[0], own(decl, spec.Doc))
				}
			}
		}
	}
	return found
}

func own(decl *ast.GenDecl, doc *ast.CommentGroup) *ast.CommentGroup {
	if !decl.Lparen.IsValid() {
		return decl.Doc
	}
	return doc
}

// receiver returns "Server." for a method of Server or *Server, and "" for a function.
func receiver(f *ast.FuncDecl) string {
	if f.Recv == nil || len(f.Recv.List) == 0 {
		return ""
	}
	expression := f.Recv.List[0].Type
	for {
		switch e := expression.(type) {
		case *ast.StarExpr:
			expression = e.X
		case *ast.IndexExpr:
			expression = e.X
		case *ast.IndexListExpr:
			expression = e.X
		case *ast.Ident:
			return e.Name + "."
		default:
			return ""
		}
	}
}
