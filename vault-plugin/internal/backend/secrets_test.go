package backend_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
)

func TestAWriteCreatesAVersionWithItsAuthor(t *testing.T) {
	m := populated(t)
	if m.Exists(secret) {
		t.Error("a secret exists before it was written")
	}
	has(t, m.Write(secret, data{"value": "one", "comment": "first", "tags": []string{"db", "prod"}}), data{
		"name": "DATABASE_URL", "version": 1, "created_time": "2026-01-02T03:04:05Z", "comment": "first", "encoding": "text",
		"size": 3, "deletion_time": "", "tags": []string{"db", "prod"}, "value": nil,
		"created_by": "tester",
	})
	by := data{"created_by": "tester", "created_by_entity_id": "entity", "created_by_accessor_sha256": "4fc565ab79d6764db998ad5eba4dd7d63144cbfcb7718af45918e12248cfb6e2"}
	has(t, object(t, m.Read("metadata/"+dev+"/DATABASE_URL"), "versions", "1"), by)
	if !m.Exists(secret) {
		t.Error("a written secret does not exist")
	}
	m.Clock.Advance(time.Second)
	m.Write(secret, data{"value": ""})
	for m := range restarting(&m) {
		has(t, m.Read(secret), data{
			"value": "", "version": 2, "size": 0, "created_time": "2026-01-02T03:04:06Z", "comment": "",
			"tags": []string{"db", "prod"}, "references": false,
		})
		has(t, m.Must("read", secret, data{"version": "1"}), data{"value": "one", "version": 1, "comment": "first"})
		has(t, m.Must("read", secret, data{"version": 0}), data{"version": 2})
		has(t, m.Read("load/"+dev), data{"DATABASE_URL": ""})
	}
	has(t, m.Write(secret, data{"value": "x", "tags": ""}), data{"tags": []string{}})
}

func TestCASWritesOnlyOverTheGivenVersion(t *testing.T) {
	m := populated(t)
	refused := func(cas any, newest string) {
		t.Helper()
		before := m.Storage.Clone()
		expect(t, m.Refuse(logical.UpdateOperation, secret, data{"value": planted(), "cas": cas}), 409, "conflict", "cas:", "DATABASE_URL", dev, newest)
		if changed := before.Diff(m.Storage); changed != nil {
			t.Errorf("a refused write has changed %v", changed)
		}
	}
	refused(1, "cas=0")
	has(t, m.Write(secret, data{"value": "a", "cas": 0}), data{"version": 1})
	refused(0, "newest version is 1")
	refused(2, "newest version is 1")
	has(t, m.Write(secret, data{"value": "b", "cas": "1"}), data{"version": 2})
	m.Delete(secret, nil)
	refused(0, "newest version is 2")
	refused(1, "newest version is 2")
	has(t, m.Write(secret, data{"value": "c", "cas": 2}), data{"version": 3})
	m.Write("workspaces/acme", data{"cas_required": true})
	expect(t, m.Refuse(logical.UpdateOperation, secret, data{"value": "d"}), 400, "invalid", "cas:", "required")
	has(t, m.Write(secret, data{"value": "d", "cas": 3}), data{"version": 4})
}

func TestBytesAreWrittenAndDeliveredInBase64(t *testing.T) {
	m := populated(t)
	raw := base64.StdEncoding.EncodeToString([]byte{0, 0xff, 0xfe, '\n'})
	has(t, m.Write(secret, data{"value": raw, "encoding": "base64"}), data{"encoding": "base64", "size": 4})
	has(t, m.Read(secret), data{"value": raw, "encoding": "base64"})
	has(t, m.Read("load/"+dev), data{"DATABASE_URL": raw})
	wrong := planted() + "*"
	got := m.Refuse(logical.UpdateOperation, secret, data{"value": wrong, "encoding": "base64"})
	expect(t, got, 400, "invalid", "value:", "base64")
	if part := leaks(got.Text, wrong); part != "" {
		t.Errorf("the error contains %q of the value", part)
	}
	expect(t, m.Refuse(logical.UpdateOperation, secret, data{"value": "x", "encoding": "hex"}), 400, "invalid", "encoding:", "text or base64")
	text := "line\nπ\x00\"'\\ é\u2028"
	m.Write(secret, data{"value": text})
	has(t, m.Read(secret), data{"value": text, "encoding": "text"})
}

