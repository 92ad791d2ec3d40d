package keyring

import (
	"errors"
	"testing"
	"time"
)

func TestMinimumPreventsOpeningAndTrimDestroysKeys(t *testing.T) {
	m := newTestMaster(t)
	at := SecretLocation{"a", 1}
	first := newTestWorkspace(t, m)
	ct := must(must(first.Secrets(production))(t).Seal(at, []byte("x")))(t)
	opens := func(w *Workspace) error {
		_, err := must(w.Secrets(production))(t).Open(at, ct)
		return err
	}
	second := rotated(t, first, 1)
	raised := must(second.SetMinDecryption(2))(t)
	lowered := must(raised.SetMinDecryption(1))(t)
	trimmed := must(raised.Trim())(t)
	untouched := must(second.Trim())(t)
	stored := must(m.Unwrap(first.Scope(), must(m.Wrap(raised))(t)))(t)
	for _, test := range []struct {
		name string
		w    *Workspace
		want error
	}{
		{"first version", first, nil},
		{"rotated", second, nil},
		{"minimum raised", raised, ErrOpen},
		{"minimum raised and stored", stored, ErrOpen},
		{"minimum lowered again", lowered, nil},
		{"trimmed without a raised minimum", untouched, nil},
		{"trimmed", trimmed, ErrOpen},
	} {
		if err := opens(test.w); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
	if v := trimmed.Versions(); len(v) != 1 || v[0].Version != 2 || trimmed.MinDecryption() != 2 {
		t.Errorf("trimmed to %v", v)
	}
	if _, err := trimmed.SetMinDecryption(1); !errors.Is(err, ErrMinimum) {
		t.Errorf("a minimum that was trimmed: %v", err)
	}
	if _, err := second.SetMinDecryption(3); !errors.Is(err, ErrMinimum) {
		t.Errorf("a minimum above the latest version: %v", err)
	}
	if _, err := second.SetMinDecryption(0); !errors.Is(err, ErrMinimum) {
		t.Errorf("minimum 0: %v", err)
	}
}

func TestRewrapMovesToTheLatestVersionAndKeepsTheLocation(t *testing.T) {
	at := SecretLocation{"a", 1}
	w := newTestWorkspace(t, newTestMaster(t))
	ct := must(must(w.Secrets(production))(t).Seal(at, []byte("x")))(t)
	next := rotated(t, w, 2)
	c := must(next.Secrets(production))(t)
	moved := must(c.Rewrap(at, ct))(t)
	if moved.KeyVersion() != 3 || ct.KeyVersion() != 1 {
		t.Errorf("moved from version %d to %d", ct.KeyVersion(), moved.KeyVersion())
	}
	trimmed := must(must(next.SetMinDecryption(3))(t).Trim())(t)
	if got, err := must(trimmed.Secrets(production))(t).Open(at, moved); err != nil || string(got) != "x" {
		t.Errorf("opened %q, %v", got, err)
	}
	if _, err := c.Rewrap(SecretLocation{"a", 2}, ct); !errors.Is(err, ErrOpen) {
		t.Errorf("rewrapped for another location: %v", err)
	}
	if _, err := c.Open(SecretLocation{"a", 2}, moved); !errors.Is(err, ErrOpen) {
		t.Errorf("opened for another location: %v", err)
	}
}

func TestMasterRotationChangesOnlyKeyEntries(t *testing.T) {
	m := newTestMaster(t)
	w := rotated(t, newTestWorkspace(t, m), 1)
	old := must(m.Wrap(w))(t)
	next := must(m.Rotate(day))(t)
	if _, err := m.Trim(2); !errors.Is(err, ErrMinimum) {
		t.Errorf("trimmed every version: %v", err)
	}
	moved := must(next.Wrap(must(next.Unwrap(w.Scope(), old))(t)))(t)
	if info := must(InspectEntry(moved))(t); info.MasterVersion != 2 {
		t.Errorf("wrapped under master version %d", info.MasterVersion)
	}
	mixed := append(append([]byte(nil), moved[:len(moved)-entryVersionSize]...), old[len(old)-entryVersionSize:]...)
	if info := must(InspectEntry(mixed))(t); info.MasterVersion != 1 {
		t.Errorf("InspectEntry returns master version %d, want the lowest", info.MasterVersion)
	}
	must(next.Unwrap(w.Scope(), mixed))(t)
	trimmed := must(next.Trim(2))(t)
	must(trimmed.Unwrap(w.Scope(), moved))(t)
	for _, entry := range [][]byte{old, mixed} {
		if _, err := trimmed.Unwrap(w.Scope(), entry); !errors.Is(err, ErrOpen) {
			t.Errorf("unwrapped after its master key was destroyed: %v", err)
		}
	}
	if _, err := m.Unwrap(w.Scope(), moved); !errors.Is(err, ErrOpen) {
		t.Errorf("unwrapped without the latest master key version: %v", err)
	}
}

func TestKeyHasAtMost500Versions(t *testing.T) {
	if MaxVersions != 500 {
		t.Error("MaxVersions is not 500")
	}
	m := newTestMaster(t)
	w := rotated(t, newTestWorkspace(t, m), MaxVersions-1)
	if _, err := w.Rotate(day); !errors.Is(err, ErrTooManyVersions) {
		t.Errorf("workspace: %v", err)
	}
	again := must(m.Unwrap(w.Scope(), must(m.Wrap(w))(t)))(t)
	trimmed := must(must(again.SetMinDecryption(2))(t).Trim())(t)
	if next := rotated(t, trimmed, 1); next.Latest() != MaxVersions+1 {
		t.Errorf("latest is %d", next.Latest())
	}
	for range MaxVersions - 1 {
		m = must(m.Rotate(day))(t)
	}
	if _, err := m.Rotate(day); !errors.Is(err, ErrTooManyVersions) {
		t.Errorf("master: %v", err)
	}
	must(DecodeMaster(must(m.Encode())(t)))(t)
	last := &ring{versions: []keyVersion{{number: 1<<32 - 1, key: new([keySize]byte)}}}
	if _, err := last.rotated(day); !errors.Is(err, ErrTooManyVersions) {
		t.Errorf("beyond the highest version: %v", err)
	}
}

func TestCreationTimesAreBetween1970And9999(t *testing.T) {
	m := newTestMaster(t)
	w := newTestWorkspace(t, m)
	for _, now := range []time.Time{{}, time.UnixMilli(-1), time.UnixMilli(maxCreated + 1)} {
		for name, call := range map[string]func() error{
			"new master":       func() error { _, err := NewMaster(now); return err },
			"new workspace":    func() error { _, err := m.NewWorkspace(w.Scope(), now); return err },
			"rotate master":    func() error { _, err := m.Rotate(now); return err },
			"rotate workspace": func() error { _, err := w.Rotate(now); return err },
		} {
			if err := call(); !errors.Is(err, ErrTime) {
				t.Errorf("%s at %v: %v", name, now, err)
			}
		}
	}
}
