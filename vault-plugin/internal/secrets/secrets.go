// Package secrets owns the secrets of environments and their versions. It reads and writes secrets
// one at a time or many together, and seals them again after a key rotation. It knows no paths and
// no responses. The cache holds sealed values only. A value is opened as late as possible, for one
// call.
//
// # Where values are stored
//
// A head, sec/<env_id>/<name>, holds the metadata of all kept versions, and the sealed value of the
// newest. It also holds the sealed values of the versions just before it. The values of the oldest
// versions are spilled: each has an entry of its own, ver/<env_id>/<name>/<n>. So the kept versions
// always have this order:
//
//	spilled, spilled, ..., inline, inline, ..., newest
//
// Three invariants hold for every stored head:
//
//   - The newest value is in the head. Of the other values, as many are inline as fit into
//     inlineBytes, and into the storage entry beside the newest value and the metadata. The oldest
//     values are spilled. A spilled version never becomes inline again.
//   - A kept version that is neither destroyed nor inline has an entry under ver/. The head has no
//     bytes of a destroyed version.
//   - An entry under ver/ that no kept version needs is one of three kinds. Its number is from
//     Head.Floor up to the oldest kept version, or it is in Head.Doomed, or the head holds the
//     value of its version. The next write or cold read removes entries of the first two kinds. An
//     entry of the third kind remains after a crash in a write, and nobody reads it. It is
//     overwritten when its version spills, and removed when its version is destroyed or dropped.
//
// Because a crash may have left such an entry, each inline version that is dropped costs a Delete.
// Head.NeverSpilled, which exists in memory only, saves this Delete for the versions that this
// process wrote. A failed storage call drops the head from memory, and NeverSpilled with it.
//
// # The order of storage calls
//
// One Put is the only atomic unit. Every change of one secret has one commit, the Put of its head:
//
//   - A write, a patch and a rollback put the values that spill under ver/, in parallel, and then
//     the head. A crash before the Put of the head leaves the old head, which still holds the
//     values that were spilled. The values of dropped versions are removed afterwards, in the
//     background.
//   - A change of metadata is a write without a new value. Larger metadata may make values spill.
//     No version is dropped.
//   - Delete and undelete put the head.
//   - Destroy puts a head without the inline values, whose Doomed lists the versions that may be
//     under ver/. It removes their entries, then puts the head without Doomed. If nothing can be
//     under ver/, destroy is one Put.
//   - Purge puts a dying head without values, removes the entries under ver/, puts the tombstone
//     and deletes the head.
//   - A rewrap puts each spilled version that is under an older key, then the head with all values
//     that it holds. After each of these Puts, all versions of the secret can be opened, whatever
//     follows.
//   - A write of many secrets puts a redo log, whose last chunk is the commit. A change in the log
//     makes an unapplied head of the stored head. The unapplied head exists in memory only, and
//     keeps every value that the stored head holds. Applying the change to one secret works like
//     the write above: a Get of the head, the Puts of values that spill, and a Put of the head. It
//     may be repeated after a crash at any point.
//
// version_at, compare, revert and rollback read older versions. They take the value of a version
// from the head, or from ver/ with one Get.
package secrets

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stashbase/vault-stashbase/shared/keyring"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/budget"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/caller"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/gate"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/headcache"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/jobs"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/keys"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/workspaces"
)

// parallelism bounds the storage calls in flight of one operation, and of all operations that pass
// one gate. In a measurement, 1,000 Puts took about 244 ms one by one, and about 30 ms with this
// bound.
const parallelism = 64

// The budgets of open values, in bytes. A workspace holds at most the part, or one larger delivery.
// Together they bound the plaintext that a mount has in memory at one time.
const (
	openBudget     = 64 << 20
	openPart       = 32 << 20
	openLongBudget = 64 << 20
	openLongPart   = 16 << 20
)

// Service holds the secrets of one mount.
type Service struct {
	store *store.Store
	keys  *keys.Service
	jobs  *jobs.Group
	now   func() time.Time
	tree  *workspaces.Tree // set by Load
	cache headcache.Cache

	reads   gate.Gate // reads of heads and spilled values by operations on many secrets
	applies gate.Gate // changes of redo logs
	rewraps gate.Gate // rewraps of secrets

	// Every delivery takes a share of a budget before it opens a value. The values of a request and
	// those that last longer have budgets of their own, so that requests never wait for a
	// destination that does not respond.
	opened     *budget.Budget
	openedLong *budget.Budget

	watchers []func(workspaces.Place)

	mu   sync.RWMutex
	envs map[store.ID]*environment
}

