package vault_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/shared/provider/providertest"
	"github.com/stashbase/vault-stashbase/shared/provider/vault"
)

// sync is a bench with a session for it.
type sync struct {
	*bench
	session *provider.Session
	place   provider.Place
}

func newSync(t *testing.T, version string, g provider.Granularity) sync {
	t.Helper()
	b := newBench(t, version, g)
	p := b.party()
	place := provider.Place{Destination: p.Destination, Granularity: g, Settings: p.Place}
	return sync{b, providertest.Session(t, p.Provider, "token", p.Settings, p.Credential), place}
}

func (s sync) list(t *testing.T) map[string]provider.Entry {
	t.Helper()
	entries, err := vault.New().List(t.Context(), s.session, s.place)
	if err != nil {
		t.Fatal(err)
	}
	byName := make(map[string]provider.Entry)
	for _, e := range entries {
		byName[e.Name] = e
	}
	return byName
}

func (s sync) apply(t *testing.T, changes ...provider.Change) []provider.Result {
	t.Helper()
	return vault.New().Apply(t.Context(), s.session, s.place, changes)
}

func (s sync) done(t *testing.T, changes ...provider.Change) []provider.Result {
	t.Helper()
	results := s.apply(t, changes...)
	for _, r := range results {
		if r.Outcome != provider.Done {
			t.Fatalf("%s: %v", r.Outcome, r.Err)
		}
	}
	return results
}

func (s sync) raw(t *testing.T, path string, data map[string]any) {
	t.Helper()
	_, err := s.root.Logical().Write(s.mount+"/"+path, data)
	s.must(err)
}

func TestADeletedVersionCountsAsMissing(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, s sync){
		"deleted":   func(t *testing.T, s sync) { s.raw(t, "delete/acme/api/A", map[string]any{"versions": []int{1}}) },
		"destroyed": func(t *testing.T, s sync) { s.raw(t, "destroy/acme/api/A", map[string]any{"versions": []int{1}}) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSync(t, "2", provider.Key)
			s.done(t, provider.Change{Name: "A", Value: []byte("one")})
			end(t, s)
			if listed := s.list(t); len(listed) != 0 {
				t.Fatalf("List returned %v", listed)
			}
			created := s.done(t, provider.Change{Name: "A", Value: []byte("two")})[0].Entry
			if created.Version != "2" || s.truth()["A"] != "two" {
				t.Errorf("version %q of %v", created.Version, s.truth())
			}
		})
	}
}

func TestAVersionWithAFutureDeletionTimeIsListed(t *testing.T) {
	s := newSync(t, "2", provider.Key)
	s.raw(t, "metadata/acme/api/A", map[string]any{"delete_version_after": "1h"})
	s.plant("A", "one")
	if _, ok := s.list(t)["A"]; !ok {
		t.Error("List does not return the secret")
	}
}

func TestMetadataWithoutAVersionIsNotListed(t *testing.T) {
	s := newSync(t, "2", provider.Key)
	s.raw(t, "metadata/acme/api/A", map[string]any{"custom_metadata": map[string]string{"owner": "them"}})
	if listed := s.list(t); len(listed) != 0 {
		t.Fatalf("List returned %v", listed)
	}
	s.done(t, provider.Change{Name: "A", Value: []byte("one")})
}

// A deleted version of our secret could be undeleted, so it is removed. Versions of others are
// kept.
func TestDeleteRemovesAllVersionsOfOurSecret(t *testing.T) {
	s := newSync(t, "2", provider.Key)
	ours := s.done(t, provider.Change{Name: "A", Value: []byte("one")}, provider.Change{Name: "B", Value: []byte("two")})
	again := s.done(t, provider.Change{Name: "A", Value: []byte("one, changed"), Expect: &ours[0].Entry})
	s.done(t, provider.Change{Name: "A", Delete: true, Expect: &again[0].Entry})
	s.plant("B", "by others")
	s.raw(t, "delete/acme/api/B", map[string]any{"versions": []int{2}})
	s.done(t, provider.Change{Name: "B", Delete: true, Expect: &ours[1].Entry})
	for name, kept := range map[string]bool{"A": false, "B": true} {
		secret, err := s.root.Logical().Read(s.mount + "/metadata/acme/api/" + name)
		s.must(err)
		if (secret != nil) != kept {
			t.Errorf("%s: metadata exists: %t, want %t", name, secret != nil, kept)
		}
	}
}

func TestSecretsInOtherFormsAreListedAndKept(t *testing.T) {
	for _, version := range []string{"1", "2"} {
		t.Run("KV v"+version, func(t *testing.T) {
			s := newSync(t, version, provider.Key)
			unusual := []string{"OTHER_FIELDS", "s p%", "ä", "q?a=b#c", "a+b&c"}
			if version == "2" {
				unusual = append(unusual, "..x")
			}
			for _, name := range unusual {
				s.put("acme/api/"+name, map[string]any{"user": "them", "n": 1})
			}
			s.put("acme/api/below/DEEPER", map[string]any{"value": "theirs"})
			s.plant("NUMBER", "")
			s.put("acme/api/NUMBER", map[string]any{"value": 17})
			s.plant("TEXT", "theirs")
			before := s.list(t)
			want := append(slices.Clone(unusual), "NUMBER", "TEXT")
			if slices.Sort(want); !slices.Equal(slices.Sorted(maps.Keys(before)), want) {
				t.Fatalf("List returned %q, want %q", slices.Sorted(maps.Keys(before)), want)
			}
			values, err := vault.New().Read(t.Context(), s.session, s.place, want)
			if err != nil || len(values) != len(want) {
				t.Fatalf("Read returned %d values and %v", len(values), err)
			}
			for _, v := range values {
				if (v.Name == "TEXT") != (string(v.Bytes) == "theirs") || (v.Name == "TEXT") == (v.Bytes[0] == 0xff) {
					t.Errorf("%s is read as %q", v.Name, v.Bytes)
				}
			}
			s.done(t, provider.Change{Name: "OURS", Value: []byte("one")})
			after := s.list(t)
			delete(after, "OURS")
			if !maps.Equal(before, after) {
				t.Errorf("before %v, after %v", before, after)
			}
		})
	}
}

