package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// suite is a package of tests that covers a package under test.
type suite struct {
	path      string // relative to the root of the checkout
	run, skip string // patterns of tests; empty: all, none
}

// binary is a compiled suite of an instrumented package.
type binary struct {
	suite
	file    string
	dir     string // the tests' working directory
	reached map[int]bool
	limit   time.Duration // a run that takes longer has noticed the fault
}

// compile compiles a suite against an instrumented package, runs it without a fault, and records
// which faults it reaches. The run must pass.
func compile(root, tmp, overlay string, s suite) (*binary, error) {
	b := &binary{suite: s, dir: filepath.Join(root, s.path), reached: map[int]bool{}}
	b.file = filepath.Join(tmp, strings.ReplaceAll(s.path, "/", "_")+".test")
	cmd := exec.Command("go", "test", "-c", "-overlay", overlay, "-o", b.file, "./"+s.path)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("compile the tests of %s: %w\n%s", s.path, err, out)
	}
	if _, err := os.Stat(b.file); errors.Is(err, os.ErrNotExist) {
		return b, nil // the package has no tests
	}
	log := filepath.Join(tmp, "reached")
	_ = os.Remove(log)
	const patience = 20 * time.Minute
	began := time.Now()
	if out, noticed := b.try(patience, "MUTANT_REACHED="+log); noticed != "" {
		return nil, fmt.Errorf("the tests of %s fail without a fault:\n%s", s.path, out)
	}
	const least, factor = 10 * time.Second, 4
	b.limit = max(least, factor*time.Since(began))
	text, err := os.ReadFile(log)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	for field := range strings.FieldsSeq(string(text)) {
		n, err := strconv.Atoi(field)
		if err != nil {
			return nil, err
		}
		b.reached[n] = true
	}
	return b, nil
}

// try runs the suite with an environment variable, and returns its output and how it noticed a
// fault: "failed", "timeout", or "" if it passed.
func (b *binary) try(limit time.Duration, variable string) (out []byte, noticed string) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	args := []string{"-test.short", "-test.failfast", "-test.timeout", limit.String()}
	if b.run != "" {
		args = append(args, "-test.run", b.run)
	}
	if b.skip != "" {
		args = append(args, "-test.skip", b.skip)
	}
	cmd := exec.CommandContext(ctx, b.file, args...)
	cmd.Dir, cmd.Env = b.dir, append(os.Environ(), variable)
	cmd.WaitDelay = time.Second
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	err := cmd.Run()
	switch {
	case ctx.Err() != nil, bytes.Contains(output.Bytes(), []byte("panic: test timed out")):
		return output.Bytes(), "timeout"
	case err != nil:
		return output.Bytes(), "failed"
	}
	return output.Bytes(), ""
}

// notice runs the suites that reach a fault until one notices it. It returns how, or "survived", or
// "not reached".
func notice(binaries []*binary, f fault) string {
	result := "not reached"
	for _, b := range binaries {
		if !b.reached[f.n] {
			continue
		}
		if _, noticed := b.try(b.limit, "MUTANT="+strconv.Itoa(f.n)); noticed != "" {
			return noticed
		}
		result = "survived"
	}
	return result
}
