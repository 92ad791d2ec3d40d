package examples_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// restartTimeout is much longer than the agent needs to read again and to restart its program.
const restartTimeout = 60 * time.Second

// Vault's own agent runs a program with the response of load, and restarts it after a secret has
// changed.
func TestVaultAgentRunsAProgramWithTheEnvironment(t *testing.T) {
	for _, config := range []string{"named.hcl", "whole.hcl"} {
		t.Run(config, func(t *testing.T) {
			s := agentSession(t)
			agent := s.startAgent(t, config)
			agent.awaitStart(t, "LOG_LEVEL=debug GREETING=it's $5")
			s.run(t, "echo -n trace | vault write stashbase/secrets/acme/api/development/LOG_LEVEL value=-")
			agent.awaitStart(t, "LOG_LEVEL=trace GREETING=it's $5")
			agent.end(t)
		})
	}
}

// The start fails if a name is not valid for a variable. The error contains the name and no value.
func TestVaultAgentRefusesNamesThatAreNoVariables(t *testing.T) {
	s := agentSession(t)
	s.run(t, "echo -n planted-value | vault write stashbase/secrets/acme/api/development/A.B value=-")
	agent := s.startAgent(t, "whole.hcl")
	select {
	case <-agent.ended:
	case <-time.After(restartTimeout):
		t.Fatal("the agent is still running")
	}
	if log := agent.log(); !strings.Contains(log, "A.B is not a valid name of a variable") || strings.Contains(log, "planted-value") {
		t.Errorf("the log of the agent does not name the secret, or contains its value:\n%s", log)
	}
}

// agentSession returns a session that has run the blocks of the example's README and contains the
// example's files.
func agentSession(t *testing.T) *session {
	t.Helper()
	if _, err := os.Stat("/proc/self/cmdline"); err != nil {
		absent(t, "/proc, to find processes", err)
	}
	text, err := os.ReadFile(filepath.Join("vault-agent", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := parse(string(text))
	if err != nil || !doc.runs() {
		t.Fatalf("the README has nothing to run (%v)", err)
	}
	s := newSession(t, doc.options)
	for _, b := range doc.blocks {
		s.follow(t, b)
	}
	// The README changes the secret in its last block, while the agent runs. Change it back.
	s.run(t, "echo -n debug | vault write stashbase/secrets/acme/api/development/LOG_LEVEL value=-")
	if err := os.CopyFS(s.dir, os.DirFS("vault-agent")); err != nil {
		t.Fatal(err)
	}
	return s
}

type agent struct {
	session *session
	cmd     *exec.Cmd
	ended   chan struct{}
}

func (s *session) startAgent(t *testing.T, config string) *agent {
	t.Helper()
	a := &agent{session: s, ended: make(chan struct{})}
	out, err := os.Create(filepath.Join(s.dir, "agent.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = out.Close() }()
	a.cmd = exec.Command(needsVault(t), "agent", "-config="+config)
	a.cmd.Dir, a.cmd.Stdout, a.cmd.Stderr = s.dir, out, out
	for _, setting := range s.env {
		if !strings.HasPrefix(setting, "VAULT_TOKEN=") { // the agent logs in by itself
			a.cmd.Env = append(a.cmd.Env, setting)
		}
	}
	if err := a.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = a.cmd.Wait(); close(a.ended) }()
	t.Cleanup(func() {
		_ = a.cmd.Process.Signal(os.Interrupt)
		select {
		case <-a.ended:
		case <-time.After(restartTimeout):
			_ = a.cmd.Process.Kill()
			<-a.ended
		}
	})
	return a
}

// awaitStart waits until the newest start of the program had these settings.
func (a *agent) awaitStart(t *testing.T, settings string) {
	t.Helper()
	want, started := "started with "+settings, ""
	look, end := time.NewTicker(100*time.Millisecond), time.After(restartTimeout)
	defer look.Stop()
	for {
		started = a.session.read("started.log")
		lines := strings.Split(strings.TrimSpace(started), "\n")
		if lines[len(lines)-1] == want {
			return
		}
		select {
		case <-a.ended:
			t.Fatalf("the agent has ended:\n%s", a.log())
		case <-end:
			t.Fatalf("the program was not %s; its starts are:\n%s\n%s", want, started, a.log())
		case <-look.C:
		}
	}
}

// end interrupts the agent, and checks that its program ends with it.
func (a *agent) end(t *testing.T) {
	t.Helper()
	children := childrenOf(t, a.cmd.Process.Pid)
	if len(children) != 1 {
		t.Errorf("the agent runs %v instead of one program", children)
	}
	if err := a.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	select {
	case <-a.ended:
	case <-time.After(restartTimeout):
		t.Fatalf("the agent has not ended:\n%s", a.log())
	}
	for _, pid := range children {
		if stat, err := os.ReadFile(filepath.Join("/proc", pid, "stat")); err == nil && !bytes.Contains(stat, []byte(") Z ")) {
			t.Errorf("the program is still running, as process %s", pid)
		}
	}
}

func (a *agent) log() string { return a.session.read("agent.log") }

// read returns the text of a file of the session, or "" if the file does not exist.
func (s *session) read(name string) string {
	text, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil {
		return ""
	}
	return string(text)
}

func childrenOf(t *testing.T, pid int) []string {
	t.Helper()
	out, err := exec.Command("ps", "--ppid", strconv.Itoa(pid), "-o", "pid=").Output()
	if err != nil {
		absent(t, "the program ps", err)
	}
	return strings.Fields(string(out))
}
