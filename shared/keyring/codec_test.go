package keyring

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"testing"
	"time"
)

// corruption makes an encoding invalid. header is the size of the header, and version the size of
// each version.
type corruption struct {
	name  string
	apply func(b []byte, header, version int) []byte
}

var corruptions = []corruption{
	{"no bytes", func([]byte, int, int) []byte { return nil }},
	{"other format", func(b []byte, _, _ int) []byte { b[0]++; return b }},
	{"trailing byte", func(b []byte, _, _ int) []byte { return append(b, 0) }},
	{"trailing version", func(b []byte, header, _ int) []byte { return append(b, b[header:]...) }},
	{"no versions", func(b []byte, header, _ int) []byte { b[header-1] = 0; return b[:header] }},
	{"count too high", func(b []byte, header, _ int) []byte { b[header-1]++; return b }},
	{"version 0", func(b []byte, header, _ int) []byte { clear(b[header : header+4]); return b }},
	{"duplicate version", func(b []byte, header, size int) []byte { copy(b[header+size:], b[header:header+4]); return b }},
	{"falling versions", func(b []byte, header, size int) []byte {
		first := bytes.Clone(b[header : header+size])
		copy(b[header:], b[header+size:header+2*size])
		copy(b[header+size:], first)
		return b
	}},
	{"created before 1970", func(b []byte, header, _ int) []byte { b[header+4] = 0xff; return b }},
	{"created after 9999", func(b []byte, header, _ int) []byte {
		binary.BigEndian.PutUint64(b[header+4:], maxCreated+1)
		return b
	}},
	{"too many versions", func(b []byte, header, size int) []byte {
		binary.BigEndian.PutUint16(b[header-2:], MaxVersions+1)
		out := b[:header:header]
		for i := range uint32(MaxVersions + 1) {
			out = binary.BigEndian.AppendUint32(out, i+1)
			out = append(out, b[header+4:header+size]...)
		}
		return out
	}},
}

