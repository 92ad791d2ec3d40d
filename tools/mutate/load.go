package main

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
)

// source is a package whose faults are known.
type source struct {
	path   string // relative to the root of the checkout
	dir    string
	name   string
	files  map[string][]byte // by absolute path
	faults []fault
}

// listed is a package as `go list` prints it.
type listed struct {
	ImportPath, Dir, Name, Export string
	GoFiles                       []string
	DepOnly                       bool
}

// load reads a package and finds its faults. It needs the types of the package, so go list compiles
// what the package imports.
func load(root, path string) (*source, error) {
	cmd := exec.Command("go", "list", "-deps", "-export", "-json=ImportPath,Dir,Name,Export,GoFiles,DepOnly", "./"+path)
	cmd.Dir, cmd.Stderr = root, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", path, err)
	}
	all := map[string]listed{}
	var p listed
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var one listed
		if err := decoder.Decode(&one); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		if all[one.ImportPath] = one; !one.DepOnly {
			p = one
		}
	}
	s := &source{path: path, dir: p.Dir, name: p.Name, files: map[string][]byte{}}
	return s, s.find(root, p, all)
}

func (s *source) find(root string, p listed, all map[string]listed) error {
	set := token.NewFileSet()
	var files []*ast.File
	for _, name := range p.GoFiles {
		at := filepath.Join(p.Dir, name)
		text, err := os.ReadFile(at)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(set, at, text, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		s.files[at], files = text, append(files, file)
	}
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}}
	imports := importer.ForCompiler(set, "gc", func(path string) (io.ReadCloser, error) { return os.Open(all[path].Export) })
	if _, err := (&types.Config{Importer: imports}).Check(p.ImportPath, set, files, info); err != nil {
		return err
	}
	n := 0
	for i, file := range files {
		at := filepath.Join(p.Dir, p.GoFiles[i])
		rel, err := filepath.Rel(root, at)
		if err != nil {
			return err
		}
		f := &finder{set: set, info: info, source: s.files[at], file: filepath.ToSlash(rel), next: func() int { n++; return n }}
		f.find(file)
		s.faults = append(s.faults, f.found...)
	}
	return nil
}

// overlay writes the instrumented package to dir, and returns the file that go build -overlay
// reads.
func (s *source) overlay(root, dir string) (string, error) {
	replace := map[string]string{}
	write := func(at string, text []byte) error {
		to := filepath.Join(dir, fmt.Sprintf("%d.go", len(replace)))
		replace[at] = to
		return os.WriteFile(to, text, 0o600)
	}
	for at, text := range s.files {
		var faults []fault
		for _, f := range s.faults {
			if filepath.Join(root, filepath.FromSlash(f.file)) == at {
				faults = append(faults, f)
			}
		}
		if err := write(at, instrument(text, faults)); err != nil {
			return "", err
		}
	}
	if err := write(filepath.Join(s.dir, "mutate_switches.go"), switches(s.name, len(s.faults))); err != nil {
		return "", err
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "overlay.json")
	return file, os.WriteFile(file, text, 0o600)
}
