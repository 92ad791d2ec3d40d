package vaulttest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"

	"github.com/hashicorp/vault/api"
)

// builds holds the plugins that this test process has built, by package. Many servers share one
// build.
var builds = struct {
	sync.Mutex
	binary map[string][]byte
}{binary: map[string][]byte{}}

func (s *Server) mountPlugin() error {
	binary, version, err := s.options.plugin()
	if err != nil {
		return err
	}
	if err := s.register(s.options.PluginName, version, binary); err != nil {
		return err
	}
	config := s.options.MountConfig
	config.PluginVersion = version
	sys := s.Client().Sys()
	err = sys.Mount(s.options.MountPath, &api.MountInput{
		Type: s.options.PluginName, Options: s.options.MountOptions, Config: config,
	})
	if err != nil {
		return fmt.Errorf("mount the plugin: %w", err)
	}
	s.mount, err = sys.GetMount(s.options.MountPath)
	return err
}

// MountPlugin registers another plugin and mounts it at its name. binary is the path of the
// program. The bench compares the project's plugin with such plugins.
func (s *Server) MountPlugin(name, binary string) error {
	content, err := os.ReadFile(binary)
	if err != nil {
		return err
	}
	if err := s.register(name, "", content); err != nil {
		return err
	}
	if err := s.Client().Sys().Mount(name, &api.MountInput{Type: name}); err != nil {
		return fmt.Errorf("mount the plugin %s: %w", name, err)
	}
	return nil
}

func (s *Server) register(name, version string, binary []byte) error {
	if err := os.WriteFile(filepath.Join(s.pluginDir(), name), binary, 0o700); err != nil {
		return err
	}
	sum := sha256.Sum256(binary)
	_, err := s.Client().Sys().RegisterPluginDetailed(&api.RegisterPluginInput{
		Name: name, Type: api.PluginTypeSecrets, Command: name, SHA256: hex.EncodeToString(sum[:]), Version: version,
	})
	if err != nil {
		return fmt.Errorf("register the plugin %s: %w", name, err)
	}
	return nil
}

// plugin returns the plugin's program, as bytes, and its version.
func (o Options) plugin() ([]byte, string, error) {
	path, version := o.PluginBinary, o.PluginVersion
	if path == "" && o.PluginPackage == PluginPackage {
		path, version = os.Getenv("STASHBASE_PLUGIN_BINARY"), os.Getenv("STASHBASE_PLUGIN_VERSION")
	}
	if path != "" {
		binary, err := os.ReadFile(path)
		return binary, version, err
	}
	binary, err := build(o.PluginPackage)
	return binary, testVersion, err
}

// build compiles the package once per test process. Paths are not trimmed: packages that the test
// itself has compiled then come from the build cache.
func build(pkg string) ([]byte, error) {
	builds.Lock()
	defer builds.Unlock()
	if binary, done := builds.binary[pkg]; done {
		return binary, nil
	}
	root, err := checkout()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "vaulttest-build")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	out := filepath.Join(dir, "plugin")
	args := []string{"build", "-buildvcs=false", "-o", out, "-ldflags=-X main.version=" + testVersion}
	if raceDetector {
		args = append(args, "-race")
	}
	cmd := exec.Command("go", append(args, pkg)...)
	cmd.Dir = root
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("go build %s: %w\n%s", pkg, err, log.String())
	}
	binary, err := os.ReadFile(out)
	if err == nil {
		builds.binary[pkg] = binary
	}
	return binary, err
}
