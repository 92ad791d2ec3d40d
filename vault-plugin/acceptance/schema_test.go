package acceptance_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"
)

// A plugin that was rolled back must not write into a layout it does not know.
func TestStorageOfANewerPluginIsLeftAlone(t *testing.T) {
	const future = 99
	s := vault.Server(t)
	c := root(t, s)
	d := openapi(c)
	env := strings.Split(environment(t, c), "/")
	at := place{env[0], env[1], env[2]}
	c.write(at.fill("secrets/{workspace}/{project}/{environment}/{name}"), data{"value": "x"})
	now := s.RawRead(t, "core/schema")
	newer, err := cbor.Marshal(map[int]int{1: future})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.RawWrite(t, "core/schema", now)
		s.ReloadPlugin(t)
	})
	s.RawWrite(t, "core/schema", newer)
	s.ReloadPlugin(t)
	before := decrypted(t, s)
	for _, template := range slices.Sorted(maps.Keys(d.Paths)) {
		path := strings.Trim(at.fill(template), "/")
		for method, body := range map[string]data{"GET": nil, "LIST": nil, "DELETE": nil, "POST": {"value": "y"}, "PATCH": {"max_versions": 3}} {
			a := c.refused(method, path, body, http.StatusServiceUnavailable, "unavailable")
			if !strings.Contains(a.body, "version 99") || !strings.Contains(a.body, "up to 1") {
				t.Errorf("%s\nnames not both versions", a)
			}
		}
	}
	if !maps.Equal(before, decrypted(t, s)) {
		t.Error("storage was changed")
	}
	s.RawWrite(t, "core/schema", now)
	s.ReloadPlugin(t)
	expect(t, "put back", c.read(at.fill("load/{workspace}/{project}/{environment}")), data{"DATABASE_URL": "x"})
}