// New returns a service without secrets. Load reads them from storage.
func New(s *store.Store, k *keys.Service, group *jobs.Group, now func() time.Time) *Service {
	return &Service{
		store: s, keys: k, jobs: group, now: now, envs: make(map[store.ID]*environment),
		reads: gate.New(parallelism), applies: gate.New(parallelism), rewraps: gate.New(rewrapsAtOnce),
		opened: budget.New(openBudget, openPart), openedLong: budget.New(openLongBudget, openLongPart),
	}
}

// Load reads the names of all secrets, and the redo logs that were not applied before a restart.
func (s *Service) Load(ctx context.Context, tree *workspaces.Tree) error {
	s.tree = tree
	work, workCtx := errgroup.WithContext(ctx)
	work.SetLimit(parallelism)
	for _, id := range tree.Environments() {
		work.Go(func() error {
			names, err := s.store.Secrets(workCtx, id)
			if err != nil {
				return fmt.Errorf("list an environment's secrets: %w", err)
			}
			s.environment(id).addStored(names)
			return nil
		})
	}
	if err := work.Wait(); err != nil {
		return err
	}
	if err := s.loadTombstones(ctx); err != nil {
		return err
	}
	return s.replay(ctx)
}

// Watch registers f, which is called after each change of what an environment delivers. It is also
// called after a change whose outcome is unknown. Locks are held during the call, so f must only
// record the change. Watch must be called before the service is shared.
func (s *Service) Watch(f func(workspaces.Place)) { s.watchers = append(s.watchers, f) }

func (s *Service) notify(place workspaces.Place) {
	for _, f := range s.watchers {
		f(place)
	}
}

// Start resumes the background work that a restart has interrupted or that has failed.
func (s *Service) Start() {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for id, env := range s.envs {
		if env.hasTransactions() {
			s.startApply(id, env)
		}
		if len(env.dyingNames()) > 0 {
			s.startFinishingPurges(id, env)
		}
	}
}

// Configure sets the size of the cache of sealed secrets.
func (s *Service) Configure(c store.Config) { s.cache.Configure(c.SecretCacheBytes) }

