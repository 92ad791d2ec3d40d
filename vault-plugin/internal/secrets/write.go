package secrets

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"

	"github.com/stashbase/vault-stashbase/shared/keyring"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/workspaces"
)

// Limits of what is written beside a value.
const (
	MaxComment = 512 // bytes
	MaxTags    = 16
	MaxTag     = 64 // bytes
)

// Origin is who asks for a write, and under which request id.
type Origin struct {
	By        store.Actor
	RequestID string
}

// Input is a new version of a secret.
type Input struct {
	Value    []byte
	Encoding store.Encoding
	Comment  string
	Tags     *[]string // nil keeps those the secret has
	CAS      *uint64   // 0: the secret must not exist; else the number the newest version must have
	Origin
}

// Written is what a write has made.
type Written struct {
	Version store.Version
	Tags    []string
	Created bool // the secret is new
}

// Write adds a version. It costs at most one storage read and two writes: the outgoing value is put aside, then the head is
// stored, which is the commit.
func (s *Service) Write(ctx context.Context, call workspaces.Call, w, p, e, name string, in Input) (Written, error) {
	a, leave, err := s.write(call, w, p, e, false)
	if err != nil {
		return Written{}, err
	}
	defer leave()
	if err := checkInput(a.Place, in); err != nil {
		return Written{}, err
	}
	defer a.env.locks.Lock(name)()
	head, err := s.current(ctx, a, name)
	if err != nil {
		return Written{}, err
	}
	if head != nil && in.RequestID != "" && head.Newest().RequestID == in.RequestID {
		return written(head), nil // a replay
	}
	if err := checkCAS(a.Place, name, head, in.CAS); err != nil {
		return Written{}, err
	}
	release, err := s.admit(ctx, a, grown(name, head, len(in.Value)))
	if err != nil {
		return Written{}, err
	}
	defer release()
	change := s.change(a.Place, name, head, in)
	if change.Sealed, err = s.seal(ctx, a.Place, change, in.Value); err != nil {
		return Written{}, err
	}
	next, err := s.commit(ctx, a, name, head, change)
	if err != nil {
		return Written{}, err
	}
	return written(next), nil
}

func written(head *store.Head) Written {
	v := head.Newest()
	return Written{Version: v, Tags: head.Tags, Created: v.Number == 1}
}

// change describes a new version of a secret, without its value.
func (s *Service) change(place workspaces.Place, name string, head *store.Head, in Input) store.Change {
	c := store.Change{
		Name: name,
		Version: store.Version{
			Number: nextNumber(head), Created: s.now().UTC(), By: in.By, RequestID: in.RequestID,
			Comment: in.Comment, Encoding: in.Encoding, Size: len(in.Value),
		},
		Keep: place.Settings.MaxVersions,
	}
	switch {
	case in.Tags != nil:
		c.Tags = *in.Tags
	case head != nil:
		c.Tags = head.Tags
	}
	return c
}

func (s *Service) seal(ctx context.Context, place workspaces.Place, c store.Change, value []byte) (sealed []byte, err error) {
	err = s.with(ctx, place, func(seal *keyring.Context[keyring.SecretLocation]) error {
		sealed, err = sealWith(seal, c.Name, c.Version.Number, value)
		return err
	})
	return sealed, err
}

func sealWith(seal *keyring.Context[keyring.SecretLocation], name string, version uint64, value []byte) ([]byte, error) {
	ciphertext, err := seal.Seal(keyring.SecretLocation{Name: name, Version: version}, value)
	if err != nil {
		return nil, err
	}
	return ciphertext.Bytes(), nil
}

// current answers the head to write upon. A change that a redo log still holds for this secret is applied first, so that
// versions reach storage in their order. The caller holds the name's lock.
func (s *Service) current(ctx context.Context, a at, name string) (*store.Head, error) {
	if change, waits := a.env.waiting(name); waits {
		if err := s.applyChange(ctx, a.EnvironmentID, a.env, change); err != nil {
			return nil, err
		}
	}
	return s.head(ctx, a, name)
}

// commit stores a change to one secret and makes it visible. The caller holds the name's lock.
func (s *Service) commit(ctx context.Context, a at, name string, head *store.Head, c store.Change) (*store.Head, error) {
	key := cacheKey{a.EnvironmentID, name}
	next, err := s.storeChange(ctx, key, head, c)
	if err != nil {
		a.env.settle(&s.cache, key, nil)
		return nil, fmt.Errorf("store a secret: %w", err)
	}
	a.env.settle(&s.cache, key, next)
	return next, nil
}

// storeChange puts the outgoing value aside where it is kept, stores the head, and removes the values that are kept no longer.
// It may be repeated after a crash at any point.
func (s *Service) storeChange(ctx context.Context, key cacheKey, head *store.Head, c store.Change) (*store.Head, error) {
	next := apply(head, c)
	if head != nil && !c.IsDelete {
		outgoing := head.Newest().Number
		if _, kept := next.Version(outgoing); kept {
			if err := s.store.PutOldValue(ctx, key.env, key.name, outgoing, &store.OldValue{Sealed: head.Sealed}); err != nil {
				return nil, err
			}
		}
	}
	if err := s.store.PutHead(ctx, key.env, key.name, next); err != nil {
		return nil, err
	}
	return s.prune(ctx, key, next), nil
}

