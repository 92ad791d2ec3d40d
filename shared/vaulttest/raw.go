package vaulttest

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"
)

// The raw methods read and change the mount's storage below the engine, as Vault's barrier shows it: decrypted, byte for byte.
// Keys are relative to the mount. A change is seen by the plugin only where it reads storage again: see ReloadPlugin.
//
// They go through sys/raw. It guesses compression from the first bytes of an entry unless told not to, which would change binary
// values: hence `compressed` when reading and `compression_type` when writing.

// RawRead returns the bytes at a key, or nil when there is no entry.
func (s *Server) RawRead(t testing.TB, key string) []byte {
	t.Helper()
	secret, err := s.Client().Logical().ReadWithData(s.raw(key), map[string][]string{
		"encoding": {"base64"}, "compressed": {"false"},
	})
	must(t, err)
	if secret == nil {
		return nil
	}
	text, _ := secret.Data["value"].(string)
	value, err := base64.StdEncoding.DecodeString(text)
	must(t, err)
	return value
}

// RawWrite puts bytes at a key.
func (s *Server) RawWrite(t testing.TB, key string, value []byte) {
	t.Helper()
	_, err := s.Client().Logical().Write(s.raw(key), map[string]any{
		"value": base64.StdEncoding.EncodeToString(value), "encoding": "base64", "compression_type": "",
	})
	must(t, err)
}

// RawDelete removes the entry at a key; none is fine.
func (s *Server) RawDelete(t testing.TB, key string) {
	t.Helper()
	_, err := s.Client().Logical().Delete(s.raw(key))
	must(t, err)
}

// RawList returns all keys below a prefix, which is empty or ends in a slash: those of its folders too, in order.
func (s *Server) RawList(t testing.TB, prefix string) []string {
	t.Helper()
	secret, err := s.Client().Logical().List(s.raw(prefix))
	must(t, err)
	if secret == nil {
		return nil
	}
	names, _ := secret.Data["keys"].([]any)
	var keys []string
	for _, n := range names {
		name, _ := n.(string)
		if strings.HasSuffix(name, "/") {
			keys = append(keys, s.RawList(t, prefix+name)...)
			continue
		}
		keys = append(keys, prefix+name)
	}
	slices.Sort(keys)
	return keys
}

func (s *Server) raw(key string) string { return "sys/raw/logical/" + s.mount.UUID + "/" + key }
