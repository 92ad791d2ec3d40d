package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"

	"github.com/hashicorp/vault/api"

	"github.com/stashbase/vault-stashbase/shared/vaulttest"
)

// memory returns the resident set size of the plugin, in MiB.
func (s *stand) memory() (float64, error) { return s.status("VmRSS:") }

// peak returns the largest resident set size that the plugin's process has had, in MiB. Vault
// starts a new process at each unseal.
func (s *stand) peak() (float64, error) { return s.status("VmHWM:") }

// status returns a field of /proc/<pid>/status of the plugin's process, converted from KiB to MiB.
func (s *stand) status(field string) (float64, error) {
	status, err := s.process("status")
	if err != nil {
		return 0, err
	}
	_, rest, _ := bytes.Cut(status, []byte(field))
	fields := bytes.Fields(rest)
	if len(fields) == 0 {
		return 0, errors.New("the system does not report the memory of a process")
	}
	kib, err := strconv.ParseFloat(string(fields[0]), 64)
	return kib / 1024, err
}

// deliverAll reads each environment once.
func (s *stand) deliverAll(ctx context.Context, environments []string) error {
	for _, environment := range environments {
		if _, err := read(ctx, s.client, ours+"/load/"+environment); err != nil {
			return err
		}
	}
	return nil
}

// squeezed returns the peak from an unseal until all environments are delivered. The plugin uses
// one processor at a time, and each processor also runs a busy process.
func (s *stand) squeezed(ctx context.Context, environments []string) (_ float64, err error) {
	if err := s.pluginEnvironment("GOMAXPROCS=1"); err != nil {
		return 0, err
	}
	end, err := neighbours()
	if err != nil {
		return 0, err
	}
	defer end()
	if _, _, err := s.reopen(ctx, environments[0]); err != nil {
		return 0, err
	}
	environ, err := s.process("environ")
	if err != nil {
		return 0, err
	}
	if !bytes.Contains(environ, []byte("GOMAXPROCS=1")) {
		return 0, errors.New("the plugin's process did not get GOMAXPROCS=1")
	}
	if err := s.deliverAll(ctx, environments); err != nil {
		return 0, err
	}
	return s.peak()
}

// pluginEnvironment registers the plugin again with a variable in its environment. Processes that
// Vault starts from then on have the variable.
func (s *stand) pluginEnvironment(variable string) error {
	sys := s.client.Sys()
	mount, err := sys.GetMount(ours)
	if err != nil {
		return err
	}
	known, err := sys.GetPlugin(&api.GetPluginInput{
		Name: vaulttest.PluginName, Type: api.PluginTypeSecrets, Version: mount.PluginVersion,
	})
	if err != nil {
		return err
	}
	_, err = sys.RegisterPluginDetailed(&api.RegisterPluginInput{
		Name: vaulttest.PluginName, Type: api.PluginTypeSecrets, Command: known.Command, SHA256: known.SHA256,
		Version: mount.PluginVersion, Env: []string{variable},
	})
	return err
}

// busyFor is the variable that makes this program a busy neighbour.
const busyFor = "BENCH_BUSY_FOR"

// neighbours starts a busy process for each processor. end stops them.
func neighbours() (end func(), err error) {
	var all []*exec.Cmd
	end = func() {
		for _, cmd := range all {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	for range runtime.NumCPU() {
		cmd := exec.Command(self)
		cmd.Env = []string{busyFor + "=" + strconv.Itoa(os.Getpid())}
		if err := cmd.Start(); err != nil {
			end()
			return nil, fmt.Errorf("start a busy process: %w", err)
		}
		all = append(all, cmd)
	}
	return end, nil
}

// keepBusy uses one processor until the process that started this one has ended.
func keepBusy(parent string) {
	pid, err := strconv.Atoi(parent)
	if err != nil {
		return
	}
	for n := 0; ; n++ {
		if n%(1<<28) == 0 && syscall.Kill(pid, 0) != nil {
			return
		}
	}
}
