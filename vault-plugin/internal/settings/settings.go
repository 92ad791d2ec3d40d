// Package settings owns the engine's configuration: its defaults, the range of each field, and the
// effective settings of a workspace that overrides some of them.
package settings

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/caller"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// Range is the range of a field, both ends included, and its default.
type Range struct{ Min, Max, Default int }

// The ranges of the fields, in the order of the response of config.
var (
	MaxVersions         = Range{1, 100, 10}
	MaxValueBytes       = Range{1, 384 << 10, 64 << 10} // bytes; a sealed value of 384 KiB with its metadata fits Consul's limit of 512 KiB
	MaxSecrets          = Range{1, 100_000, 5_000}
	MaxEnvironmentBytes = Range{1, 24 << 20, 4 << 20} // bytes; Vault's responses have at most 32 MiB
	MaxProjects         = Range{1, 10_000, 1_000}
	MaxEnvironments     = Range{1, 10_000, 1_000}
	MaxSyncs            = Range{1, 10_000, 1_000}
	KeyringCacheSize    = Range{1, 100_000, 1_000}
	SecretCacheBytes    = Range{0, 4 << 30, 64 << 20}
	KeyringCacheTTL     = Range{1, 24 * 60 * 60, 5 * 60} // seconds
)

// MaxDeleteVersionAfter is the largest delete_version_after.
const MaxDeleteVersionAfter = 10 * 365 * 24 * time.Hour

// Check returns an error that names the field if v is outside the range.
func (r Range) Check(field string, v int) error {
	if v < r.Min || v > r.Max {
		return fault.New(fault.Invalid, "%s: must be between %d and %d", field, r.Min, r.Max)
	}
	return nil
}

// Check returns an error if a setting of a workspace is outside its range. Zero means not set.
func Check(s store.Settings) error { return check(s, true) }

func check(s store.Settings, zeroMeansUnset bool) error {
	fields := []struct {
		name string
		set  int
		in   Range
	}{
		{"max_versions", s.MaxVersions, MaxVersions},
		{"max_value_bytes", s.MaxValueBytes, MaxValueBytes},
		{"max_secrets", s.MaxSecrets, MaxSecrets},
		{"max_environment_bytes", s.MaxEnvironmentBytes, MaxEnvironmentBytes},
	}
	for _, f := range fields {
		if zeroMeansUnset && f.set == 0 {
			continue
		}
		if err := f.in.Check(f.name, f.set); err != nil {
			return err
		}
	}
	if after := s.DeleteVersionAfter; after < 0 || after > MaxDeleteVersionAfter {
		return fault.New(fault.Invalid, "delete_version_after: must be at most %d days; 0 means never", MaxDeleteVersionAfter/(24*time.Hour))
	}
	return nil
}

// CheckConfig returns an error if a field of the configuration is outside its range.
func CheckConfig(c store.Config) error {
	fields := []struct {
		name string
		set  int
		in   Range
	}{
		{"max_projects", c.MaxProjects, MaxProjects},
		{"max_environments", c.MaxEnvironments, MaxEnvironments},
		{"max_syncs", c.MaxSyncs, MaxSyncs},
		{"keyring_cache_size", c.KeyringCacheSize, KeyringCacheSize},
		{"keyring_cache_ttl", int(c.KeyringCacheTTL / time.Second), KeyringCacheTTL},
		{"secret_cache_bytes", c.SecretCacheBytes, SecretCacheBytes},
	}
	for _, f := range fields {
		if err := f.in.Check(f.name, f.set); err != nil {
			return err
		}
	}
	if err := checkEgress(c); err != nil {
		return err
	}
	return check(c.Settings, false)
}

// MaxEgressRules is the largest number of rules in egress_allow.
const MaxEgressRules = 256

func checkEgress(c store.Config) error {
	if len(c.EgressAllow) > MaxEgressRules {
		return fault.New(fault.Limit, "egress_allow: has %d rules; the maximum is %d", len(c.EgressAllow), MaxEgressRules)
	}
	for i, text := range c.EgressAllow {
		if _, err := outbound.ParseRule(text); err != nil {
			return fault.New(fault.Invalid, "egress_allow: rule %d: %s", i+1, err)
		}
	}
	if c.ProxyURL == "" {
		return nil
	}
	if _, err := outbound.ParseProxy(c.ProxyURL); err != nil {
		return fault.New(fault.Invalid, "proxy_url: %s", err)
	}
	return nil
}

