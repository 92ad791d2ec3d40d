package ledger

import (
	"context"
	"errors"

	"github.com/stashbase/vault-stashbase/shared/keyring"
)

// Sum returns the prints of values. Both maps are keyed by the name at the destination.
func (l *Ledger) Sum(ctx context.Context, values map[string][]byte) (map[string]Print, error) {
	made := make(map[string]Print, len(values))
	err := l.printing(ctx, func(mac *keyring.MAC[keyring.FingerprintLocation]) error {
		for name, value := range values {
			p, err := sum(mac, name, value)
			if err != nil {
				return err
			}
			made[name] = p
		}
		return nil
	})
	return made, err
}

// Recognise reports for each value whether its print was made of the same bytes. A print whose key
// version is destroyed recognises no value.
func (l *Ledger) Recognise(ctx context.Context, values map[string][]byte, prints map[string]Print) (map[string]bool, error) {
	same := make(map[string]bool, len(values))
	err := l.printing(ctx, func(mac *keyring.MAC[keyring.FingerprintLocation]) error {
		for name, value := range values {
			known, err := verify(mac, name, value, prints[name])
			if err != nil {
				return err
			}
			same[name] = known
		}
		return nil
	})
	return same, err
}

// Refresh replaces prints of older key versions by prints of the latest version if they recognise
// their value. Otherwise it drops the print of an entry, because the value has to be written
// anyway. It keeps the print of an intent, because only a look at the destination can determine the
// intent's outcome. Refresh returns the number of such prints. It also reseals chunks of older key
// versions.
func (l *Ledger) Refresh(ctx context.Context, values map[string][]byte) (kept int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	latest := uint32(0)
	err = l.printing(ctx, func(mac *keyring.MAC[keyring.FingerprintLocation]) error {
		kept = 0
		probe, err := sum(mac, "", nil)
		if err != nil {
			return err
		}
		latest = probe.KeyVersion
		for name, e := range l.entries {
			next, old, err := refresh(mac, name, e, values, latest)
			if err != nil {
				return err
			}
			if old {
				kept++
			}
			if !next.Print.Same(e.Print) || next.Intent != e.Intent {
				l.entries[name] = next
				l.dirty[l.chunkOf[name]] = true
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	for n, version := range l.versions {
		if version < latest {
			l.dirty[n] = true
		}
	}
	return kept, l.save(ctx)
}

// refresh returns e with its prints under the key version latest. old reports that the print of the
// intent is kept under an older version.
func refresh(mac *keyring.MAC[keyring.FingerprintLocation], name string, e Entry, values map[string][]byte, latest uint32) (_ Entry, old bool, _ error) {
	value, has := values[name]
	renew := func(p Print) (Print, error) {
		if same, err := verify(mac, name, value, p); err != nil || !same || !has {
			return Print{}, err
		}
		return sum(mac, name, value)
	}
	if e.Print.Known() && e.Print.KeyVersion < latest {
		p, err := renew(e.Print)
		if err != nil {
			return e, false, err
		}
		e.Print = p
	}
	if e.Intent != nil && e.Intent.Print.Known() && e.Intent.Print.KeyVersion < latest {
		p, err := renew(e.Intent.Print)
		if err != nil {
			return e, false, err
		}
		if !p.Known() {
			return e, true, nil
		}
		intent := *e.Intent
		intent.Print = p
		e.Intent = &intent
	}
	return e, false, nil
}

// Needs returns the oldest key version that the ledger depends on. needs is false if it depends on
// none.
func (l *Ledger) Needs() (lowest uint32, needs bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	note := func(version uint32) {
		if version != 0 && (!needs || version < lowest) {
			lowest, needs = version, true
		}
	}
	for _, version := range l.versions {
		note(version)
	}
	for _, e := range l.entries {
		note(e.Print.KeyVersion)
		if e.Intent != nil {
			note(e.Intent.Print.KeyVersion)
		}
	}
	return lowest, needs
}

func (l *Ledger) printing(ctx context.Context, use func(*keyring.MAC[keyring.FingerprintLocation]) error) error {
	of, err := l.owner.scope()
	if err != nil {
		return err
	}
	return l.s.keys.With(ctx, l.owner.Workspace, func(ring *keyring.Workspace) error {
		mac, err := ring.Fingerprints(of)
		if err != nil {
			return err
		}
		defer mac.Wipe()
		return use(mac)
	})
}

func sum(mac *keyring.MAC[keyring.FingerprintLocation], name string, value []byte) (Print, error) {
	digest, err := mac.Sum(keyring.FingerprintLocation{RemoteName: name}, value)
	if err != nil {
		return Print{}, err
	}
	return Print{KeyVersion: digest.KeyVersion(), Sum: digest.Sum()}, nil
}

func verify(mac *keyring.MAC[keyring.FingerprintLocation], name string, value []byte, p Print) (bool, error) {
	digest, err := keyring.ParseDigest[keyring.FingerprintLocation](p.KeyVersion, p.Sum)
	if err != nil {
		return false, nil
	}
	err = mac.Verify(keyring.FingerprintLocation{RemoteName: name}, value, digest)
	if errors.Is(err, keyring.ErrWiped) {
		return false, err
	}
	return err == nil, nil
}