// environment returns the state of an environment. If there is none, it is a new, empty state: Load
// has read every environment that holds anything.
func (s *Service) environment(id store.ID) *environment {
	s.mu.RLock()
	env := s.envs[id]
	s.mu.RUnlock()
	if env != nil {
		return env
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.envs[id] == nil {
		s.envs[id] = newEnvironment()
	}
	return s.envs[id]
}

// Count returns the number of secrets of an environment.
func (s *Service) Count(id store.ID) int {
	s.mu.RLock()
	env := s.envs[id]
	s.mu.RUnlock()
	if env == nil {
		return 0
	}
	return env.count()
}

// Freeze waits for the writes in progress and blocks new ones until thaw is called. gone reports
// whether the environment was deleted.
func (s *Service) Freeze(id store.ID) (secrets int, thaw func(gone bool)) {
	env := s.environment(id)
	env.commit.Lock()
	return env.count(), func(gone bool) {
		if gone {
			env.gone.Store(true)
			env.awaitBackground()
			s.mu.Lock()
			delete(s.envs, id)
			s.mu.Unlock()
			s.cache.DropEnvironment(id, env.names())
		}
		env.commit.Unlock()
	}
}

// located is an environment that was found in the tree, and the state of its secrets.
type located struct {
	workspaces.Place
	env *environment
}

// key returns the cache key of a secret of the environment.
func (loc located) key(name string) headcache.Key {
	return headcache.Key{Environment: loc.EnvironmentID, Name: name}
}

// locate finds an environment and returns it with its state. It fails if the environment is closed.
func (s *Service) locate(call caller.Request, path workspaces.Path) (located, error) {
	place, err := s.tree.Find(call, path)
	if err != nil {
		return located{}, err
	}
	env := s.environment(place.EnvironmentID)
	// An environment that was deleted after Find would look empty here. Find does not find it
	// again.
	if again, err := s.tree.Find(call, path); err != nil || again.EnvironmentID != place.EnvironmentID {
		return located{}, fault.New(fault.Unavailable, "environment %s was deleted during this request; try again", place.Path())
	}
	return located{place, env}, env.fault()
}

// lockEnvironment locks an environment for a change. The caller must call unlock. If exclusive is
// set, all other writers are excluded. The environment is located again under the lock, because it
// may have been locked against writes or deleted in between.
func (s *Service) lockEnvironment(call caller.Request, path workspaces.Path, exclusive bool) (_ located, unlock func(), err error) {
	before, err := s.locate(call, path)
	if err != nil {
		return located{}, nil, err
	}
	lock, unlock := before.env.commit.RLock, before.env.commit.RUnlock
	if exclusive {
		lock, unlock = before.env.commit.Lock, before.env.commit.Unlock
	}
	lock()
	inside, err := s.locate(call, path)
	switch {
	case err == nil && inside.env != before.env:
		err = fault.New(fault.Unavailable, "environment %s was replaced during this request; try again", inside.Path())
	case err == nil && inside.env.checkPendingImport() != nil:
		err = inside.env.checkPendingImport()
	case err == nil && inside.Locked:
		err = fault.New(fault.Locked, "environment %s is locked: it can be read, but not written; whoever may change environments/%s can unlock it with locked=false", inside.Path(), inside.Path())
	}
	if err != nil {
		unlock()
		return located{}, nil, err
	}
	return inside, unlock, nil
}

// withEncryption calls use with the encryption context of the environment. It may call use twice,
// so use must have had no effect when it returns keyring.ErrWiped.
func (s *Service) withEncryption(ctx context.Context, place workspaces.Place, use func(*keyring.Context[keyring.SecretLocation]) error) error {
	id, err := keyring.ParseID(string(place.EnvironmentID))
	if err != nil {
		return fmt.Errorf("id of environment %s: %w", place.Path(), err)
	}
	of := keyring.EnvironmentScope{Project: place.Project, Environment: place.Environment, ID: id}
	return s.keys.With(ctx, place.WorkspaceID, func(ring *keyring.Workspace) error {
		seal, err := ring.Secrets(of)
		if err != nil {
			return err
		}
		defer seal.Wipe()
		return use(seal)
	})
}

// open returns the value of one version. The error does not say which check failed, because
// someone who can write to storage must not learn that.
func open(seal *keyring.Context[keyring.SecretLocation], place workspaces.Place, name string, version uint64, sealed []byte) ([]byte, error) {
	ciphertext, err := keyring.ParseCiphertext[keyring.SecretLocation](sealed)
	if err == nil {
		var value []byte
		if value, err = seal.Open(keyring.SecretLocation{Name: name, Version: version}, ciphertext); err == nil {
			return value, nil
		}
	}
	if errors.Is(err, keyring.ErrWiped) {
		return nil, err
	}
	return nil, errUnopened(place, name, version)
}

func errUnopened(place workspaces.Place, name string, version uint64) error {
	return fault.Damaged("version %d of secret %s of %s cannot be opened: its stored entry, %s, is damaged or was moved here, or a record that leads to it was; "+
		"restore it from a snapshot of Vault's storage, or write a new version", version, name, place.Path(), store.SecretPlaces(place.EnvironmentID, name, version))
}

func errDamagedHead(place workspaces.Place, name string) error {
	return fault.Damaged("the stored entry %s of secret %s of %s is missing or damaged; restore it from a snapshot of Vault's storage",
		store.HeadPlace(place.EnvironmentID, name), name, place.Path())
}

func errDamagedTombstone(place workspaces.Place, name string) error {
	return fault.Damaged("the stored entry %s, which keeps the last version number of the removed secret %s of %s, is missing or damaged; restore it from a snapshot of Vault's storage",
		store.TombstonePlace(place.EnvironmentID, name), name, place.Path())
}

// Health lists the environments that are closed because storage is damaged, and the imports whose
// outcome is unknown.
func (s *Service) Health() []string {
	var wrong []string
	s.mu.RLock()
	for id, env := range s.envs {
		if why := env.broken.Load(); why != nil {
			wrong = append(wrong, fmt.Sprintf("the environment with id %s is closed: %s", id, *why))
		}
		if err := env.checkPendingImport(); err != nil {
			wrong = append(wrong, err.Error())
		}
	}
	s.mu.RUnlock()
	return wrong
}