// Policy returns the egress policy of a configuration.
func Policy(c store.Config) outbound.Policy {
	policy := outbound.Policy{Proxy: c.ProxyURL, Paused: c.Paused}
	for _, text := range c.EgressAllow {
		if rule, err := outbound.ParseRule(text); err == nil { // an unknown rule, stored by a newer version, allows nothing
			policy.Allow = append(policy.Allow, rule)
		}
	}
	return policy
}

// Default returns the configuration of a mount that was never configured.
func Default() store.Config {
	return store.Config{
		Settings: store.Settings{
			MaxVersions:         MaxVersions.Default,
			MaxValueBytes:       MaxValueBytes.Default,
			MaxSecrets:          MaxSecrets.Default,
			MaxEnvironmentBytes: MaxEnvironmentBytes.Default,
		},
		MaxProjects:      MaxProjects.Default,
		MaxEnvironments:  MaxEnvironments.Default,
		MaxSyncs:         MaxSyncs.Default,
		KeyringCacheSize: KeyringCacheSize.Default,
		KeyringCacheTTL:  time.Duration(KeyringCacheTTL.Default) * time.Second,
		SecretCacheBytes: SecretCacheBytes.Default,
	}
}

// Service holds the configuration in force.
type Service struct {
	store   *store.Store
	current atomic.Pointer[store.Config]
	write   sync.Mutex // serialises changes, because each change starts from the current configuration
	unsure  bool       // the last write failed, so storage may hold another configuration; guarded by write
	watch   []func(store.Config)
}

// Load reads the stored configuration.
func Load(ctx context.Context, s *store.Store) (*Service, error) {
	svc := &Service{store: s}
	return svc, svc.reload(ctx)
}

func (s *Service) reload(ctx context.Context) error {
	stored, err := s.store.Config(ctx)
	if errors.Is(err, store.ErrDamaged) {
		return fault.Damaged("the configuration's entry core/config is damaged; restore it from a snapshot of Vault's storage")
	}
	if err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	if stored == nil {
		d := Default()
		stored = &d
	}
	if stored.MaxSyncs == 0 { // it was stored before there were syncs
		stored.MaxSyncs = MaxSyncs.Default
	}
	s.enforce(*stored)
	return nil
}

func (s *Service) enforce(c store.Config) {
	s.current.Store(&c)
	for _, f := range s.watch {
		f(c)
	}
}

// Recheck reads the configuration again if the last write failed.
func (s *Service) Recheck(ctx context.Context) error {
	s.write.Lock()
	defer s.write.Unlock()
	return s.recheck(ctx)
}

func (s *Service) recheck(ctx context.Context) error {
	if !s.unsure {
		return nil
	}
	err := s.reload(ctx)
	s.unsure = err != nil
	return err
}

// Watch registers f, calls f with the current configuration, and calls f again after each change.
// It must be called before the service is shared.
func (s *Service) Watch(f func(store.Config)) {
	s.watch = append(s.watch, f)
	f(s.Config())
}

// Config returns the current configuration.
func (s *Service) Config() store.Config { return *s.current.Load() }

// Change applies change to a copy of the current configuration, checks it, and stores it.
func (s *Service) Change(ctx context.Context, _ caller.Request, change func(*store.Config)) (store.Config, error) {
	s.write.Lock()
	defer s.write.Unlock()
	if err := s.recheck(ctx); err != nil {
		return store.Config{}, err
	}
	next := s.Config()
	change(&next)
	if err := CheckConfig(next); err != nil {
		return store.Config{}, err
	}
	if err := s.store.PutConfig(ctx, &next); err != nil {
		s.unsure = true
		return store.Config{}, err
	}
	s.enforce(next)
	return next, nil
}

// Effective returns the effective settings of a workspace: its own settings where they are set, the
// engine's otherwise. cas_required is true if either sets it.
func (s *Service) Effective(own store.Settings) store.Settings {
	base := s.current.Load().Settings
	return store.Settings{
		MaxVersions:         pick(own.MaxVersions, base.MaxVersions),
		CASRequired:         own.CASRequired || base.CASRequired,
		MaxValueBytes:       pick(own.MaxValueBytes, base.MaxValueBytes),
		MaxSecrets:          pick(own.MaxSecrets, base.MaxSecrets),
		MaxEnvironmentBytes: pick(own.MaxEnvironmentBytes, base.MaxEnvironmentBytes),
		DeleteVersionAfter:  pick(own.DeleteVersionAfter, base.DeleteVersionAfter),
	}
}

// pick returns the workspace's own setting if it is set, the engine's otherwise.
func pick[T int | time.Duration](own, base T) T {
	if own != 0 {
		return own
	}
	return base
}
