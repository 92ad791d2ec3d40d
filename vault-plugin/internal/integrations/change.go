package integrations

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/activity"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/caller"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/credseal"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/recordset"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/undone"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/workspaces"
)

// Limits of an integration.
const (
	MaxPerWorkspace = 1000
	// MaxSecretBytes bounds one secret field. The storage record of a credential holds two
	// generations of all secret fields.
	MaxSecretBytes  = 64 << 10
	MaxSettingBytes = 64 << 10 // of one setting
)

// Change is a change of an integration by a write. A nil field leaves its part unchanged.
type Change struct {
	Description         *string
	Auth                *string
	Settings            map[string]any    // by field; nil resets a setting
	Secrets             map[string][]byte // by field; nil removes a secret; the caller clears them
	AllowedEnvironments *[]string
	AllowedTargets      *[]string
}

// draft is the result of a write that has not been stored.
type draft struct {
	before *entry // nil if the write creates the integration
	next   *entry // without its credential
	begun  *undone.Change
}

// Put creates or changes an integration. If mustExist is true, Put does not create one. Settings
// and credential change together or not at all.
func (s *Service) Put(ctx context.Context, call caller.Request, at Path, mustExist bool, c Change) (Described, error) {
	ws, unlock, err := s.Tree.Change(ctx, call, at.Workspace)
	if err != nil {
		return Described{}, err
	}
	defer unlock()
	m, before, err := s.find(call, at)
	switch {
	case err != nil:
		return Described{}, err
	case before == nil && mustExist:
		return Described{}, at.missing()
	case before == nil && s.Count(ws) >= MaxPerWorkspace:
		return Described{}, fault.New(fault.Limit, "workspace %s has %d integrations, which is the maximum; delete an integration first", at.Workspace, MaxPerWorkspace)
	case before != nil && call.Replays(before.record.Stamp.RequestID):
		return s.describe(at.Workspace, before), nil
	case before != nil && call.Creates:
		return Described{}, caller.Exists("integration " + at.InWorkspace() + " of " + at.Workspace)
	}
	d, err := s.draft(call, m, before, c)
	if err != nil {
		return Described{}, err
	}
	was := s.condition(before)
	after, err := s.commit(ctx, d, c.Secrets)
	if err != nil {
		return Described{}, err
	}
	s.record(after, was, s.condition(after))
	if before != nil && !sameClient(before, after) {
		s.dropClient(after.ID)
	}
	s.notify(after)
	return s.describe(at.Workspace, after), nil
}

// draft checks a change except for its secrets, and returns the draft that results.
func (s *Service) draft(call caller.Request, m recordset.Member, before *entry, c Change) (draft, error) {
	p := s.Providers.Provider(m.At.Group)
	if p == nil {
		return draft{}, s.unknownProvider(m.At.Group)
	}
	declaration, now := p.Declare(), s.now()
	record := store.Integration{ID: store.NewID(), Auth: declaration.Auth[0].Name, Stamp: store.Stamp{Created: now}}
	var current map[string]any
	if before != nil {
		record, current = *before.record, before.settings
	}
	record.Stamp.Updated, record.Stamp.RequestID = now, call.ID
	assign(&record.Description, c.Description)
	assign(&record.Auth, c.Auth)
	assign(&record.AllowedEnvironments, c.AllowedEnvironments)
	assign(&record.AllowedTargets, c.AllowedTargets)
	if err := workspaces.CheckDescription(record.Description); err != nil {
		return draft{}, err
	}
	if err := checkGrants(record.AllowedEnvironments, record.AllowedTargets); err != nil {
		return draft{}, err
	}
	if _, err := authOf(declaration, record.Auth); err != nil {
		return draft{}, err
	}
	if err := checkSizes(c); err != nil {
		return draft{}, err
	}
	values, err := complete(declaration, record.Auth, current, c.Settings)
	if err != nil {
		return draft{}, err
	}
	endpoint, err := provider.EndpointDigest(declaration, record.Auth, values)
	if err != nil {
		return draft{}, refused(err)
	}
	if err := s.checkPlainHTTP(m.Workspace, declaration.SettingsOf(record.Auth), current, values); err != nil {
		return draft{}, err
	}
	record.Settings = SettingsOf(values)
	m.ID = record.ID
	next := &entry{Member: m, record: &record, declaration: declaration, settings: values, endpoint: endpoint}
	return draft{before: before, next: next}, nil
}