func TestMasterRecordHasExactlyOneEncoding(t *testing.T) {
	m := must(newTestMaster(t).Rotate(day.Add(time.Hour)))(t)
	record := must(m.Encode())(t)
	again := must(DecodeMaster(record))(t)
	if !bytes.Equal(must(again.Encode())(t), record) || !slices.Equal(again.Versions(), m.Versions()) {
		t.Error("the decoded record encodes differently")
	}
	if want := []VersionInfo{{1, day}, {2, day.Add(time.Hour)}}; !slices.Equal(again.Versions(), want) {
		t.Errorf("versions are %v, want %v", again.Versions(), want)
	}
	extra := corruption{"cleared key", func(b []byte, header, size int) []byte { clear(b[header+12 : header+size]); return b }}
	for _, c := range append(slices.Clone(corruptions), extra) {
		got, err := DecodeMaster(c.apply(bytes.Clone(record), masterHeaderSize, masterVersionSize))
		if got != nil || !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	for n := range record {
		if got, err := DecodeMaster(record[:n]); got != nil || !errors.Is(err, ErrFormat) {
			t.Errorf("cut to %d bytes: %v", n, err)
		}
	}
}

func TestKeyEntryWithAnInvalidEncodingIsRejected(t *testing.T) {
	m := newTestMaster(t)
	w := must(rotated(t, newTestWorkspace(t, m), 2).SetMinDecryption(2))(t)
	entry := must(m.Wrap(w))(t)
	info := must(InspectEntry(entry))(t)
	if info.MasterVersion != 1 || info.Latest != 3 || info.MinDecryption != 2 || !slices.Equal(info.Versions, w.Versions()) {
		t.Errorf("info is %+v", info)
	}
	again := must(m.Unwrap(w.Scope(), entry))(t)
	if again.Latest() != 3 || again.MinDecryption() != 2 || !slices.Equal(again.Versions(), w.Versions()) {
		t.Errorf("unwrapped %v", again)
	}
	extra := []corruption{
		{"minimum below the oldest", func(b []byte, _, _ int) []byte { b[4] = 0; return b }},
		{"minimum above the latest", func(b []byte, _, _ int) []byte { b[4] = 4; return b }},
		{"other domain", func(b []byte, header, _ int) []byte { b[header+versionPublicSize+2]++; return b }},
		{"master version 0", func(b []byte, header, _ int) []byte { b[header+versionPublicSize+7] = 0; return b }},
	}
	for _, c := range append(slices.Clone(corruptions), extra...) {
		corrupted := c.apply(bytes.Clone(entry), entryHeaderSize, entryVersionSize)
		if _, err := InspectEntry(corrupted); !errors.Is(err, ErrFormat) {
			t.Errorf("inspect, %s: %v", c.name, err)
		}
		if got, err := m.Unwrap(w.Scope(), corrupted); got != nil || !errors.Is(err, ErrOpen) {
			t.Errorf("unwrap, %s: %v", c.name, err)
		}
	}
	for n := range entry {
		if got, err := m.Unwrap(w.Scope(), entry[:n]); got != nil || !errors.Is(err, ErrOpen) {
			t.Errorf("cut to %d bytes: %v", n, err)
		}
	}
}

func TestKeyEntryUnwrapsOnlyUnchangedAndForItsWorkspace(t *testing.T) {
	m := newTestMaster(t)
	w := rotated(t, newTestWorkspace(t, m), 1)
	entry := must(m.Wrap(w))(t)
	for i := entryHeaderSize + versionPublicSize; i < entryHeaderSize+entryVersionSize; i++ {
		for bit := range 8 {
			changed := bytes.Clone(entry)
			changed[i] ^= 1 << bit
			if got, err := m.Unwrap(w.Scope(), changed); got != nil || !errors.Is(err, ErrOpen) {
				t.Fatalf("with bit %d of byte %d flipped: %v", bit, i, err)
			}
		}
	}
	swapped := bytes.Clone(entry)
	first := swapped[entryHeaderSize+versionPublicSize : entryHeaderSize+entryVersionSize]
	second := swapped[entryHeaderSize+entryVersionSize+versionPublicSize:]
	copy(first, entry[entryHeaderSize+entryVersionSize+versionPublicSize:])
	copy(second, entry[entryHeaderSize+versionPublicSize:])
	renumbered := bytes.Clone(entry)
	renumbered[entryHeaderSize+entryVersionSize+3] = 3
	for name, unwrap := range map[string]func() (*Workspace, error){
		"versions swapped":     func() (*Workspace, error) { return m.Unwrap(w.Scope(), swapped) },
		"a version renumbered": func() (*Workspace, error) { return m.Unwrap(w.Scope(), renumbered) },
		"another workspace":    func() (*Workspace, error) { return m.Unwrap(WorkspaceScope{w.scope.Name, NewID()}, entry) },
		"another name":         func() (*Workspace, error) { return m.Unwrap(WorkspaceScope{"acne", w.scope.ID}, entry) },
		"no name":              func() (*Workspace, error) { return m.Unwrap(WorkspaceScope{ID: w.scope.ID}, entry) },
		"another master":       func() (*Workspace, error) { return newTestMaster(t).Unwrap(w.Scope(), entry) },
	} {
		if got, err := unwrap(); got != nil || !errors.Is(err, ErrOpen) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestIDHasExactlyOneText(t *testing.T) {
	id := NewID()
	if got := must(ParseID(id.String()))(t); got != id {
		t.Errorf("%s parses as %s", id, got)
	}
	if s := id.String(); s[12] != '4' || s[16] < '8' || s[16] > 'b' {
		t.Errorf("%s is not a UUID of version 4", s)
	}
	for _, s := range []string{
		"", "00", "0123456789ABCDEF0123456789abcdef", "0123456789abcdef0123456789abcdeg", "0123456789abcdef0123456789abcdef0",
		"01234567-89ab-cdef-0123-456789abcdef",
	} {
		if _, err := ParseID(s); !errors.Is(err, ErrFormat) {
			t.Errorf("%q: %v", s, err)
		}
	}
}
