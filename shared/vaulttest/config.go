package vaulttest

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
)

const moduleLine = "module github.com/stashbase/vault-stashbase\n"

// config returns Vault's configuration file.
func (s *Server) config() string {
	storage := `storage "inmem" {}`
	if s.options.Storage == Raft {
		// 1 is the lowest multiplier that Vault accepts: a single node then becomes active after
		// one second instead of five.
		storage = fmt.Sprintf("storage \"raft\" {\n  path = %q\n  node_id = \"node\"\n  performance_multiplier = 1\n}", s.StorageDir())
	}
	return fmt.Sprintf(`%s
listener "tcp" {
  address         = %q
  cluster_address = %q
  %s
}
telemetry {
  disable_hostname          = true
  prometheus_retention_time = "1h"
}
api_addr             = %q
cluster_addr         = %q
plugin_directory     = %q
log_level            = %q
disable_mlock        = true
raw_storage_endpoint = true
%s
`, storage, s.address, s.cluster, s.listenerTLS(), s.Address(), "https://"+s.cluster, s.pluginDir(), s.options.LogLevel, s.options.Config)
}

func (s *Server) listenerTLS() string {
	if s.options.PlainHTTP {
		return "tls_disable = true"
	}
	return fmt.Sprintf("tls_cert_file = %q\n  tls_key_file = %q", s.certificateFile(), s.keyFile())
}

func (s *Server) environment() []string {
	// By default a program with the race detector waits one second before it exits, and a seal
	// waits for the plugin.
	return append([]string{"HOME=" + s.dir, "TMPDIR=" + s.tempDir(), "GORACE=atexit_sleep_ms=0"}, s.options.Env...)
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String(), nil
}

func vaultBinary() (string, error) {
	path := os.Getenv("VAULT_BINARY")
	if path == "" {
		root, err := checkout()
		if err != nil {
			return "", err
		}
		path = filepath.Join(root, "bin", "vault")
	}
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%w (%w)", ErrNoVault, err)
	}
	return path, nil
}

// checkout returns the root of the product's module. It looks upwards from the working directory,
// which is the package's folder in a test.
func checkout() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if strings.HasPrefix(contents(filepath.Join(dir, "go.mod")), moduleLine) {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("no go.mod of the project above the working directory")
		}
		dir = parent
	}
}

func contents(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return string(b)
}

func tail(text string, lines int) string {
	all := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// around returns the text from the mark on, at most the given number of lines.
func around(text, mark string, lines int) string {
	_, rest, _ := strings.Cut(text, mark)
	all := strings.Split(rest, "\n")
	return mark + strings.Join(all[:min(lines, len(all))], "\n")
}
