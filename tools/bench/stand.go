package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/stashbase/vault-stashbase/shared/vaulttest"
)

// The compared mounts. An external plugin is mounted under its own name.
const (
	ours       = vaulttest.MountPath
	kvBuiltIn  = "kv-built-in"
	kvExternal = "kv-external"
	noop       = "noop"

	transitBuiltIn  = "transit-built-in"
	transitExternal = "transit-external"
)

// stand is a running Vault with all compared engines mounted.
type stand struct {
	server  *vaulttest.Server
	client  *api.Client
	version string // of Vault
}

// launch starts Vault with log level warn. At a lower level, Vault wraps each plugin in a layer
// that traces every call.
func launch(ctx context.Context) (*stand, error) {
	server, err := vaulttest.Launch(vaulttest.Options{LogLevel: "warn", PlainHTTP: true})
	if err != nil {
		return nil, err
	}
	s := &stand{server: server, client: server.Client()}
	if err := s.furnish(ctx); err != nil {
		return nil, errors.Join(err, server.Stop())
	}
	return s, nil
}

func (s *stand) stop() error { return s.server.Stop() }

func (s *stand) furnish(ctx context.Context) error {
	health, err := s.client.Sys().HealthWithContext(ctx)
	if err != nil {
		return err
	}
	s.version = health.Version
	if os.Getenv("BENCH_AUDIT") != "1" {
		if err := s.client.Sys().DisableAuditWithContext(ctx, "file"); err != nil {
			return err
		}
	}
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	for name, pkg := range map[string]string{kvExternal: "./kv", noop: "./noop"} {
		binary := filepath.Join(dir, name)
		if err := build(ctx, pkg, binary); err != nil {
			return err
		}
		if err := s.server.MountPlugin(name, binary); err != nil {
			return err
		}
	}
	transit, err := transitPlugin(ctx)
	if err != nil {
		return err
	}
	if err := s.server.MountPlugin(transitExternal, transit); err != nil {
		return err
	}
	if err := s.client.Sys().MountWithContext(ctx, transitBuiltIn, &api.MountInput{Type: "transit"}); err != nil {
		return err
	}
	return s.client.Sys().MountWithContext(ctx, kvBuiltIn, &api.MountInput{Type: "kv", Options: map[string]string{"version": "2"}})
}

// transitPlugin builds the program that serves Transit as an external plugin. Vault's own module
// contains this program. It is built like the pinned Vault, from the same code.
func transitPlugin(ctx context.Context) (string, error) {
	const vault = "github.com/hashicorp/vault"
	cmd := exec.CommandContext(ctx, "../build-tool.sh", "vault", vault, vault+"/builtin/logical/transit/cmd/transit", "-tags", "minimal", "-ldflags=-s -w")
	cmd.Stderr = os.Stderr
	path, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("build Transit as a plugin (in the folder tools/bench): %w", err)
	}
	return strings.TrimSpace(string(path)), nil
}

// build builds a plugin with the flags of a release.
func build(ctx context.Context, pkg, binary string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", binary, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("go build %s (in the folder tools/bench): %w\n%s", pkg, err, log.String())
	}
	return nil
}

func (s *stand) write(ctx context.Context, path string, data map[string]any) (*api.Secret, error) {
	return s.client.Logical().WriteWithContext(ctx, path, data)
}

// read fails if the response is empty, because a benchmark of missing secrets would be too fast.
func read(ctx context.Context, client *api.Client, path string) (*api.Secret, error) {
	secret, err := client.Logical().ReadWithContext(ctx, path)
	if err == nil && (secret == nil || len(secret.Data) == 0) {
		err = fmt.Errorf("%s returns nothing", path)
	}
	return secret, err
}

// environment creates an environment with its workspace and project, and returns its path.
func (s *stand) environment(ctx context.Context, workspace, name string) (string, error) {
	path := workspace + "/project/" + name
	for _, parent := range []string{"workspaces/" + workspace, "projects/" + workspace + "/project", "environments/" + path} {
		if _, err := s.write(ctx, ours+"/"+parent, nil); err != nil {
			return "", err
		}
	}
	return path, nil
}

// value returns 64 bytes, the length of a token or a key in hex. Different numbers give different
// values.
func value(n int) string { return fmt.Sprintf("%064d", n) }

// values returns n secrets. Different generations give different values.
func values(n, generation int) map[string]any {
	all := make(map[string]any, n)
	for i := range n {
		all[secretName(i)] = value(generation*n + i)
	}
	return all
}

func secretName(i int) string { return fmt.Sprintf("SECRET_%06d", i) }

// fill imports n secrets into an environment, and returns when they are stored in their own
// entries.
func (s *stand) fill(ctx context.Context, environment string, n int) error {
	if _, err := s.write(ctx, ours+"/import/"+environment, map[string]any{"secrets": values(n, 0)}); err != nil {
		return err
	}
	return s.applied(ctx)
}

// applied waits until no redo log exists: all committed imports are then stored in the secrets' own
// entries.
func (s *stand) applied(ctx context.Context) error {
	logs := "sys/raw/logical/" + s.server.MountUUID() + "/log/"
	return poll(ctx, 5*time.Millisecond, func() (bool, error) {
		left, err := s.client.Logical().ListWithContext(ctx, logs)
		return left == nil, err
	})
}

// poll repeats a check until it returns true.
func poll(ctx context.Context, every time.Duration, ask func() (bool, error)) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if yes, err := ask(); yes || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
