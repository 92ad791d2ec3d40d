package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"slices"
	"testing"
)

// publicComparisons lists the functions that may compare bytes in variable time, and what they
// compare. Everywhere else, bytes may be a secret, a key or a MAC, and are compared with
// crypto/subtle or hmac.Equal.
var publicComparisons = map[string]string{
	"shared/provider/github writer.refetchKey":              "public keys",
	"terraform-provider/internal/derived equal":             "values of a configuration, on the machine of the person who wrote it",
	"terraform-provider/internal/derived integration.moved": "digests of settings, which every reader of the integration sees",
	"vault-plugin/internal/integrations Service.nextFields": "digests of settings, which every reader of the integration sees",
	"vault-plugin/internal/integrations entry.unreadable":   "digests of settings, which every reader of the integration sees",
	"vault-plugin/internal/integrations sameClient":         "settings, which hold no credential",
	"vault-plugin/internal/syncrun Run.reconcileLedger":     "the same entry before and after a step; neither comes from outside",
	"vault-plugin/internal/syncs Service.resealDefinition":  "ciphertexts",
	"vault-plugin/internal/syncs Service.sealDefinition":    "definitions of syncs, which every reader of the sync sees",
	"vault-plugin/internal/syncs Service.storeState":        "states of syncs, which hold no secret",
	"vault-plugin/internal/syncs Service.storeStates":       "states of syncs, which hold no secret",
	"vault-plugin/internal/syncs Service.verify":            "definitions of syncs, which every reader of the sync sees",
	"vault-plugin/internal/syncs sameDefinition":            "two drafts of one write, without the sealed definition",
}

// TestSecretsAreComparedInConstantTime finds comparisons whose duration depends on the first byte
// that differs.
func TestSecretsAreComparedInConstantTime(t *testing.T) {
	used := map[string]bool{}
	for _, p := range productPackages(t) {
		for _, file := range p.files {
			for _, c := range comparisons(p.info, file) {
				where := p.rel() + " " + c.in
				if used[where] = true; publicComparisons[where] == "" {
					t.Errorf("%s: %s compares %s in variable time; use subtle.ConstantTimeCompare or hmac.Equal, or add %q to the table of this test", p.at(c.node), c.in, c.what, where)
				}
			}
		}
	}
	for where := range publicComparisons {
		if !used[where] {
			t.Errorf("%s no longer compares bytes; remove it from the table of this test", where)
		}
	}
}

// comparison is a comparison of bytes in variable time.
type comparison struct {
	node ast.Node
	in   string // the function
	what string
}

// comparers are the functions that compare bytes in variable time.
var comparers = map[string][]string{
	"bytes":   {"Equal", "EqualFold", "Compare"},
	"slices":  {"Equal", "Compare"},
	"reflect": {"DeepEqual"},
}

func comparisons(info *types.Info, file *ast.File) (found []comparison) {
	for _, decl := range file.Decls {
		in := ""
		if f, isFunc := decl.(*ast.FuncDecl); isFunc {
			in = receiver(f) + f.Name.Name
		}
		add := func(n ast.Node, what string) { found = append(found, comparison{n, in, what}) }
		ast.Inspect(decl, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BinaryExpr:
				if n.Op != token.EQL && n.Op != token.NEQ {
					return true
				}
				switch x := info.TypeOf(n.X); {
				case holdsDigest(x, 0):
					add(n, x.String())
				case fromBytes(info, n.X) && fromBytes(info, n.Y):
					add(n, "bytes as strings")
				}
			case *ast.SwitchStmt:
				if n.Tag != nil && holdsDigest(info.TypeOf(n.Tag), 0) {
					add(n, info.TypeOf(n.Tag).String())
				}
			case *ast.CallExpr:
				if name := comparer(info, n); name != "" {
					add(n, "bytes with "+name)
				}
			}
			return true
		})
	}
	return found
}

// digestSize is the size in bytes of every key, digest and MAC of the project.
const digestSize = 32

// holdsDigest reports whether a comparison of two values of a type compares a digest. A pointer is
// compared by its address.
func holdsDigest(t types.Type, depth int) bool {
	if t == nil || depth > 8 {
		return false
	}
	switch u := t.Underlying().(type) {
	case *types.Array:
		return isByte(u.Elem()) && u.Len() == digestSize || holdsDigest(u.Elem(), depth+1)
	case *types.Struct:
		for f := range u.Fields() {
			if holdsDigest(f.Type(), depth+1) {
				return true
			}
		}
	}
	return false
}

func isByte(t types.Type) bool {
	basic, ok := t.Underlying().(*types.Basic)
	return ok && basic.Kind() == types.Byte
}

func isBytes(t types.Type) bool {
	slice, ok := t.Underlying().(*types.Slice)
	return ok && isByte(slice.Elem())
}

// fromBytes reports whether an expression converts bytes to a string.
func fromBytes(info *types.Info, e ast.Expr) bool {
	call, ok := ast.Unparen(e).(*ast.CallExpr)
	if !ok || len(call.Args) != 1 || !info.Types[call.Fun].IsType() {
		return false
	}
	from := info.TypeOf(call.Args[0])
	return from != nil && isBytes(from)
}

// comparer returns the name of the function that a call compares bytes with, or "". A value that
// reflect compares may hold bytes at any depth. bytes.Equal with constant bytes compares a format.
func comparer(info *types.Info, call *ast.CallExpr) string {
	selector, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	object := info.Uses[selector.Sel]
	if object == nil || object.Pkg() == nil || !slices.Contains(comparers[object.Pkg().Path()], object.Name()) {
		return ""
	}
	name := object.Pkg().Path() + "." + object.Name()
	if object.Pkg().Path() == "reflect" {
		return name
	}
	for _, arg := range call.Args {
		if t := info.TypeOf(arg); t == nil || !isBytes(t) {
			return ""
		}
	}
	return name
}

// The controls: the check finds each kind of comparison, and nothing else.
func TestTheComparisonCheckFindsMistakes(t *testing.T) {
	const text = `package p

import ("bytes"; "crypto/subtle"; "reflect"; "slices")

type mac [32]byte
type print struct{ version int; sum mac }
type entry struct{ print print; next *entry }

func arrays(a, b mac) bool { return a == b }
func structs(a, b entry) bool { return a != b }
func tagged(a mac) bool { switch a { case mac{}: return true }; return false }
func equal(a, b []byte) bool { return bytes.Equal(a, b) }
func sliced(a, b []byte) bool { return slices.Equal(a, b) }
func deep(a, b any) bool { return reflect.DeepEqual(a, b) }
func texts(a, b []byte) bool { return string(a) == string(b) }

func pointers(a, b *entry) bool { return a == b }
func numbers(a, b print) bool { return a.version == b.version }
func names(a, b []string) bool { return slices.Equal(a, b) }
func ids(a, b [16]byte) bool { return a == b }
func constant(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }
func word(a []byte) bool { return string(a) == "word" }
`
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, "p.go", text, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}, Types: map[ast.Expr]types.TypeAndValue{}}
	if _, err := (&types.Config{Importer: exports(t, set)}).Check("p", set, []*ast.File{file}, info); err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, c := range comparisons(info, file) {
		found = append(found, c.in)
	}
	if want := []string{"arrays", "structs", "tagged", "equal", "sliced", "deep", "texts"}; !slices.Equal(found, want) {
		t.Errorf("found %v, want %v", found, want)
	}
}
