package archtest

import (
	"go/ast"
	"go/types"
	"slices"
	"strings"
	"testing"
)

const (
	logicalPath = "github.com/hashicorp/vault/sdk/logical"
	storePath   = "vault-plugin/internal/store"
	backendPath = "vault-plugin/internal/backend"
	netOwner    = "shared/outbound"
)

// Bytes reach logical.Storage only through store. The backend holds a storage, for Vault hands it over there, but may only pass
// it on; no other package has an expression of that type. Nobody but store makes a StorageEntry, or calls what the SDK offers
// on a storage.
func TestOnlyStoreTouchesStorage(t *testing.T) {
	for _, p := range productPackages(t) {
		if p.rel() == storePath {
			continue
		}
		for _, file := range p.files {
			ast.Inspect(file, func(n ast.Node) bool {
				if why := storageUse(p, n); why != "" {
					t.Errorf("%s: %s", p.at(n), why)
				}
				return true
			})
		}
	}
}

func storageUse(p checked, n ast.Node) string {
	switch n := n.(type) {
	case *ast.SelectorExpr:
		object := p.info.Uses[n.Sel]
		if object == nil || object.Pkg() == nil || object.Pkg().Path() != logicalPath {
			return ""
		}
		f, isFunc := object.(*types.Func)
		switch {
		case strings.HasPrefix(object.Name(), "StorageEntry"), object.Name() == "InmemStorage":
			return "logical." + object.Name() + " belongs to " + storePath
		case isFunc && worksOnStorage(f):
			return object.Name() + " on a logical.Storage belongs to " + storePath
		}
	case ast.Expr:
		if isStorage(p.info.Types[n].Type) && p.rel() != backendPath {
			return "a logical.Storage is known in " + storePath + " and passed through " + backendPath + ", nowhere else"
		}
	}
	return ""
}

// worksOnStorage reports whether f is a method of Storage or takes one.
func worksOnStorage(f *types.Func) bool {
	signature := f.Signature()
	if signature.Recv() != nil && isStorage(signature.Recv().Type()) {
		return true
	}
	for parameter := range signature.Params().Variables() {
		if isStorage(parameter.Type()) {
			return true
		}
	}
	return false
}

func isStorage(t types.Type) bool { return isNamed(t, logicalPath, "Storage", "ClearableView") }

func isNamed(t types.Type, path string, names ...string) bool {
	named, ok := types.Unalias(t).(*types.Named)
	if !ok || named.Obj().Pkg() == nil || named.Obj().Pkg().Path() != path {
		return false
	}
	return slices.Contains(names, named.Obj().Name())
}

// waysOut are what opens a connection by itself. Types of net/http that describe requests are not: everyone may build those, and
// may be handed a *http.Client that outbound has made.
var waysOut = map[string][]string{
	"net":        {"Dial*", "Dialer", "Listen*", "Lookup*", "Resolver", "DefaultResolver"},
	"net/http":   {"Client", "Transport", "DefaultClient", "DefaultTransport", "Get", "Head", "Post", "PostForm", "Server", "ListenAndServe*", "Serve*"},
	"net/rpc":    {"*"},
	"net/smtp":   {"*"},
	"crypto/tls": {"Dial*", "Dialer", "Listen"},

	"github.com/hashicorp/vault/api":    {"NewClient"},
	"github.com/hashicorp/go-cleanhttp": {"*"},
	"google.golang.org/grpc":            {"Dial*", "NewClient"},
}

// dialers are packages outside outbound that may use single ways out. The egress policy binds what the engine sends for its
// tenants; it has no part in what a person's own machine asks Vault.
var dialers = map[string][]string{
	// The Terraform provider's connection to the Vault that its configuration names.
	"terraform-provider/internal/connect": {"github.com/hashicorp/vault/api.NewClient"},
}

// Packets leave only through outbound, where egress policy is enforced at dial.
func TestOnlyOutboundReachesTheNetwork(t *testing.T) {
	used := map[string]bool{}
	for _, p := range productPackages(t) {
		if below(p.rel(), netOwner) {
			continue
		}
		for _, file := range p.files {
			for _, use := range outgoing(p, file) {
				if slices.Contains(dialers[p.rel()], use.what) {
					used[p.rel()+" "+use.what] = true
					continue
				}
				t.Errorf("%s uses %s; the way out is %s", use.at, use.what, netOwner)
			}
		}
	}
	for rel, whats := range dialers {
		for _, what := range whats {
			if !used[rel+" "+what] {
				t.Errorf("%s no longer uses %s: the line leaves the table of this test", rel, what)
			}
		}
	}
}

// use is a way out and where it is taken.
type use struct{ at, what string }

func outgoing(p checked, file *ast.File) []use {
	var found []use
	pointers := map[ast.Node]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		if star, ok := n.(*ast.StarExpr); ok {
			pointers[star.X] = true
		}
		selector, ok := n.(*ast.SelectorExpr)
		if !ok || pointers[n] {
			return true
		}
		object := p.info.Uses[selector.Sel]
		if object == nil || object.Pkg() == nil || isMember(object) {
			return true
		}
		for _, pattern := range waysOut[object.Pkg().Path()] {
			prefix, wild := strings.CutSuffix(pattern, "*")
			if object.Name() == pattern || wild && strings.HasPrefix(object.Name(), prefix) {
				found = append(found, use{p.at(n), object.Pkg().Path() + "." + object.Name()})
			}
		}
		return true
	})
	return found
}

// isMember tells fields and methods from what a package declares itself.
func isMember(object types.Object) bool {
	switch object := object.(type) {
	case *types.Var:
		return object.IsField()
	case *types.Func:
		return object.Signature().Recv() != nil
	}
	return false
}
