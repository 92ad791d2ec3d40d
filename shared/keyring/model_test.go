package keyring

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

var modelSeed = flag.Uint64("model-seed", 0, "seed of the model test; 0 chooses a random one")

// world is the system under test: storage as bytes, and the keyrings in memory. The model beside it
// knows plaintexts and version numbers, but no keys.
type world struct {
	t   *testing.T
	rng *rand.Rand
	now time.Time

	masterRecord []byte
	master       *Master
	spaces       []*space
	records      []*record

	masterOldest, masterLatest uint32 // model
}

type space struct {
	scope WorkspaceScope
	entry []byte     // stored
	ring  *Workspace // in memory, wiped while the workspace is locked

	// The model. lost means that a trim of the master destroyed the key that wraps the entry.
	deleted, locked, lost   bool
	oldest, minimum, latest uint32
	masterVersion           uint32
}

type record struct {
	space  *space
	at     SecretLocation
	stored []byte

	// The model.
	plaintext  []byte
	keyVersion uint32
}

func (w *world) check(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

const (
	modelSteps    = 3000
	modelSpaces   = 12
	modelRecords  = 60
	modelVersions = 8
)

func TestModelPredictsWhatIsReadable(t *testing.T) {
	seed := *modelSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("go test -run Model -model-seed %d", seed)
	w := &world{t: t, rng: rand.New(rand.NewPCG(seed, 0)), now: day, masterOldest: 1, masterLatest: 1}
	w.master = must(NewMaster(w.now))(t)
	w.masterRecord = must(w.master.Encode())(t)
	operations := []struct {
		weight int
		name   string
		run    func(*space)
	}{
		{30, "put", w.put},
		{20, "rewrap", w.rewrap},
		{6, "create", w.create},
		{6, "rotate", w.rotate},
		{5, "set the minimum", w.setMinimum},
		{3, "trim", w.trim},
		{4, "lock", w.lock},
		{6, "unlock", w.unlock},
		{2, "delete", w.delete},
		{3, "rotate the master", w.rotateMaster},
		{10, "wrap again", w.wrapAgain},
		{3, "trim the master", w.trimMaster},
		{2, "restart", w.restart},
	}
	total := 0
	for _, op := range operations {
		total += op.weight
	}
	counts := make(map[string]int)
	w.create(nil)
	for range modelSteps {
		w.now = w.now.Add(time.Minute)
		pick := w.rng.IntN(total)
		for _, op := range operations {
			if pick -= op.weight; pick < 0 {
				op.run(w.spaces[w.rng.IntN(len(w.spaces))])
				counts[op.name]++
				break
			}
		}
		for range 4 {
			counts[w.read(w.someRecord())]++
		}
	}
	for _, r := range w.records {
		counts[w.read(r)]++
	}
	t.Log(counts)
	for _, outcome := range []string{"read", "refused", "wiped", "gone"} {
		if counts[outcome] == 0 {
			t.Errorf("no record of this run was %q", outcome)
		}
	}
}

func (w *world) someRecord() *record {
	if len(w.records) == 0 {
		return nil
	}
	return w.records[w.rng.IntN(len(w.records))]
}

// usable reports whether an operation on the workspace must succeed.
func (s *space) usable() bool { return !s.deleted && !s.locked && !s.lost }

func (s *space) readable(keyVersion uint32) bool {
	return keyVersion >= s.minimum && keyVersion >= s.oldest
}

// read compares the result of reading a record with the model. It returns the kind of result.
func (w *world) read(r *record) string {
	if r == nil {
		return "nothing"
	}
	s := r.space
	if s.deleted || s.lost {
		// The workspace's keys are destroyed: a new workspace with the same scope cannot open its
		// data.
		other := must(w.master.NewWorkspace(s.scope, w.now))(w.t)
		w.refuse(other, r, ErrOpen)
		return "gone"
	}
	if s.locked {
		w.refuse(s.ring, r, ErrWiped)
		return "wiped"
	}
	if !s.readable(r.keyVersion) {
		w.refuse(s.ring, r, ErrOpen)
		return "refused"
	}
	got, err := openRecord(s.ring, r)
	if err != nil || !bytes.Equal(got, r.plaintext) {
		w.t.Fatalf("%+v of %v opens as %q, %v; want %q", r.at, s.scope, got, err, r.plaintext)
	}
	return "read"
}

func (w *world) refuse(ring *Workspace, r *record, want error) {
	w.t.Helper()
	if got, err := openRecord(ring, r); got != nil || !errors.Is(err, want) {
		w.t.Fatalf("%+v of %v opens as %q, %v; want %v", r.at, r.space.scope, got, err, want)
	}
}

func openRecord(ring *Workspace, r *record) ([]byte, error) {
	c, err := ring.Secrets(production)
	if err != nil {
		return nil, err
	}
	defer c.Wipe()
	ct, err := ParseCiphertext[SecretLocation](r.stored)
	if err != nil {
		return nil, err
	}
	return c.Open(r.at, ct)
}

func (w *world) create(*space) {
	scope := WorkspaceScope{fmt.Sprint("ws", len(w.spaces)), NewID()}
	s := &space{scope: scope, oldest: 1, minimum: 1, latest: 1}
	s.ring = must(w.master.NewWorkspace(scope, w.now))(w.t)
	w.store(s, s.ring)
	if len(w.spaces) < modelSpaces {
		w.spaces = append(w.spaces, s)
		return
	}
	w.spaces[w.rng.IntN(len(w.spaces))] = s
}

// store writes the key entry and wipes the keyring that it replaces.
func (w *world) store(s *space, next *Workspace) {
	w.t.Helper()
	s.entry = must(w.master.Wrap(next))(w.t)
	s.masterVersion = w.masterLatest
	if s.ring != next {
		s.ring.Wipe()
	}
	s.ring = next
}

func (w *world) put(s *space) {
	r := &record{space: s, at: SecretLocation{fmt.Sprint("n", w.rng.IntN(5)), w.rng.Uint64()}, plaintext: make([]byte, w.rng.IntN(100))}
	random(r.plaintext)
	c, err := s.ring.Secrets(production)
	if !s.usable() {
		if !errors.Is(err, ErrWiped) {
			w.t.Fatalf("context of an unusable workspace: %v", err)
		}
		return
	}
	w.check(err)
	ct := must(c.Seal(r.at, r.plaintext))(w.t)
	if r.keyVersion = ct.KeyVersion(); r.keyVersion != s.latest {
		w.t.Fatalf("sealed under version %d; the latest is %d", r.keyVersion, s.latest)
	}
	r.stored = ct.Bytes()
	if len(w.records) < modelRecords {
		w.records = append(w.records, r)
		return
	}
	w.records[w.rng.IntN(len(w.records))] = r
}

func (w *world) rewrap(*space) {
	r := w.someRecord()
	if r == nil || !r.space.usable() {
		return
	}
	c := must(r.space.ring.Secrets(production))(w.t)
	moved, err := c.Rewrap(r.at, must(ParseCiphertext[SecretLocation](r.stored))(w.t))
	if !r.space.readable(r.keyVersion) {
		if !errors.Is(err, ErrOpen) {
			w.t.Fatalf("rewrap below the minimum: %v", err)
		}
		return
	}
	w.check(err)
	r.stored, r.keyVersion = moved.Bytes(), r.space.latest
}

func (w *world) rotate(s *space) {
	if !s.usable() || s.latest-s.oldest >= modelVersions {
		return
	}
	w.store(s, must(s.ring.Rotate(w.now))(w.t))
	s.latest++
}

func (w *world) setMinimum(s *space) {
	if !s.usable() {
		return
	}
	lowest := s.oldest + w.rng.Uint32N(s.latest-s.oldest+1)
	w.store(s, must(s.ring.SetMinDecryption(lowest))(w.t))
	s.minimum = lowest
}

func (w *world) trim(s *space) {
	if !s.usable() {
		return
	}
	w.store(s, must(s.ring.Trim())(w.t))
	s.oldest = s.minimum
}

func (w *world) lock(s *space) {
	s.ring.Wipe()
	s.locked = true
}

func (w *world) unlock(s *space) {
	if s.deleted {
		return
	}
	ring, err := w.master.Unwrap(s.scope, s.entry)
	if s.lost {
		if !errors.Is(err, ErrOpen) {
			w.t.Fatalf("unwrapped without its master key: %v", err)
		}
		return
	}
	w.check(err)
	if moved, err := w.master.Unwrap(WorkspaceScope{s.scope.Name + "x", s.scope.ID}, s.entry); moved != nil || !errors.Is(err, ErrOpen) {
		w.t.Fatalf("unwrapped under another name: %v", err)
	}
	s.ring.Wipe()
	s.ring, s.locked = ring, false
	if ring.Latest() != s.latest || ring.MinDecryption() != s.minimum || len(ring.Versions()) != int(s.latest-s.oldest+1) {
		w.t.Fatalf("versions %v and minimum %d differ from the model %+v", ring.Versions(), ring.MinDecryption(), s)
	}
}

func (w *world) delete(s *space) {
	s.ring.Wipe()
	s.entry, s.deleted = nil, true
}

func (w *world) rotateMaster(*space) {
	if w.masterLatest-w.masterOldest >= modelVersions {
		return
	}
	w.replaceMaster(must(w.master.Rotate(w.now))(w.t))
	w.masterLatest++
}

func (w *world) replaceMaster(next *Master) {
	w.masterRecord = must(next.Encode())(w.t)
	w.master.Wipe()
	w.master = next
}

func (w *world) wrapAgain(s *space) {
	if s.deleted || s.lost {
		return
	}
	ring := must(w.master.Unwrap(s.scope, s.entry))(w.t)
	s.entry = must(w.master.Wrap(ring))(w.t)
	ring.Wipe()
	s.masterVersion = w.masterLatest
	if info := must(InspectEntry(s.entry))(w.t); info.MasterVersion != w.masterLatest || info.Latest != s.latest {
		w.t.Fatalf("%+v differs from the model %+v", info, s)
	}
}

// trimMaster destroys the versions below the lowest one in use. One time in eight it also destroys
// versions that are in use.
func (w *world) trimMaster(*space) {
	lowest := w.masterLatest
	for _, s := range w.spaces {
		if !s.deleted && !s.lost {
			lowest = min(lowest, s.masterVersion)
		}
	}
	if w.rng.IntN(8) == 0 {
		lowest += w.rng.Uint32N(w.masterLatest - lowest + 1)
	}
	w.replaceMaster(must(w.master.Trim(lowest))(w.t))
	w.masterOldest = max(w.masterOldest, lowest)
	for _, s := range w.spaces {
		if !s.deleted && s.masterVersion < w.masterOldest {
			s.ring.Wipe()
			s.lost = true
		}
	}
}

// restart keeps only what is stored.
func (w *world) restart(*space) {
	w.replaceMaster(must(DecodeMaster(w.masterRecord))(w.t))
	for _, s := range w.spaces {
		if s.usable() {
			w.unlock(s)
		}
	}
}
