package githubtest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Client is a program of others that runs in Node. Tests send it lines and read its lines.
type Client struct {
	t      testing.TB
	stdin  io.Writer
	stdout *bufio.Scanner
	stderr *bytes.Buffer
}

// StartClient starts a script of tools/github-clients and ends it with the test. Without npm, the
// test is skipped with a message. In CI, it fails.
func StartClient(t testing.TB, script string) *Client {
	t.Helper()
	folder, err := clients()
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("SKIPPED, NOT TESTED: %v", err)
	}
	cmd := exec.Command("node", filepath.Join(folder, script)) //nolint:gosec // A script of this module.
	c := &Client{t: t, stderr: &bytes.Buffer{}}
	cmd.Stderr = c.stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.stdin, c.stdout = stdin, bufio.NewScanner(stdout)
	c.stdout.Buffer(nil, 1<<20)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v\n%s", script, err, c.stderr)
		}
	})
	return c
}

// Line returns the next line of the program.
func (c *Client) Line() string {
	c.t.Helper()
	if !c.stdout.Scan() {
		c.t.Fatalf("the program has ended: %v\n%s", c.stdout.Err(), c.stderr)
	}
	return c.stdout.Text()
}

// Send sends a line to the program and returns its next line.
func (c *Client) Send(line string) string {
	c.t.Helper()
	if _, err := io.WriteString(c.stdin, line+"\n"); err != nil {
		c.t.Fatal(err)
	}
	return c.Line()
}

// clients installs the programs and returns their folder.
var clients = sync.OnceValues(func() (string, error) {
	return runTool("npm.sh", "github-clients")
})

// runTool runs a script of tools and returns the path that it prints.
func runTool(name string, args ...string) (string, error) {
	module, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("find the module: %w", err)
	}
	script := filepath.Join(filepath.Dir(strings.TrimSpace(string(module))), "tools", name)
	var stderr bytes.Buffer
	cmd := exec.Command("bash", append([]string{script}, args...)...) //nolint:gosec // A script of this module.
	cmd.Stderr = &stderr
	path, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, strings.TrimSpace(stderr.String()))
	}
	if len(bytes.TrimSpace(path)) == 0 {
		return "", errors.New(name + " printed no path")
	}
	return strings.TrimSpace(string(path)), nil
}
