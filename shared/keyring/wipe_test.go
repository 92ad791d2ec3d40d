package keyring

import (
	"bytes"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
)

func TestWipedKeysReturnErrWiped(t *testing.T) {
	at, plaintext := SecretLocation{"a", 1}, []byte("x")
	type fixture struct {
		m       *Master
		w       *Workspace
		c       *Context[SecretLocation]
		tokens  *MAC[AccessTokenLocation]
		entry   []byte
		ct      Ciphertext[SecretLocation]
		unknown Ciphertext[SecretLocation]
	}
	newFixture := func() fixture {
		m := newTestMaster(t)
		w := newTestWorkspace(t, m)
		c := must(w.Secrets(production))(t)
		later := must(rotated(t, w, 1).Secrets(production))(t)
		return fixture{
			m, w, c, must(w.AccessTokens())(t), must(m.Wrap(w))(t), must(c.Seal(at, plaintext))(t), must(later.Seal(at, plaintext))(t),
		}
	}
	masterCalls := map[string]func(fixture) error{
		"Encode":         func(f fixture) error { _, err := f.m.Encode(); return err },
		"Rotate":         func(f fixture) error { _, err := f.m.Rotate(day); return err },
		"Trim":           func(f fixture) error { _, err := f.m.Trim(1); return err },
		"NewWorkspace":   func(f fixture) error { _, err := f.m.NewWorkspace(f.w.Scope(), day); return err },
		"Wrap":           func(f fixture) error { _, err := f.m.Wrap(f.w); return err },
		"Unwrap":         func(f fixture) error { _, err := f.m.Unwrap(f.w.Scope(), f.entry); return err },
		"EngineActivity": func(f fixture) error { _, err := f.m.EngineActivity(); return err },
	}
	workspaceCalls := map[string]func(fixture) error{
		"Wrap":             func(f fixture) error { _, err := f.m.Wrap(f.w); return err },
		"Rotate":           func(f fixture) error { _, err := f.w.Rotate(day); return err },
		"SetMinDecryption": func(f fixture) error { _, err := f.w.SetMinDecryption(1); return err },
		"Trim":             func(f fixture) error { _, err := f.w.Trim(); return err },
		"Secrets":          func(f fixture) error { _, err := f.w.Secrets(production); return err },
		"AccessTokens":     func(f fixture) error { _, err := f.w.AccessTokens(); return err },
	}
	contextCalls := map[string]func(fixture) error{
		"Seal":          func(f fixture) error { _, err := f.c.Seal(at, plaintext); return err },
		"Open":          func(f fixture) error { _, err := f.c.Open(at, f.ct); return err },
		"Open, unknown": func(f fixture) error { _, err := f.c.Open(at, f.unknown); return err },
		"Open, nothing": func(f fixture) error { _, err := f.c.Open(at, Ciphertext[SecretLocation]{}); return err },
		"Rewrap":        func(f fixture) error { _, err := f.c.Rewrap(at, f.ct); return err },
	}
	macCalls := map[string]func(fixture) error{
		"Sum": func(f fixture) error { _, err := f.tokens.Sum(AccessTokenLocation{}, nil); return err },
		"Verify": func(f fixture) error {
			return f.tokens.Verify(AccessTokenLocation{}, nil, Digest[AccessTokenLocation]{})
		},
	}
	for _, test := range []struct {
		name  string
		wipe  func(fixture)
		calls []map[string]func(fixture) error
	}{
		{"master", func(f fixture) { f.m.Wipe() }, []map[string]func(fixture) error{masterCalls}},
		{"workspace", func(f fixture) { f.w.Wipe() }, []map[string]func(fixture) error{workspaceCalls, contextCalls, macCalls}},
		{"context", func(f fixture) { f.c.Wipe() }, []map[string]func(fixture) error{contextCalls}},
		{"MAC", func(f fixture) { f.tokens.Wipe() }, []map[string]func(fixture) error{macCalls}},
	} {
		f := newFixture()
		test.wipe(f)
		test.wipe(f)
		for _, calls := range test.calls {
			for name, call := range calls {
				if err := call(f); !errors.Is(err, ErrWiped) {
					t.Errorf("%s wiped, %s: %v", test.name, name, err)
				}
			}
		}
	}
	zero := fixture{m: &Master{}, w: &Workspace{}, c: &Context[SecretLocation]{}, tokens: &MAC[AccessTokenLocation]{}}
	zero.m.Wipe()
	for _, calls := range []map[string]func(fixture) error{masterCalls, workspaceCalls, contextCalls, macCalls} {
		for name, call := range calls {
			if err := call(zero); !errors.Is(err, ErrWiped) && !errors.Is(err, ErrMinimum) {
				t.Errorf("zero value, %s: %v", name, err)
			}
		}
	}
}

