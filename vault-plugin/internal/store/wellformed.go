package store

import (
	"regexp"
	"time"
)

// record is implemented by every kind of record. wellFormed reports whether a record has what its
// readers rely on. An entry may be CBOR of the right shape and still hold nothing. For example, an
// empty entry would be read as a workspace without an id.
type record interface{ wellFormed() bool }

var id = regexp.MustCompile(`^[0-9a-f]{32}$`)

func (i ID) wellFormed() bool { return id.MatchString(string(i)) }

// storable reports whether times can be encoded in the form in which they are stored, RFC 3339.
// CBOR has other forms with a larger range. A record with such a time could be read but not stored
// again.
func storable(times ...time.Time) bool {
	for _, t := range times {
		if year := t.UTC().Year(); year < 0 || year > 9999 {
			return false
		}
	}
	return true
}

func (s Stamp) wellFormed() bool { return storable(s.Created, s.Updated) }

func (v Version) wellFormed() bool { return v.Size >= 0 && storable(v.Created, v.Deleted) }

func (s *Schema) wellFormed() bool { return s.Version > 0 }

func (m *Master) wellFormed() bool { return len(m.Ring) > 0 }

func (k *Keys) wellFormed() bool {
	return len(k.Ring) > 0 && storable(k.Rewrap.Started, k.Rewrap.Updated)
}

func (c *Config) wellFormed() bool {
	for _, set := range []int{
		c.Settings.MaxVersions, c.Settings.MaxValueBytes, c.Settings.MaxSecrets, c.Settings.MaxEnvironmentBytes,
		c.MaxProjects, c.MaxEnvironments, c.KeyringCacheSize, int(c.KeyringCacheTTL),
	} {
		if set <= 0 {
			return false
		}
	}
	return c.SecretCacheBytes >= 0
}

func (w *Workspace) wellFormed() bool {
	s := w.Settings
	return w.ID.wellFormed() && w.Stamp.wellFormed() && min(s.MaxVersions, s.MaxValueBytes, s.MaxSecrets, s.MaxEnvironmentBytes) >= 0
}

func (p *Project) wellFormed() bool { return p.ID.wellFormed() && p.Stamp.wellFormed() }

func (e *Environment) wellFormed() bool { return e.ID.wellFormed() && e.Stamp.wellFormed() }

// wellFormed checks what every reader of a Head relies on.
func (h *Head) wellFormed() bool {
	if len(h.Versions) == 0 || h.Versions[0].Number == 0 || h.First == 0 || max(h.First, h.Floor) > h.Versions[0].Number {
		return false
	}
	if valueless := h.Dying || h.Newest().Destroyed; valueless != (len(h.Sealed) == 0) {
		return false
	}
	if len(h.Inline) >= len(h.Versions) || h.Dying && len(h.Inline) > 0 {
		return false
	}
	for i, v := range h.Versions {
		if sealed, _ := h.Value(v.Number); v.Destroyed && len(sealed) > 0 {
			return false
		}
		if v.Number != h.Versions[0].Number+uint64(i) || !v.wellFormed() {
			return false
		}
	}
	return storable(h.Removed)
}

// A tombstone with a zero time was written while the clock was at zero. The tombstone is valid,
// because only the number matters.
func (t *Tombstone) wellFormed() bool { return t.Last > 0 && storable(t.Born, t.Removed) }

func (i *Integration) wellFormed() bool {
	return i.ID.wellFormed() && i.Auth != "" && i.Credential.Generation > 0
}

func (c *Credential) wellFormed() bool {
	if len(c.Generations) == 0 {
		return false
	}
	last := uint64(0)
	for _, g := range c.Generations {
		if g.Number <= last || len(g.Fields) == 0 {
			return false
		}
		for field, sealed := range g.Fields {
			if field == "" || len(sealed) == 0 {
				return false
			}
		}
		last = g.Number
	}
	return true
}

func (o *OldValue) wellFormed() bool { return len(o.Sealed) > 0 }

func (l *LogChunk) wellFormed() bool {
	for _, c := range l.Changes {
		if c.Name == "" || c.Version.Number == 0 || !c.Version.wellFormed() || c.IsDelete != (len(c.Sealed) == 0) || !c.IsDelete && c.Keep < 1 {
			return false
		}
	}
	return l.Chunks >= 0
}

func (s *Sync) wellFormed() bool {
	return s.ID.wellFormed() && s.Integration.wellFormed() && s.Granularity != "" && s.Target.Host != "" && len(s.Definition) > 0
}

func (s *SyncState) wellFormed() bool { return s.Attempts >= 0 }

func (l *LedgerChunk) wellFormed() bool { return len(l.Sealed) > 0 }
