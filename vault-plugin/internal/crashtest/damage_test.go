package crashtest

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
)

// damaged is an entry that is cut or changed, and the environments that must not be affected.
type damaged struct {
	kind, key string
	spared    []string // environments whose load returns the same as before
	sealed    bool     // its content is sealed, so a read fails with status 500
}

func damages(t *testing.T, s *enginetest.Storage) []damaged {
	t.Helper()
	environments, keys := keysOf(t, s)
	dev := string(environments["acme/api/dev"])
	first := func(prefix string) string {
		for _, key := range s.Keys() {
			if strings.HasPrefix(key, prefix) {
				return key
			}
		}
		t.Fatalf("storage has nothing under %s", prefix)
		return ""
	}
	return []damaged{
		{"head", "sec/" + dev + "/A", places[1:], true},
		{"spilled version", "ver/" + dev + "/B/2", places, true},
		{"keys", keys["acme"], places[3:], true},
		{"workspace", "ws/acme", places[3:], false},
		{"project", first("proj/" + strings.TrimPrefix(keys["acme"], "keys/")), places[3:], false},
		{"environment", first("env/"), nil, false},
		{"configuration", "core/config", nil, false},
		{"master key", "core/master", nil, false},
		{"schema", "core/schema", nil, false},
		{"redo log", first("log/"), nil, false},
	}
}

// TestDamagedEntryDeliversNoWrongValue cuts each kind of entry at every length and changes bytes of
// it. Every delivered value must be the value that was written there. A value that cannot be
// determined must be an error.
func TestDamagedEntryDeliversNoWrongValue(t *testing.T) {
	m := world(t)
	m.Write("config", data{"max_versions": 9})
	m.Storage.FailFrom(2, false) // leaves the redo log of an import of one secret
	m.Write("import/acme/web/dev", data{"secrets": data{"B": "imported"}})
	m.Settle()
	clean, clock := m.Storage.Clone(), m.Clock
	end(m)
	m = start(t, clean.Clone(), clock)
	right := readAll(t, m)
	end(m)
	for _, d := range damages(t, clean) {
		t.Run(d.kind, func(t *testing.T) {
			t.Parallel()
			whole := clean.Raw(d.key)
			for n := 0; n < len(whole); n += every(3) {
				d.check(t, clean, clock, right, whole[:n], fmt.Sprintf("cut to %d bytes", n), true)
			}
			for n := 0; n < len(whole); n += every(1 + len(whole)/60) {
				changed := append([]byte{}, whole...)
				changed[n] ^= 1 << (n % 8)
				d.check(t, clean, clock, right, changed, fmt.Sprintf("byte %d changed", n), false)
			}
		})
	}
}

func (d damaged) check(t *testing.T, clean *enginetest.Storage, clock *enginetest.Clock, right map[string]string, entry []byte, how string, cut bool) {
	t.Helper()
	s := clean.Clone()
	s.SetRaw(d.key, append([]byte{}, entry...))
	m := start(t, s, clock)
	for key, value := range readAll(t, m) {
		// The metadata of a redo log are not sealed, so a changed log may be ignored.
		undone := d.kind == "redo log" && !cut && value == "B of acme/web/dev, version 4"
		if value != right[key] && !undone && !strings.HasPrefix(value, "refused ") {
			t.Errorf("%s: %s is %q, want %q", how, key, value, right[key])
		}
		if code, refused := strings.CutPrefix(value, "refused "); refused && d.sealed && cut && code != "500 unavailable" && value != right[key] {
			t.Errorf("%s: %s fails with %s, want 500 unavailable", how, key, code)
		}
	}
	for _, place := range d.spared {
		if got := loaded(m, place); !maps.Equal(got, rightOf(right, place)) {
			t.Errorf("%s: load of %s, which must not be affected, returns %v", how, place, got)
		}
	}
	end(m)
	if !cut {
		return
	}
	s.SetRaw(d.key, clean.Raw(d.key))
	m = start(t, s, clock)
	if got := readAll(t, m); !maps.Equal(got, right) {
		t.Errorf("%s: after the entry was restored, the secrets differ from before", how)
	}
	end(m)
}

// readAll reads every secret of the world, both one by one and with load. A failed read is
// "refused" with the status and the error word.
func readAll(t *testing.T, m *mount) map[string]string {
	t.Helper()
	found := make(map[string]string)
	for _, place := range places {
		for name, value := range loaded(m, place) {
			found["load "+place+" "+name] = value
		}
		for _, name := range []string{"A", "B", "C", "ONCE"} {
			for _, version := range []string{"0", "2", "3"} {
				if name == "ONCE" && version != "0" {
					continue
				}
				path := "secrets/" + place + "/" + name
				response, err := m.Do(request{Op: read, Path: path, Data: data{"version": version}})
				found[path+" "+version] = valueOf(response, err)
			}
		}
	}
	return found
}

func valueOf(response data, err error) string {
	var refused *enginetest.Refused
	if errors.As(err, &refused) {
		return fmt.Sprintf("refused %d %s", refused.Status, refused.Word())
	}
	value, _ := response["value"].(string)
	if response["encoding"] == "base64" { // the encoding of the response is not sealed
		raw, _ := base64.StdEncoding.DecodeString(value)
		return string(raw)
	}
	return value
}

func loaded(m *mount, place string) map[string]string {
	response, err := m.Do(request{Op: read, Path: "load/" + place})
	if err != nil {
		return map[string]string{}
	}
	found := make(map[string]string)
	for name, value := range response {
		text, _ := value.(string)
		if raw, err := base64.StdEncoding.DecodeString(text); err == nil && strings.Contains(string(raw), " ") {
			text = string(raw)
		}
		found[name] = text
	}
	return found
}

func rightOf(right map[string]string, place string) map[string]string {
	found := make(map[string]string)
	for key, value := range right {
		if name, ok := strings.CutPrefix(key, "load "+place+" "); ok {
			found[name] = value
		}
	}
	return found
}
