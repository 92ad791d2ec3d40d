package vaulttest

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"
)

// The raw methods read and change the entries of the mount in Vault's storage, decrypted by Vault's
// barrier, byte for byte. Keys are relative to the mount. The plugin sees a change only when it
// reads the entry from storage again; see ReloadPlugin.
//
// The methods use sys/raw. By default sys/raw guesses from the first bytes of an entry whether the
// entry is compressed, which would change binary values. A read therefore sets `compressed`, and a
// write sets `compression_type`.

// RawRead returns the bytes at a key, or nil if there is no entry.
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

// RawWrite writes bytes to a key.
func (s *Server) RawWrite(t testing.TB, key string, value []byte) {
	t.Helper()
	_, err := s.Client().Logical().Write(s.raw(key), map[string]any{
		"value": base64.StdEncoding.EncodeToString(value), "encoding": "base64", "compression_type": "",
	})
	must(t, err)
}

// RawDelete deletes the entry at a key. A missing entry is no error.
func (s *Server) RawDelete(t testing.TB, key string) {
	t.Helper()
	_, err := s.Client().Logical().Delete(s.raw(key))
	must(t, err)
}

// RawList returns all keys below a prefix, including those in folders, sorted. The prefix is empty
// or ends in a slash.
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
