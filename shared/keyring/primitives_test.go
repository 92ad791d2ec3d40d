package keyring

import (
	"bytes"
	"encoding/hex"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// These are the SHA-256 cases of RFC 5869, appendix A, from PRK and info to OKM.
func TestExpandMatchesRFC5869(t *testing.T) {
	for _, test := range []struct {
		name, prk, info, okm string
	}{
		{
			name: "A.1",
			prk:  "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
			info: "f0f1f2f3f4f5f6f7f8f9",
			okm:  "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
		},
		{
			name: "A.2",
			prk:  "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244",
			info: "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecf" +
				"d0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeef" +
				"f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
			okm: "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c" +
				"59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71" +
				"cc30c58179ec3e87c14c01d5c1f3434f1d87",
		},
		{
			name: "A.3",
			prk:  "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
			okm:  "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			prk := must(hex.DecodeString(test.prk))(t)
			info := must(hex.DecodeString(test.info))(t)
			want := must(hex.DecodeString(test.okm))(t)
			got := must(expand((*[keySize]byte)(prk), info, len(want)))(t)
			if !bytes.Equal(got, want) {
				t.Errorf("got %x, want %x", got, want)
			}
		})
	}
}

func TestOnlyPrimitivesImportsCryptography(t *testing.T) {
	for name, file := range sourceFiles(t) {
		for _, spec := range file.Imports {
			path := must(strconv.Unquote(spec.Path.Value))(t)
			if first, _, _ := strings.Cut(path, "/"); strings.Contains(first, ".") {
				t.Errorf("%s imports %s, which is not in the standard library", name, path)
			}
			if name != "primitives.go" && (strings.HasPrefix(path, "crypto") || strings.HasPrefix(path, "math/rand")) {
				t.Errorf("%s imports %s; raw cryptography belongs in primitives.go", name, path)
			}
		}
	}
}

func TestExportedSignaturesNameNoNonceSaltOrAlgorithm(t *testing.T) {
	forbidden := []string{"nonce", "salt", "aad", "iv", "suite", "algorithm", "cipher", "hash"}
	for name, file := range sourceFiles(t) {
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || !f.Name.IsExported() {
				continue
			}
			for _, param := range f.Type.Params.List {
				for _, ident := range param.Names {
					if slices.Contains(forbidden, strings.ToLower(ident.Name)) {
						t.Errorf("%s: %s has a parameter %s", name, f.Name.Name, ident.Name)
					}
				}
			}
		}
	}
}

func TestSourceFilesStayShort(t *testing.T) {
	const limit = 400 // lines
	entries := must(os.ReadDir("."))(t)
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), ".go") {
			continue
		}
		if lines := bytes.Count(must(os.ReadFile(entry.Name()))(t), []byte("\n")); lines >= limit {
			t.Errorf("%s has %d lines; the limit is %d", entry.Name(), lines, limit)
		}
	}
}

// sourceFiles parses the files of the package except its tests.
func sourceFiles(t *testing.T) map[string]*ast.File {
	t.Helper()
	files := make(map[string]*ast.File)
	for _, entry := range must(os.ReadDir("."))(t) {
		name := entry.Name()
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		files[name] = must(parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution))(t)
	}
	if len(files) == 0 {
		t.Fatal("no source files found")
	}
	return files
}