func TestWipeClearsKeysAndSparesSuccessors(t *testing.T) {
	m := newTestMaster(t)
	w := newTestWorkspace(t, m)
	c := must(w.Secrets(production))(t)
	ct := must(c.Seal(SecretLocation{}, []byte("x")))(t)
	key := c.keys.keys[1]
	nextMaster, next := must(m.Rotate(day))(t), rotated(t, w, 1)
	trimmed := must(w.Trim())(t)
	m.Wipe()
	w.Wipe()
	if _, err := c.Open(SecretLocation{}, ct); !errors.Is(err, ErrWiped) {
		t.Errorf("opened by a context of a wiped workspace: %v", err)
	}
	for name, b := range map[string][]byte{
		"master": m.keys.versions[0].key[:], "workspace": w.keys.versions[0].key[:], "context": key[:],
	} {
		if !bytes.Equal(b, make([]byte, keySize)) {
			t.Errorf("the %s key is not cleared", name)
		}
	}
	for _, whole := range []*Workspace{next, trimmed} {
		must(must(whole.Secrets(production))(t).Open(SecretLocation{}, ct))(t)
		must(nextMaster.Wrap(whole))(t)
	}
	if m.Latest() != 1 || len(w.Versions()) != 1 {
		t.Error("wiping changed the public part of the keys")
	}
}

// While their keys are wiped, operations return the correct result or ErrWiped. After a first
// ErrWiped they return only ErrWiped. A key that was cleared while in use would cause ErrOpen,
// ErrVerify, or a ciphertext that a second keyring cannot open.
func TestWipeWaitsForOperations(t *testing.T) {
	at, plaintext := SecretLocation{"a", 1}, bytes.Repeat([]byte("x"), 300)
	const rounds, workers, operations = 60, 6, 40
	m := newTestMaster(t)
	for round := range rounds {
		w := rotated(t, newTestWorkspace(t, m), 1)
		entry := must(m.Wrap(w))(t)
		witness := must(m.Unwrap(w.Scope(), entry))(t)
		check := must(witness.Secrets(production))(t)
		sealed := must(check.Seal(at, plaintext))(t)
		c := must(w.Secrets(production))(t)
		tokens := must(w.AccessTokens())(t)
		digest := must(must(witness.AccessTokens())(t).Sum(AccessTokenLocation{ID: "id"}, plaintext))(t)

		var done atomic.Int64
		reached := make(chan struct{})
		var once sync.Once
		step := func() {
			if done.Add(1) >= int64(round*workers*operations/rounds) {
				once.Do(func() { close(reached) })
			}
		}
		var group sync.WaitGroup
		for i := range workers {
			group.Go(func() {
				wiped := false
				for range operations {
					step()
					err := useOnce(i, w, c, check, tokens, at, plaintext, sealed, digest)
					if err != nil && !errors.Is(err, ErrWiped) || err == nil && wiped {
						t.Errorf("operation %d: %v", i, err)
					}
					// Only a wipe of the workspace ends every operation for good.
					wiped = wiped || err != nil && round%2 == 0
				}
			})
		}
		<-reached
		if round%2 == 0 {
			w.Wipe()
		} else {
			c.Wipe()
			tokens.Wipe()
		}
		group.Wait()
	}
}

func useOnce(
	i int, w *Workspace, c, check *Context[SecretLocation], tokens *MAC[AccessTokenLocation],
	at SecretLocation, plaintext []byte, sealed Ciphertext[SecretLocation], digest Digest[AccessTokenLocation],
) error {
	switch i % 5 {
	case 0:
		got, err := c.Open(at, sealed)
		if err == nil && !bytes.Equal(got, plaintext) {
			return errors.New("opened another plaintext")
		}
		return err
	case 1:
		ct, err := c.Seal(at, plaintext)
		if err != nil {
			return err
		}
		_, err = check.Open(at, ct)
		return err
	case 2:
		_, err := c.Rewrap(at, sealed)
		return err
	case 3:
		return tokens.Verify(AccessTokenLocation{ID: "id"}, plaintext, digest)
	default:
		next, err := w.Rotate(day)
		if err != nil {
			return err
		}
		c, err := next.Secrets(production)
		if err != nil {
			return err
		}
		_, err = c.Open(at, sealed)
		return err
	}
}