// prune removes the values of versions that are kept no longer. What could not be removed is tried again by the next write: the
// stored Floor tells from which number on something may be left.
func (s *Service) prune(ctx context.Context, key cacheKey, head *store.Head) *store.Head {
	oldest := head.Versions[0].Number
	if head.Floor >= oldest {
		return head
	}
	work, workCtx := errgroup.WithContext(ctx)
	work.SetLimit(parallelism)
	for n := head.Floor; n < oldest; n++ {
		work.Go(func() error { return s.store.DeleteOldValue(workCtx, key.env, key.name, n) })
	}
	if work.Wait() != nil {
		return head
	}
	pruned := *head
	pruned.Floor = oldest
	return &pruned
}

// admit reserves room in the environment, measuring it first where that is needed to tell.
func (s *Service) admit(ctx context.Context, a at, g growth) (release func(), err error) {
	release, known, err := a.env.admit(a.Path(), g, a.Settings)
	if err != nil || known {
		return release, err
	}
	if _, err := s.snapshot(ctx, a); err != nil {
		return nil, err
	}
	release, known, err = a.env.admit(a.Path(), g, a.Settings)
	if err == nil && !known {
		err = fault.Damaged("the size of environment %s is unknown, because an entry in it is damaged; see %s", a.Path(), "info")
	}
	return release, err
}

func grown(name string, head *store.Head, value int) growth {
	if head == nil {
		return growth{secrets: 1, bytes: len(name) + value}
	}
	return growth{bytes: len(name) + value - size(name, head)}
}

// Deleted is what a soft delete has marked.
type Deleted struct{ Version store.Version }

// Delete marks the newest version as deleted; its value stays until it is pushed out. A secret deleted already stays as it is.
func (s *Service) Delete(ctx context.Context, call workspaces.Call, w, p, e, name string, by Origin) (Deleted, error) {
	a, leave, err := s.write(call, w, p, e, false)
	if err != nil {
		return Deleted{}, err
	}
	defer leave()
	defer a.env.locks.Lock(name)()
	head, err := s.current(ctx, a, name)
	if err != nil {
		return Deleted{}, err
	}
	if head == nil {
		return Deleted{}, errNoSecret(a.Place, name)
	}
	if newest := head.Newest(); !newest.Deleted.IsZero() {
		return Deleted{newest}, nil
	}
	next, err := s.commit(ctx, a, name, head, s.deletion(name, head, by))
	if err != nil {
		return Deleted{}, err
	}
	return Deleted{next.Newest()}, nil
}

func (s *Service) deletion(name string, head *store.Head, by Origin) store.Change {
	v := head.Newest()
	v.Deleted, v.DeletedBy, v.DeletedID = s.now().UTC(), by.By, by.RequestID
	return store.Change{Name: name, Version: v, IsDelete: true}
}

func errNoSecret(place workspaces.Place, name string) error {
	return fault.Missing("secret %s of %s does not exist", name, place.Path())
}

func checkInput(place workspaces.Place, in Input) error {
	if err := checkValue("value", place, in); err != nil {
		return err
	}
	if len(in.Comment) > MaxComment {
		return fault.New(fault.Limit, "comment: has %d bytes; at most %d are kept", len(in.Comment), MaxComment)
	}
	if in.Tags != nil {
		if len(*in.Tags) > MaxTags || slices.ContainsFunc(*in.Tags, func(t string) bool { return t == "" || len(t) > MaxTag }) {
			return fault.New(fault.Limit, "tags: at most %d are kept, each of 1 to %d bytes", MaxTags, MaxTag)
		}
	}
	if place.Settings.CASRequired && in.CAS == nil {
		return fault.New(fault.Invalid, "cas: is required in workspace %s; give 0 for a secret that does not exist, else the number of its newest version", place.Workspace)
	}
	return nil
}

// checkValue refuses a value that is too large or, being text, could not be answered as it came. field is where it stood.
func checkValue(field string, place workspaces.Place, in Input) error {
	if limit := place.Settings.MaxValueBytes; len(in.Value) > limit {
		return fault.New(fault.Limit, "%s: has %d bytes; max_value_bytes of workspace %s is %d", field, len(in.Value), place.Workspace, limit)
	}
	if in.Encoding == store.Text && !utf8.Valid(in.Value) {
		return fault.New(fault.Invalid, "%s: is not valid UTF-8; give bytes in base64 with encoding=base64", field)
	}
	return nil
}

func checkCAS(place workspaces.Place, name string, head *store.Head, cas *uint64) error {
	if cas == nil {
		return nil
	}
	newest := nextNumber(head) - 1
	if *cas == newest {
		return nil
	}
	what := fmt.Sprintf("its newest version is %d", newest)
	if newest == 0 {
		what = "it does not exist, which is cas=0"
	}
	return fault.New(fault.Conflict, "cas: secret %s of %s is not at version %d: %s; read it again before writing", name, place.Path(), *cas, what)
}

// EncodingOf answers the encoding with a name ("" and "text" are text).
func EncodingOf(name string) (store.Encoding, error) {
	switch strings.ToLower(name) {
	case "", "text":
		return store.Text, nil
	case "base64":
		return store.Base64, nil
	}
	return 0, fault.New(fault.Invalid, "encoding: must be text or base64")
}

var errStopped = errors.New("the environment is gone")
