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

// restartTimeout is far above what the agent takes to ask again and to restart its program.
const restartTimeout = 60 * time.Second

// Vault's own agent runs a program with what load delivers, and starts it anew when a secret has changed.
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

// A name that is no variable ends the start, and the error has the name and no value.
func TestVaultAgentRefusesNamesThatAreNoVariables(t *testing.T) {
	s := agentSession(t)
	s.run(t, "echo -n planted-value | vault write stashbase/secrets/acme/api/development/A.B value=-")
	agent := s.startAgent(t, "whole.hcl")
	select {
	case <-agent.ended:
	case <-time.After(restartTimeout):
		t.Fatal("the agent runs on")
	}
	if log := agent.log(); !strings.Contains(log, "A.B is not a valid name of a variable") || strings.Contains(log, "planted-value") {
		t.Errorf("the agent has said:\n%s", log)
	}
}

// agentSession has followed the example's README, and holds the example's files.
func agentSession(t *testing.T) *session {
	t.Helper()
	if _, err := os.Stat("/proc/self/cmdline"); err != nil {
		t.Skip("without /proc it cannot be seen what runs")
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
	// Its last block is for beside the agent.
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
		if !strings.HasPrefix(setting, "VAULT_TOKEN=") { // it logs in by itself
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

// awaitStart waits until the program was last started with these settings.
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
			t.Fatalf("the program is not %s but\n%s\n%s", want, started, a.log())
		case <-look.C:
		}
	}
}

// end asks the agent to end, and sees that its program does not outlive it.
func (a *agent) end(t *testing.T) {
	t.Helper()
	children := childrenOf(t, a.cmd.Process.Pid)
	if len(children) != 1 {
		t.Errorf("the agent is to run one program; it runs %v", children)
	}
	if err := a.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	select {
	case <-a.ended:
	case <-time.After(restartTimeout):
		t.Fatalf("the agent does not end:\n%s", a.log())
	}
	for _, pid := range children {
		if stat, err := os.ReadFile(filepath.Join("/proc", pid, "stat")); err == nil && !bytes.Contains(stat, []byte(") Z ")) {
			t.Errorf("the program runs on as %s", pid)
		}
	}
}

func (a *agent) log() string { return a.session.read("agent.log") }

// read answers a file of the session, "" while there is none.
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
		t.Skipf("ps: %v", err)
	}
	return strings.Fields(string(out))
}
