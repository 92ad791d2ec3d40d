package keyring

import (
	"bytes"
	"errors"
	"math"
	"testing"
)

// watch records every slice that holds a key or a plaintext while f runs. It returns those that are
// not cleared afterwards, and the number of all.
func watch(t *testing.T, f func()) (left [][]byte, total int) {
	t.Helper()
	var all [][]byte
	made = func(b []byte) { all = append(all, b) }
	t.Cleanup(func() { made = func([]byte) {} })
	f()
	made = func([]byte) {}
	for _, b := range all {
		if !bytes.Equal(b, make([]byte, len(b))) {
			left = append(left, b)
		}
	}
	return left, len(all)
}

// Each operation clears what it derives and opens, apart from what it returns, and a wipe clears
// the rest. The control is that the watch sees as many slices as each operation makes.
func TestEveryKeyAndPlaintextIsCleared(t *testing.T) {
	m := must(newTestMaster(t).Rotate(day))(t)
	w := rotated(t, newTestWorkspace(t, m), 1)
	entry := must(m.Wrap(w))(t)
	at := SecretLocation{"a", 1}
	ct := must(must(w.Secrets(production))(t).Seal(at, []byte("planted")))(t)
	digest := must(must(w.AccessTokens())(t).Sum(AccessTokenLocation{}, nil))(t)
	damaged := bytes.Clone(entry)
	damaged[len(damaged)-1] ^= 1
	secrets := func(use func(*Context[SecretLocation])) func() {
		return func() {
			c := must(w.Secrets(production))(t)
			use(c)
			c.Wipe()
		}
	}
	tokens := func(use func(*MAC[AccessTokenLocation])) func() {
		return func() {
			c := must(w.AccessTokens())(t)
			use(c)
			c.Wipe()
		}
	}
	for name, c := range map[string]struct {
		makes int
		run   func()
	}{
		"a new master":           {1, func() { must(NewMaster(day))(t).Wipe() }},
		"a rotated master":       {3, func() { must(m.Rotate(day))(t).Wipe() }},
		"a trimmed master":       {1, func() { must(m.Trim(2))(t).Wipe() }},
		"a decoded master":       {3, func() { b := must(m.Encode())(t); must(DecodeMaster(b))(t).Wipe(); clear(b) }},
		"a new workspace":        {1, func() { must(m.NewWorkspace(w.Scope(), day))(t).Wipe() }},
		"a rotated workspace":    {3, func() { must(w.Rotate(day))(t).Wipe() }},
		"a trimmed workspace":    {2, func() { must(w.Trim())(t).Wipe() }},
		"a minimum":              {2, func() { must(w.SetMinDecryption(2))(t).Wipe() }},
		"a wrapped workspace":    {3, func() { must(m.Wrap(w))(t) }},
		"an unwrapped workspace": {5, func() { must(m.Unwrap(w.Scope(), entry))(t).Wipe() }},
		"a damaged entry":        {4, func() { fails(t, ErrOpen)(m.Unwrap(w.Scope(), damaged)) }},
		"another workspace":      {2, func() { fails(t, ErrOpen)(m.Unwrap(WorkspaceScope{"other", w.scope.ID}, entry)) }},
		"a check of an entry":    {5, func() { _ = m.Opens(w.Scope(), entry) }},
		"a rotation too late":    {2, func() { fails(t, ErrTime)(w.Rotate(day.AddDate(9000, 0, 0))) }},
		"a seal":                 {2, secrets(func(c *Context[SecretLocation]) { must(c.Seal(at, nil))(t) })},
		"a rewrap":               {4, secrets(func(c *Context[SecretLocation]) { must(c.Rewrap(at, ct))(t) })},
		"an open elsewhere":      {2, secrets(func(c *Context[SecretLocation]) { fails(t, ErrOpen)(c.Open(SecretLocation{"b", 1}, ct)) })},
		"an open":                {3, secrets(func(c *Context[SecretLocation]) { clear(must(c.Open(at, ct))(t)) })},
		"a digest":               {1, tokens(func(c *MAC[AccessTokenLocation]) { must(c.Sum(AccessTokenLocation{}, nil))(t) })},
		"a verification":         {1, tokens(func(c *MAC[AccessTokenLocation]) { _ = c.Verify(AccessTokenLocation{}, nil, digest) })},
	} {
		t.Run(name, func(t *testing.T) {
			if left, total := watch(t, c.run); len(left) > 0 || total != c.makes {
				t.Errorf("%d of %d slices are left, want 0 of %d", len(left), total, c.makes)
			}
		})
	}
}

// A rotation that fails at the limit clears the copies that it made.
func TestARotationAtTheLimitClearsItsCopies(t *testing.T) {
	w := newTestWorkspace(t, newTestMaster(t))
	w.keys.versions[0].number, w.minimum = math.MaxUint32, math.MaxUint32
	left, total := watch(t, func() { fails(t, ErrTooManyVersions)(w.Rotate(day)) })
	if len(left) != 0 || total != 1 {
		t.Errorf("%d of %d copies are left", len(left), total)
	}
}

// A context clears its keys with its own wipe, and, once its workspace is wiped, with its next use.
func TestAContextClearsItsKeysAfterItsWorkspaceIsWiped(t *testing.T) {
	left, total := watch(t, func() {
		w := newTestWorkspace(t, newTestMaster(t))
		c := must(w.Secrets(production))(t)
		must(c.Seal(SecretLocation{}, nil))(t)
		w.Wipe()
		fails(t, ErrWiped)(c.Seal(SecretLocation{}, nil))
	})
	if total != 4 || len(left) != 1 { // the master key stays
		t.Errorf("%d of %d keys are left", len(left), total)
	}
}

// fails returns a function that expects the result of a call to be the error want.
func fails(t *testing.T, want error) func(any, error) {
	return func(_ any, err error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("the error is %v, want %v", err, want)
		}
	}
}