func TestADeletedSecretReturns404WithMetadataAndContinuesItsVersions(t *testing.T) {
	m := populated(t)
	m.Write(secret, data{"value": "a"})
	m.Write(secret, data{"value": "b", "comment": "why"})
	m.Clock.Advance(time.Minute)
	has(t, m.Delete(secret, nil), data{"name": "DATABASE_URL", "version": 2, "deletion_time": "2026-01-02T03:05:05Z"})
	m.Clock.Advance(time.Minute)
	has(t, m.Delete(secret, nil), data{"version": 2, "deletion_time": "2026-01-02T03:05:05Z"})
	for m := range restarting(&m) {
		for _, d := range []data{nil, {"version": 2}} {
			resp, err := m.Do(read(secret, d))
			var refused *enginetest.Refused
			if !errors.As(err, &refused) || refused.Status != 404 {
				t.Fatalf("a read of a deleted version returned %v", err)
			}
			has(t, resp, data{"version": 2, "comment": "why", "deletion_time": "2026-01-02T03:05:05Z", "value": nil})
		}
		has(t, m.Must("read", secret, data{"version": 1}), data{"value": "a"})
		if got := m.Read("load/" + dev); len(got) != 0 {
			t.Errorf("load delivers a deleted secret: %v", got)
		}
		if !m.Exists(secret) {
			t.Error("a soft-deleted secret does not exist: its next write would be a create")
		}
		has(t, object(t, m.Must("list", "secrets/"+dev+"/", nil), "key_info", "DATABASE_URL"), data{"state": "deleted", "version": 2})
	}
	has(t, m.Write(secret, data{"value": "c"}), data{"version": 3, "deletion_time": ""})
	expect(t, m.Refuse(logical.ReadOperation, secret, data{"version": 9}), 404, "not_found", "version 9", "DATABASE_URL")
	expect(t, m.Refuse(logical.ReadOperation, "secrets/"+dev+"/NONE", nil), 404, "not_found", "NONE", dev)
	expect(t, m.Refuse(logical.ReadOperation, "metadata/"+dev+"/NONE", nil), 404, "not_found", "NONE", dev)
}

func stored(m *enginetest.Mount, prefix string) []string {
	return slices.DeleteFunc(m.Storage.Keys(), func(key string) bool { return !strings.HasPrefix(key, prefix) })
}

func TestOnlyTheNewestMaxVersionsAreKeptInStorage(t *testing.T) {
	m := populated(t)
	m.Write("workspaces/acme", data{"max_versions": 3})
	for n := 1; n <= 5; n++ {
		m.Write(secret, data{"value": fmt.Sprint("value ", n, spills)})
	}
	m.Settle()
	if got := stored(m, "ver/"); len(got) != 2 || !strings.HasSuffix(got[0], "/3") || !strings.HasSuffix(got[1], "/4") {
		t.Errorf("storage has the old versions %v", got)
	}
	has(t, m.Read("metadata/"+dev+"/DATABASE_URL"), data{"oldest_version": 3, "version": 5})
	expect(t, m.Refuse(logical.ReadOperation, secret, data{"version": 2}), 404, "not_found", "version 2", "no longer kept")
	m = m.Restart()
	has(t, m.Must("read", secret, data{"version": 3}), data{"value": "value 3" + spills})

	m.Write("workspaces/acme", data{"max_versions": 1})
	m.Write("destroy/"+dev+"/DATABASE_URL", data{"versions": "3,4"})
	m.Write(secret, data{"value": "value 6" + spills})
	m.Settle()
	if got := stored(m, "ver/"); len(got) != 0 {
		t.Errorf("with max_versions=1, of old versions storage has %v", got)
	}
	m.Write("workspaces/acme", data{"max_versions": 2})
	m.Write("import/"+dev, data{"secrets": data{"DATABASE_URL": "value 7" + spills}})
	m.Write("import/"+dev, data{"secrets": data{"DATABASE_URL": "value 8" + spills}})
	m.Settle()
	if got := stored(m, "ver/"); len(got) != 1 || !strings.HasSuffix(got[0], "/7") {
		t.Errorf("after imports, of old versions storage has %v", got)
	}
}