func TestABundleKeepsTheFieldsOfOthers(t *testing.T) {
	for _, version := range []string{"1", "2"} {
		t.Run("KV v"+version, func(t *testing.T) {
			s := newSync(t, version, provider.Bundle)
			s.put(s.path, map[string]any{
				"number": jsonNumber("9007199254740993"), "html": "<a&b>", "deep": map[string]any{"list": []any{1, jsonNumber("2.50"), nil, true}},
			})
			before := fmt.Sprint(s.get(s.path))
			s.done(t, provider.Change{Name: "OURS", Value: []byte("one")})
			s.done(t, provider.Change{Name: "OURS", Delete: true, Expect: &provider.Entry{Name: "OURS"}})
			if after := fmt.Sprint(s.get(s.path)); after != before || !strings.Contains(before, "<a&b>") {
				t.Errorf("before %s, after %s", before, after)
			}
		})
	}
}

func TestABundleIsOneVersionForAllChanges(t *testing.T) {
	s := newSync(t, "2", provider.Bundle)
	s.done(t, provider.Change{Name: "A", Value: []byte("1")}, provider.Change{Name: "B", Value: []byte("2")}, provider.Change{Name: "C", Value: []byte("3")})
	s.done(t, provider.Change{Name: "GONE", Delete: true})
	secret, err := s.root.Logical().Read(s.mount + "/metadata/" + s.path)
	s.must(err)
	if version := fmt.Sprint(secret.Data["current_version"]); version != "1" {
		t.Errorf("version %s", version)
	}
}

func TestABundleThatIsTooLargeChangesNothing(t *testing.T) {
	s := newSync(t, "2", provider.Bundle)
	s.plant("THEIRS", "stays")
	large := []byte(strings.Repeat("v", 600_000))
	for _, r := range s.apply(t, provider.Change{Name: "A", Value: large}, provider.Change{Name: "B", Value: large}) {
		if r.Outcome != provider.Failed || outbound.ClassOf(r.Err) != outbound.Limit {
			t.Errorf("%s: %v", r.Outcome, r.Err)
		}
	}
	if truth := s.truth(); len(truth) != 1 {
		t.Errorf("there are %d fields", len(truth))
	}
}

// A quote takes two bytes in JSON, so the value is below our limit and above Vault's.
func TestAValueThatOnlyVaultRejectsIsClassLimit(t *testing.T) {
	s := newSync(t, "2", provider.Key)
	r := s.apply(t, provider.Change{Name: "A", Value: []byte(strings.Repeat(`"`, 1_040_000))})[0]
	if r.Outcome != provider.Failed || outbound.ClassOf(r.Err) != outbound.Limit {
		t.Errorf("%s: %v", r.Outcome, r.Err)
	}
}

func TestAKV1BundleWithoutFieldsIsRemoved(t *testing.T) {
	s := newSync(t, "1", provider.Bundle)
	s.done(t, provider.Change{Name: "A", Value: []byte("1")})
	s.done(t, provider.Change{Name: "A", Delete: true, Expect: &provider.Entry{Name: "A"}})
	secret, err := s.root.Logical().Read(s.mount + "/" + s.path)
	s.must(err)
	if secret != nil {
		t.Errorf("the KV secret still exists: %v", secret.Data)
	}
}

// A KV secret of ours to which others have added a field is neither replaced nor removed. If the
// field appears between the listing and the write, the write is a conflict as well.
func TestFieldsOfOthersInAnEntryAreAConflict(t *testing.T) {
	for _, version := range []string{"1", "2"} {
		t.Run("KV v"+version, func(t *testing.T) {
			s := newSync(t, version, provider.Key)
			ours := s.done(t, provider.Change{Name: "A", Value: []byte("one")})[0].Entry
			s.put("acme/api/A", map[string]any{"value": "one", "owner": "them"})
			listed := s.list(t)["A"]
			for what, c := range map[string]provider.Change{
				"a write":                     {Name: "A", Value: []byte("two"), Expect: &listed},
				"a deletion":                  {Name: "A", Delete: true, Expect: &listed},
				"a write of an older listing": {Name: "A", Value: []byte("two"), Expect: &ours},
			} {
				r := s.apply(t, c)[0]
				if r.Outcome != provider.Failed || outbound.ClassOf(r.Err) != outbound.Conflict {
					t.Errorf("%s: %s: %v", what, r.Outcome, r.Err)
				}
				if strings.Contains(fmt.Sprint(r.Err), "owner") || strings.Contains(fmt.Sprint(r.Err), "them") {
					t.Errorf("%s: the error contains a field of others: %v", what, r.Err)
				}
			}
			if got := fmt.Sprint(s.get("acme/api/A")); got != "map[owner:them value:one]" {
				t.Errorf("the KV secret is %s", got)
			}
			values, err := vault.New().Read(t.Context(), s.session, s.place, []string{"A"})
			if err != nil || len(values) != 1 || values[0].Bytes[0] != 0xff {
				t.Errorf("a KV secret with fields of others is read as %q, %v", values, err)
			}
			s.done(t, provider.Change{Name: "A", Value: []byte("two"), Expect: &listed, Replace: true})
			if got := fmt.Sprint(s.get("acme/api/A")); got != "map[value:two]" {
				t.Errorf("the replaced KV secret is %s", got)
			}
		})
	}
}
