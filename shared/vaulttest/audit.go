package vaulttest

import (
	"encoding/json"
	"strings"
	"testing"
)

// Requests returns the requests of an audit log in order, each as operation and path, such as "read
// secret/data/a". It returns only requests with a response, and only paths that begin with prefix.
// log may be a part of an audit log.
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
