package vaulttest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

// process is one run of Vault.
type process struct {
	cmd    *exec.Cmd
	exited chan struct{}
}

// spawn starts Vault and waits until its API responds, sealed or not.
func (s *Server) spawn() error {
	log, err := os.OpenFile(s.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command(s.binary, "server", "-config="+s.configFile())
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = s.environment(), s.dir, log, log
	cmd.SysProcAttr = dieWithParent()
	if s.process, err = start(cmd); err != nil {
		return fmt.Errorf("start Vault: %w", err)
	}
	return s.poll(startTimeout, "Vault's API to respond", func(ctx context.Context) error {
		_, err := s.Client().Sys().SealStatusWithContext(ctx)
		return err
	})
}

// start runs the command from an operating system thread that exists as long as the command. Linux
// sends the signal of dieWithParent when the thread that forked ends, and Go may end a thread that
// no goroutine is locked to.
func start(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, exited: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		_ = cmd.Wait() // The error is not needed: this package ended Vault, or Vault's log has the reason.
		close(p.exited)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

func (p *process) running() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// terminate sends SIGTERM to Vault, and SIGKILL if Vault does not end in time.
func (p *process) terminate() error {
	if p == nil || !p.running() {
		return nil
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop Vault: %w", err)
	}
	select {
	case <-p.exited:
		return nil
	case <-time.After(stopTimeout):
		p.kill()
		return fmt.Errorf("stop Vault: it did not end within %s of SIGTERM and was killed", stopTimeout)
	}
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.exited
}

// PluginProcesses returns the ids of the processes whose program is in this server's plugin folder.
// Their parent process is no criterion, because a killed Vault leaves them behind. The list is
// empty on systems without /proc.
func (s *Server) PluginProcesses() []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var found []int
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		exe, err := os.Readlink(filepath.Join("/proc", entry.Name(), "exe"))
		if err == nil && filepath.Dir(exe) == s.pluginDir() {
			found = append(found, pid)
		}
	}
	return found
}

func (s *Server) killPlugins() []int {
	pids := s.PluginProcesses()
	for _, pid := range pids {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	return pids
}

// poll calls ask until it returns nil, the time limit is reached, or Vault has ended.
func (s *Server) poll(limit time.Duration, what string, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ask(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-s.process.exited:
			return fmt.Errorf("waiting for %s: Vault has ended (last error: %w)", what, err)
		case <-ctx.Done():
			return fmt.Errorf("waited %s for %s: %w", limit, what, err)
		case <-tick.C:
		}
	}
}
