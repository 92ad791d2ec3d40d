// Package clients_test reads the engine with clients that are not part of this project: the
// programs and libraries by which workloads read KV secrets. Each of them reads a real Vault over
// TLS with the token of a workload.
package clients_test

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/stashbase/vault-stashbase/shared/vaulttest"
)

var server = vaulttest.Shared(vaulttest.Options{})

func TestMain(m *testing.M) { os.Exit(server.Run(m)) }

// patience is the time limit of one program.
const patience = 2 * time.Minute

// values are the secrets of the environment that the clients read.
var values = map[string]string{
	"API_KEY":  "a made-up value",
	"GREETING": "žluťoučký kůň",
	"LINES":    "one\ntwo\n",
	"LITERAL":  `${HOME} $(id) 'single' "double" \back`,
	"NUMBER":   "007",
}

// The paths of a project, which is a folder of environments, and of an environment that does not
// exist, below the mount.
const (
	project = "load/clients/api"
	missing = project + "/missing"
)

// workload is an environment with values, and a client with the rights to read and list it.
type workload struct {
	server *vaulttest.Server
	client *api.Client
	path   string // of the environment, below the mount
}

func newWorkload(t *testing.T) workload {
	t.Helper()
	s := server.Server(t)
	root := s.Client()
	write := func(path string, data map[string]any) {
		t.Helper()
		if _, err := root.Logical().Write(vaulttest.MountPath+"/"+path, data); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{"workspaces/clients", "projects/clients/api", "environments/clients/api/development"} {
		write(path, nil)
	}
	secrets := make(map[string]any)
	for name, value := range values {
		secrets[name] = value
	}
	write("import/clients/api/development", map[string]any{"secrets": secrets})
	rules := `
path "` + vaulttest.MountPath + `/load/clients/api/+" { capabilities = ["read", "list"] }
path "` + vaulttest.MountPath + `/load/clients/api" { capabilities = ["list"] }
path "` + vaulttest.MountPath + `/load/clients/api/" { capabilities = ["list"] }`
	return workload{server: s, client: s.ClientWithPolicy(t, rules), path: "load/clients/api/development"}
}

// env returns the environment of a client's program, with the address and the token.
func (w workload) env() []string {
	return append(w.server.ClientEnv(w.client.Token()), "PATH="+os.Getenv("PATH"), "HOME="+os.Getenv("HOME"),
		"NODE_EXTRA_CA_CERTS="+w.server.CACertFile())
}

// run runs a program and returns its output. It fails the test if the program fails.
func (w workload) run(t *testing.T, dir, program string, args ...string) string {
	t.Helper()
	out, err := w.try(t, dir, program, args...)
	if err != nil {
		t.Fatalf("%s: %v\n%s", program, err, out)
	}
	return out
}

func (w workload) try(t *testing.T, dir, program string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Env = dir, w.env()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	return stdout.String() + stderr.String(), err
}

// delivered compares what a client has read with the values that were written.
func delivered(t *testing.T, got map[string]string) {
	t.Helper()
	if !maps.Equal(got, values) {
		t.Errorf("got %q, want %q", got, values)
	}
}

// script runs a script of tools/ and returns its last line of output. A test is skipped if a tool
// that the script needs is not installed. With CI=true the test fails instead.
func script(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join("..", name), args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.ExitCode() == 3 && os.Getenv("CI") != "true":
		t.Skip(stderr.String())
	case err != nil:
		t.Fatalf("%s: %v\n%s", name, err, stderr.String())
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1]
}
