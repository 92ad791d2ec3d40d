package vaulttest

import (
	"encoding/json"
	"strings"
	"testing"
)

// Requests are those that a part of an audit log has the answers to, in their order: the operation and the path, such as "read
// secret/data/a". Only paths that begin with prefix count.
func Requests(t testing.TB, log, prefix string) []string {
	t.Helper()
	var all []string
	for line := range strings.Lines(log) {
		var entry struct {
			Type    string
			Request struct{ Operation, Path string }
		}
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatal(err)
		}
		if entry.Type == "response" && strings.HasPrefix(entry.Request.Path, prefix) {
			all = append(all, entry.Request.Operation+" "+entry.Request.Path)
		}
	}
	return all
}
