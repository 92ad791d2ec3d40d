package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/stashbase/vault-stashbase/tools/bench/measure"
)

// The configurations that are planned. COUNT is the number of resources.
const (
	manySecrets = `terraform {
  required_providers {
    stashbase = { source = "registry.terraform.io/stashbase/stashbase" }
  }
}
resource "stashbase_secret" "it" {
  count            = COUNT
  workspace        = "terraform"
  project          = "project"
  environment      = "environment"
  name             = "SECRET_${count.index}"
  value_wo         = "value-${count.index}"
  value_wo_version = 1
}
`
	manyBuiltIn = `resource "terraform_data" "it" {
  count = COUNT
  input = "value-${count.index}"
}
`
)

// terraform measures the processor time of a plan without changes over many secrets, and compares
// it with a plan over as many resources that need no provider. The provider runs as a server of its
// own, as under a debugger, so that its processor time is known.
func (b *bench) terraform(ctx context.Context) (err error) {
	if _, err := b.environment(ctx, "terraform", "environment"); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "bench-terraform")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	tofu := cli{binary: os.Getenv("TOFU_BINARY"), env: append(os.Environ(), "VAULT_ADDR="+b.server.Address(),
		"VAULT_TOKEN="+b.server.RootToken(), "CHECKPOINT_DISABLE=1", "TF_CLI_CONFIG_FILE="+os.DevNull)}
	provider, err := serve(ctx, os.Getenv("STASHBASE_PROVIDER_BINARY"), tofu.env)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, provider.stop()) }()
	tofu.env = append(tofu.env, "TF_REATTACH_PROVIDERS="+provider.attach)
	secrets, builtIn := filepath.Join(dir, "secrets"), filepath.Join(dir, "built-in")
	for folder, config := range map[string]string{secrets: manySecrets, builtIn: manyBuiltIn} {
		if err := tofu.apply(ctx, folder, strings.ReplaceAll(config, "COUNT", fmt.Sprint(b.bulk))); err != nil {
			return err
		}
	}
	var alone, both, other measure.Series
	for turn := range max(2, b.bulks/2) + 1 { // the first turn is the warm-up
		before, err := provider.used()
		if err != nil {
			return err
		}
		ours, err := tofu.plan(ctx, secrets)
		if err != nil {
			return err
		}
		after, err := provider.used()
		if err != nil {
			return err
		}
		theirs, err := tofu.plan(ctx, builtIn)
		if err != nil {
			return err
		}
		if turn > 0 {
			alone = append(alone, []time.Duration{(after - before) / time.Duration(b.bulk)})
			both, other = append(both, []time.Duration{after - before + ours}), append(other, []time.Duration{theirs})
		}
	}
	what := fmt.Sprintf("plan of %d stashbase_secret", b.bulk)
	b.add(
		measure.Times(what+": processor time of the provider for each", "", alone, nil).Below(4),
		measure.Times(what+": processor time of provider and CLI", fmt.Sprintf("a plan of %d terraform_data", b.bulk), both, other),
	)
	return nil
}

// cli is a Terraform with its environment.
type cli struct {
	binary string
	env    []string
}

// run runs a command and returns the processor time of the CLI, without that of the provider.
func (c cli) run(ctx context.Context, folder string, args ...string) (time.Duration, error) {
	cmd := exec.CommandContext(ctx, c.binary, args...)
	cmd.Dir, cmd.Env = folder, c.env
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("%s %s: %w\n%s", filepath.Base(c.binary), args[0], err, out.String())
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
}

func (c cli) apply(ctx context.Context, folder, config string) error {
	if err := os.Mkdir(folder, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, "main.tf"), []byte(config), 0o600); err != nil {
		return err
	}
	for _, args := range [][]string{{"init", "-input=false"}, {"apply", "-auto-approve", "-input=false"}} {
		if _, err := c.run(ctx, folder, args...); err != nil {
			return err
		}
	}
	return nil
}

// plan fails unless the plan is empty: the cost of other plans depends on the changes.
func (c cli) plan(ctx context.Context, folder string) (time.Duration, error) {
	return c.run(ctx, folder, "plan", "-detailed-exitcode", "-input=false")
}

// provider is a provider's process that a CLI attaches to.
type provider struct {
	cmd    *exec.Cmd
	attach string // value of TF_REATTACH_PROVIDERS
}

func serve(ctx context.Context, binary string, env []string) (*provider, error) {
	cmd := exec.CommandContext(ctx, binary, "-debug")
	cmd.Env = env
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the provider ($STASHBASE_PROVIDER_BINARY): %w", err)
	}
	p := &provider{cmd: cmd}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if _, value, found := strings.Cut(lines.Text(), "TF_REATTACH_PROVIDERS='"); found {
			p.attach = strings.TrimSuffix(value, "'")
			return p, nil
		}
	}
	return nil, errors.Join(errors.New("the provider does not print TF_REATTACH_PROVIDERS"), lines.Err(), p.stop())
}

// used returns the processor time that the provider has used.
func (p *provider) used() (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	ticks, err := ticksIn(stat)
	return time.Duration(ticks) * time.Second / ticksPerSecond, err
}

// stop interrupts the provider and waits for its end.
func (p *provider) stop() error {
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		return err
	}
	var exit *exec.ExitError
	if err := p.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		return err
	}
	return nil
}
