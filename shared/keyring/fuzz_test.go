package keyring

import (
	"bytes"
	"errors"
	"testing"
)

// FuzzEnvelope checks three properties. What parses prints as the same bytes. Everything else is
// rejected with ErrFormat and a zero value. Nothing opens that was not sealed.
func FuzzEnvelope(f *testing.F) {
	c := must(newTestWorkspace(f, newTestMaster(f)).Application("fuzz"))(f)
	for _, v := range readVectors(f) {
		if v.Ciphertext != nil {
			f.Add(unhex(f, *v.Ciphertext))
		}
	}
	short := must(c.Seal(ApplicationLocation{}, nil))(f).Bytes()
	f.Add(short[:overhead-1])
	f.Fuzz(func(t *testing.T, b []byte) {
		ct, err := ParseCiphertext[ApplicationLocation](b)
		if err != nil {
			if !errors.Is(err, ErrFormat) || ct.sealed != nil {
				t.Fatalf("error %v with a nonzero ciphertext: %v", err, ct.sealed != nil)
			}
			return
		}
		if !bytes.Equal(ct.Bytes(), b) {
			t.Fatalf("%x prints as %x", b, ct.Bytes())
		}
		if again, err := ParseText[ApplicationLocation](ct.Text()); err != nil || !bytes.Equal(again.Bytes(), b) {
			t.Fatalf("text %s: %v", ct.Text(), err)
		}
		if _, err := c.Open(ApplicationLocation{}, ct); !errors.Is(err, ErrOpen) {
			t.Fatalf("Open returned %v", err)
		}
	})
}

// FuzzText checks that what parses prints as the same text.
func FuzzText(f *testing.F) {
	for _, v := range readVectors(f) {
		if v.Text != nil {
			f.Add(*v.Text)
		} else {
			d := must(ParseDigest[HMACLocation](7, [32]byte(unhex(f, *v.MAC))))(f)
			f.Add(d.Text())
		}
	}
	f.Add("stash:v01:AQEFAA")
	f.Add("stash-mac:v1:")
	for _, v := range readVectors(f) {
		if v.Text != nil { // line breaks, which the base64 decoder skips
			f.Add((*v.Text)[:20] + "\n" + (*v.Text)[20:])
			f.Add(*v.Text + "\r\n")
		}
	}
	f.Fuzz(func(t *testing.T, s string) {
		if ct, err := ParseText[ApplicationLocation](s); err == nil && ct.Text() != s {
			t.Fatalf("%q prints as %q", s, ct.Text())
		} else if err != nil && (!errors.Is(err, ErrFormat) || ct.sealed != nil) {
			t.Fatalf("error %v with a nonzero ciphertext: %v", err, ct.sealed != nil)
		}
		if d, err := ParseDigestText[HMACLocation](s); err == nil && d.Text() != s {
			t.Fatalf("%q prints as %q", s, d.Text())
		} else if err != nil && (!errors.Is(err, ErrFormat) || d.digest != nil) {
			t.Fatalf("error %v with a nonzero digest: %v", err, d.digest != nil)
		}
	})
}

// FuzzMasterRecord checks that what decodes encodes to the same bytes.
func FuzzMasterRecord(f *testing.F) {
	m := newTestMaster(f)
	f.Add(must(m.Encode())(f))
	f.Add(must(must(m.Rotate(day))(f).Encode())(f))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := DecodeMaster(b)
		if err != nil {
			if !errors.Is(err, ErrFormat) || m != nil {
				t.Fatalf("error %v with a master key: %v", err, m != nil)
			}
			return
		}
		if got := must(m.Encode())(t); !bytes.Equal(got, b) {
			t.Fatalf("%x encodes as %x", b, got)
		}
		if info := m.Versions(); info[len(info)-1].Version != m.Latest() || len(info) > MaxVersions {
			t.Fatalf("latest is %d of %v", m.Latest(), info)
		}
	})
}

// FuzzKeyEntry checks that an entry unwraps only to keys that this master key wrapped, whatever
// else is changed. It also checks that an entry which InspectEntry rejects does not unwrap.
func FuzzKeyEntry(f *testing.F) {
	// The keys are fixed, because each of the fuzzer's processes must unwrap the entries of the
	// others.
	m := &Master{keys: fixedRing(1)}
	w := &Workspace{WorkspaceScope{"acme", ID{1}}, 1, fixedRing(2)}
	entry := must(m.Wrap(w))(f)
	f.Add(entry)
	f.Add(entry[:entryHeaderSize+entryVersionSize])
	f.Fuzz(func(t *testing.T, b []byte) {
		info, inspectErr := InspectEntry(b)
		if inspectErr != nil && (!errors.Is(inspectErr, ErrFormat) || info.Latest != 0 || info.Versions != nil) {
			t.Fatalf("error %v with %+v", inspectErr, info)
		}
		got, err := m.Unwrap(w.Scope(), b)
		if err != nil {
			if !errors.Is(err, ErrOpen) || got != nil {
				t.Fatalf("error %v with keys: %v", err, got != nil)
			}
			return
		}
		if inspectErr != nil {
			t.Fatal("unwraps although InspectEntry rejects it")
		}
		if got.Latest() != info.Latest || got.MinDecryption() != info.MinDecryption {
			t.Fatalf("unwraps with latest %d, minimum %d, but InspectEntry returns %+v", got.Latest(), got.MinDecryption(), info)
		}
		for _, v := range got.Versions() {
			i, _ := got.keys.find(v.Version)
			j, ok := w.keys.find(v.Version)
			if !ok || got.keys.versions[i].key == nil || *got.keys.versions[i].key != *w.keys.versions[j].key {
				t.Fatalf("version %d has another key", v.Version)
			}
		}
	})
}

// fixedRing returns a ring of n versions with keys that depend only on n and the version.
func fixedRing(n uint32) *ring {
	r := &ring{}
	for i := range n {
		r.versions = append(r.versions, keyVersion{number: i + 1, key: &[keySize]byte{byte(n), byte(i + 1)}})
	}
	return r
}
