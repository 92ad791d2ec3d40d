package keyring

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// MaxVersions is the largest number of live versions of a key.
const MaxVersions = 500

// maxCreated is the last millisecond of the year 9999. Most encodings of time fail beyond it.
const maxCreated = 253402300799999

// VersionInfo is the public part of a key version. Created has a resolution of one millisecond.
type VersionInfo struct {
	Version uint32
	Created time.Time
}

// keyVersion is one version of a key.
type keyVersion struct {
	number  uint32 // not 0
	created int64  // Unix time in milliseconds
	key     *[keySize]byte
}

// newVersion mints a random key.
func newVersion(number uint32, now time.Time) (keyVersion, error) {
	v := keyVersion{number: number, created: now.UnixMilli(), key: new([keySize]byte)}
	if !validCreated(v.created) {
		return keyVersion{}, ErrTime
	}
	random(v.key[:])
	made(v.key[:])
	return v, nil
}

func validCreated(ms int64) bool { return ms >= 0 && ms <= maxCreated }

// ring holds the live versions of a master or workspace key, at least one, in increasing order.
// Apart from wipe it is immutable. Changes return a new ring with its own copies of the keys, so
// wiping the old ring leaves the new one intact.
type ring struct {
	versions []keyVersion

	// mu is read-locked while a key is in use, so that wipe waits.
	mu    sync.RWMutex
	wiped atomic.Bool
}

// use calls f with the key of a version. f must not retain the key.
func (r *ring) use(number uint32, f func(*[keySize]byte) error) error {
	if r == nil {
		return ErrWiped // the zero value of an exported type has no keys
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.wiped.Load() {
		return ErrWiped
	}
	i, ok := r.find(number)
	if !ok {
		return errUnknownVersion
	}
	return f(r.versions[i].key)
}

func (r *ring) find(number uint32) (int, bool) {
	return slices.BinarySearchFunc(r.versions, number, func(v keyVersion, n uint32) int { return cmp.Compare(v.number, n) })
}

func (r *ring) wipe() {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wiped.Store(true)
	for i := range r.versions {
		if key := r.versions[i].key; key != nil { // Unwrap sets the keys one by one
			clear(key[:])
		}
	}
}

func (r *ring) gone() bool { return r == nil || r.wiped.Load() }

// from returns a copy without the versions below lowest.
func (r *ring) from(lowest uint32) (*ring, error) {
	if r == nil {
		return nil, ErrWiped
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.wiped.Load() {
		return nil, ErrWiped
	}
	i, _ := r.find(lowest)
	if i == len(r.versions) {
		return nil, ErrMinimum
	}
	next := &ring{versions: slices.Clone(r.versions[i:])}
	for i := range next.versions {
		key := *next.versions[i].key
		next.versions[i].key = &key
		made(key[:])
	}
	return next, nil
}

// rotated returns a copy with an additional version.
func (r *ring) rotated(now time.Time) (*ring, error) {
	next, err := r.from(0)
	if err != nil {
		return nil, err
	}
	latest := next.latest()
	if len(next.versions) >= MaxVersions || latest == math.MaxUint32 {
		next.wipe()
		return nil, ErrTooManyVersions
	}
	added, err := newVersion(latest+1, now)
	if err != nil {
		next.wipe()
		return nil, err
	}
	next.versions = append(next.versions, added)
	return next, nil
}

func (r *ring) oldest() uint32 {
	if r == nil {
		return 0
	}
	return r.versions[0].number
}

func (r *ring) latest() uint32 {
	if r == nil {
		return 0
	}
	return r.versions[len(r.versions)-1].number
}

func (r *ring) infos() []VersionInfo {
	if r == nil {
		return nil
	}
	infos := make([]VersionInfo, len(r.versions))
	for i := range r.versions {
		infos[i] = r.versions[i].info()
	}
	return infos
}

func (v *keyVersion) info() VersionInfo {
	return VersionInfo{Version: v.number, Created: time.UnixMilli(v.created).UTC()}
}

// versionPublicSize is the size in bytes of what appendPublic appends.
const versionPublicSize = 4 + 8

// appendPublic appends the number (u32) and the creation time (u64), both big-endian. Master
// records and key entries store each version this way.
func (v *keyVersion) appendPublic(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, v.number)
	return binary.BigEndian.AppendUint64(b, uint64(v.created))
}

// parsePublic reads what appendPublic appended. previous is the number of the preceding version, or
// 0.
func (v *keyVersion) parsePublic(b []byte, previous uint32) error {
	v.number = binary.BigEndian.Uint32(b)
	v.created = int64(binary.BigEndian.Uint64(b[4:]))
	if v.number <= previous || !validCreated(v.created) {
		return ErrFormat
	}
	return nil
}