// Within the limits, an entry must stay below 512 KiB, the smallest maximum of Vault's storage
// backends.
func TestASecretAtEveryLimitAtOnceIsStored(t *testing.T) {
	m := populated(t)
	m.Write("config", data{"max_value_bytes": 384 << 10, "max_versions": 100, "max_environment_bytes": 24 << 20})
	tags := make([]string, 16)
	for i := range tags {
		tags[i] = strings.Repeat("t", 62) + fmt.Sprintf("%02d", i)
	}
	name := "secrets/" + dev + "/" + strings.Repeat("N", 255)
	for range 101 {
		m.Write(name, data{"value": "short", "comment": strings.Repeat("c", 512), "tags": tags})
		m.Delete(name, nil)
	}
	value := strings.Repeat("v", 384<<10)
	m.Write(name, data{"value": value, "comment": strings.Repeat("c", 512)})
	m = m.Restart()
	has(t, m.Read(name), data{"value": value, "version": 102})
	m.Write("import/"+dev, data{"secrets": data{strings.Repeat("M", 255): value}, "comment": strings.Repeat("c", 512)})
}

func TestMetadataReturnsTheHistoryWithoutValues(t *testing.T) {
	m := populated(t)
	value := planted()
	m.Write(secret, data{"value": value, "comment": "first", "tags": "db"})
	m.Write(secret, data{"value": value + "!", "comment": "second"})
	m.Write("secrets/"+dev+"/GONE", data{"value": value})
	m.Delete("secrets/"+dev+"/GONE", nil)
	for m := range restarting(&m) {
		one := m.Read("metadata/" + dev + "/DATABASE_URL")
		has(t, one, data{"name": "DATABASE_URL", "state": "live", "version": 2, "oldest_version": 1, "tags": []string{"db"}})
		has(t, object(t, one, "versions", "1"), data{"comment": "first", "size": len(value), "encoding": "text", "deletion_time": ""})
		has(t, object(t, one, "versions", "2"), data{"comment": "second", "created_time": "2026-01-02T03:04:05Z"})
		all := m.Read("metadata/" + dev)
		has(t, object(t, all, "secrets", "DATABASE_URL"), data{"state": "live", "version": 2, "tags": []string{"db"}, "size": len(value) + 1})
		has(t, object(t, all, "secrets", "GONE"), data{"state": "deleted", "version": 1, "deletion_time": "2026-01-02T03:04:05Z"})
		has(t, m.Read("metadata/"+dev+"/GONE"), data{"state": "deleted"})
		if text := fmt.Sprint(one, all); strings.Contains(text, value) {
			t.Error("metadata shows a value")
		}
	}
}

func TestCommentsTagsAndMetadataHaveLimits(t *testing.T) {
	m := populated(t)
	long := func(n int) string { return strings.Repeat("x", n) }
	cases := []struct {
		name  string
		legal data
		wrong data
		field string
	}{
		{"comment", data{"comment": long(512)}, data{"comment": long(513)}, "comment:"},
		{"tag", data{"tags": []string{long(64)}}, data{"tags": []string{long(65)}}, "tags:"},
		{"tags", data{"tags": strings.Repeat("a,", 15) + "a"}, data{"tags": strings.Repeat("a,", 16) + "a"}, "tags:"},
		{"empty tag", data{"tags": "a"}, data{"tags": []string{""}}, "tags:"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			c.legal["value"], c.wrong["value"] = "v", "v"
			m.Write(secret, c.legal)
			before := m.Storage.Clone()
			expect(t, m.Refuse(logical.UpdateOperation, secret, c.wrong), 400, "limit", c.field)
			if changed := before.Diff(m.Storage); changed != nil {
				t.Errorf("a refused write has changed %v", changed)
			}
		})
	}
	expect(t, m.Refuse(logical.UpdateOperation, "import/"+dev, data{"comment": long(513), "secrets": data{"A": "v"}}), 400, "limit", "comment:")
}