// checkPlainHTTP rejects a new address that begins with http:// and that no rule of the mount's
// egress policy allows, because no request could ever be sent there. An address that is already
// stored is kept, whatever the policy has become.
func (s *Service) checkPlainHTTP(ws store.ID, fields []provider.Field, current, next provider.Values) error {
	condition, _ := s.Tree.Condition(ws)
	for _, f := range fields {
		if f.Endpoint != provider.EndpointURL || current.Text(f.Name) == next.Text(f.Name) {
			continue
		}
		if err := s.Gateway.CheckPlainHTTP(condition.Name, next.Text(f.Name)); err != nil {
			return fault.New(fault.Invalid, "%s: %s", f.Name, err)
		}
	}
	return nil
}

func assign[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

func checkSizes(c Change) error {
	for field, v := range c.Settings {
		text, _ := v.(string)
		words, _ := v.([]string)
		if size := len(text) + len(strings.Join(words, "")); size > MaxSettingBytes {
			return fault.New(fault.Limit, "%s: has %d bytes; at most %d are allowed", field, size, MaxSettingBytes)
		}
	}
	for field, secret := range c.Secrets {
		if len(secret) > MaxSecretBytes {
			return fault.New(fault.Limit, "%s: has %d bytes; at most %d are allowed", field, len(secret), MaxSecretBytes)
		}
	}
	return nil
}

// nextFields returns the secret fields of the next generation: the given fields and, if the
// endpoint is unchanged, the current fields. It returns no fields if the current generation stays
// in force. A change of the endpoint needs the whole credential again. Otherwise, whoever may
// change settings could have the credential sent to another endpoint. The caller clears the fields,
// also after an error.
func (s *Service) nextFields(ctx context.Context, d draft, given map[string][]byte) (map[string][]byte, error) {
	if d.before != nil && len(given) == 0 {
		return nil, nil
	}
	next := make(map[string][]byte)
	if d.before != nil && d.before.unreadable() == "" && d.before.endpoint == d.next.endpoint {
		g, _ := d.before.sealed.Find(d.before.record.Credential.Generation)
		opened, err := s.sealing.Open(ctx, d.next.owner(), d.next.endpoint, g)
		// If the current generation does not open, the write must supply all required fields.
		if err != nil && !errors.Is(err, credseal.ErrUnopened) {
			return nil, err
		}
		defer opened.Wipe()
		for field := range g.Fields {
			if value := opened.Bytes(field); value != nil {
				next[field] = slices.Clone(value)
			}
		}
	}
	secrets := d.next.declaration.SecretsOf(d.next.record.Auth)
	for field, value := range given {
		if !slices.ContainsFunc(secrets, func(f provider.Field) bool { return f.Name == field }) {
			return next, errOtherAuth(field, d.next.record.Auth)
		}
		clear(next[field])
		if delete(next, field); len(value) > 0 {
			next[field] = slices.Clone(value)
		}
	}
	return next, checkSecrets(secrets, next)
}

// checkSecrets rejects a credential that lacks a required field or has a field that its provider
// rejects.
func checkSecrets(secrets []provider.Field, next map[string][]byte) error {
	for _, f := range secrets {
		value, set := next[f.Name]
		switch {
		case !set && (f.Required || len(next) == 0):
			return fault.New(fault.Invalid, "%s: is required; a change of auth, or of a setting that decides where the credential is sent, needs it in the same write: %s", f.Name, f.Help)
		case !set:
			continue
		}
		if err := f.CheckSecret(string(value)); err != nil {
			return fault.New(fault.Invalid, "%s: %s", f.Name, err)
		}
	}
	return nil
}

// commit stores a change and returns the new entry. It first stores the new generation beside the
// generation in force. Nothing opens the new generation until the record names it, so the Put of
// the record commits the change. Last, commit removes the generations that the record no longer
// names.
func (s *Service) commit(ctx context.Context, d draft, given map[string][]byte) (*entry, error) {
	fields, err := s.nextFields(ctx, d, given)
	defer provider.NewCredential(fields).Wipe()
	if err != nil {
		return nil, err
	}
	sealed := (*store.Credential)(nil)
	if d.before != nil {
		sealed = d.before.sealed
	} else if d.begun, err = s.records.Create(ctx, d.next); err != nil {
		return nil, err
	}
	if len(fields) > 0 {
		if sealed, err = s.storeGeneration(ctx, d, fields, sealed); err != nil {
			return nil, err
		}
	}
	next := s.newEntry(d.next.Member, d.next.record, sealed)
	if err := s.records.Put(ctx, next, d.begun, func(ctx context.Context) error { return s.putRecord(ctx, next, next.record) }); err != nil {
		if errors.Is(err, store.ErrTooLarge) {
			s.records.Recheck(ctx, next, nil) // removes the new generation
		}
		return nil, fmt.Errorf("store integration %s: %w", next.At, err)
	}
	if len(fields) > 0 { // the usage is that of the previous credential
		s.mu.Lock()
		delete(s.usage, next.ID)
		s.mu.Unlock()
	}
	return s.tidy(ctx, next), nil
}

// putRecord stores the record of an integration.
func (s *Service) putRecord(ctx context.Context, e *entry, record *store.Integration) error {
	return s.Store.PutIntegration(ctx, e.At.Parent, e.At.Group, e.At.Name, record)
}

// storeGeneration seals the next generation and stores it beside the generation in force. It
// updates the draft's record. sealed is the stored credential, or nil if none is stored.
func (s *Service) storeGeneration(ctx context.Context, d draft, fields map[string][]byte, sealed *store.Credential) (*store.Credential, error) {
	record := d.next.record
	next := &store.Credential{}
	number := record.Credential.Generation
	if kept := s.allowed(record, sealed); kept != nil {
		next.Generations = append(next.Generations, kept.Generations...)
	}
	if sealed != nil { // a generation whose change failed has used up its number
		number = max(number, sealed.Generations[len(sealed.Generations)-1].Number)
	}
	g, err := s.sealing.Seal(ctx, d.next.owner(), d.next.endpoint, number+1, fields)
	if err != nil {
		d.begun.Settle()
		return nil, err
	}
	next.Generations = append(next.Generations, g)
	record.Credential = store.CredentialState{Generation: g.Number, Fingerprint: fingerprint(), Supplied: s.now()}
	record.Used = store.Usage{At: record.Used.At}
	if err := s.Store.PutCredential(ctx, record.ID, next); err != nil {
		s.records.Recheck(ctx, d.next, d.begun)
		return nil, fmt.Errorf("store the credential of integration %s: %w", d.next.At, err)
	}
	return next, nil
}

// fingerprint returns a random identifier of a generation. It is no digest of the credential, not
// even a keyed one: whoever can supply credentials, or knows the key, could test guesses against a
// digest.
func fingerprint() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// Delete removes an integration and its credential, and returns the removed integration. It fails
// if syncs use the integration; the error lists them.
func (s *Service) Delete(ctx context.Context, call caller.Request, at Path) (Integration, error) {
	_, unlock, err := s.Tree.Change(ctx, call, at.Workspace)
	if err != nil {
		return Integration{}, err
	}
	defer unlock()
	e, err := s.require(call, at)
	if err != nil {
		return Integration{}, err
	}
	if syncs := s.syncsOf(e.ID); len(syncs) > 0 {
		return Integration{}, fault.New(fault.Conflict, "integration %s of %s cannot be deleted because syncs use it; delete these syncs first: %s", at.InWorkspace(), at.Workspace, recordset.Some(syncs))
	}
	was := s.condition(e)
	begun, err := s.records.Remove(ctx, e, func(ctx context.Context) error {
		return s.Store.DeleteIntegration(ctx, e.At.Parent, e.At.Group, e.At.Name)
	})
	removed := e.integration(at.Workspace)
	switch {
	case err != nil:
		return Integration{}, fmt.Errorf("delete integration %s: %w", e.At, err)
	case begun == nil: // nothing is left to remove, or the credential belongs to another integration
	case s.Store.DeleteCredential(ctx, removed.ID) != nil:
		begun.Settle()
	default:
		begun.Done(ctx)
	}
	s.record(e, was, activity.Condition{State: activity.Deleted})
	s.notify(e)
	return removed, nil
}
