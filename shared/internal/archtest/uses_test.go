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

// Only store reads and writes logical.Storage. Vault hands a storage to the backend, and the
// backend may only pass it on. No other package has an expression of that type. Only store makes a
// StorageEntry, or calls the SDK's functions that take a storage.
func TestOnlyStoreUsesStorage(t *testing.T) {
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
			return "a logical.Storage may be used only in " + storePath + ", and passed on only by " + backendPath
		}
	}
	return ""
}

// worksOnStorage reports whether f is a method of Storage or has a parameter of that type.
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

// waysOut lists what opens a connection. It does not list the types of net/http that describe
// requests: every package may build those, and may receive an *http.Client that outbound made.
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

// dialers lists packages outside outbound that may use single ways out. The egress policy applies
// to what the engine sends for its tenants, not to the requests of a person's own machine to Vault.
var dialers = map[string][]string{
	// The Terraform provider's connection to the Vault that its configuration names.
	"terraform-provider/internal/connect": {"github.com/hashicorp/vault/api.NewClient"},
}

// Packets leave only through outbound, which enforces the egress policy when it dials.
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
				t.Errorf("%s uses %s; connections are opened only in %s", use.at, use.what, netOwner)
			}
		}
	}
	for rel, whats := range dialers {
		for _, what := range whats {
			if !used[rel+" "+what] {
				t.Errorf("%s no longer uses %s; remove it from the table of this test", rel, what)
			}
		}
	}
}

// use is a use of a way out, and its position.
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

// isMember reports whether an object is a field or a method instead of a declaration of a package.
func isMember(object types.Object) bool {
	switch object := object.(type) {
	case *types.Var:
		return object.IsField()
	case *types.Func:
		return object.Signature().Recv() != nil
	}
	return false
}
