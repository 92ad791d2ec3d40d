package backend_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/shared/provider/providertest/toy"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/references"
)

// Every field that a caller fills with patterns accepts 64 of them, of 256 bytes, and no more.
func TestEveryFieldOfPatternsIsBounded(t *testing.T) {
	m, server := synced(t, nil)
	const anIntegration, other = "integrations/acme/toy/bounded", "syncs/acme/api/development/toy-shelf/bounded"
	for _, tc := range []struct {
		field, prefix string // the prefix makes a pattern that the field accepts
		req           enginetest.Request
	}{
		{"include", "", read("load/"+dev, data{})},
		{"exclude", "", read("load/"+dev, data{})},
		{"include", "", read("render/"+dev, data{})},
		{"exclude", "", read("render/"+dev, data{})},
		{"shared_with", "api/", write("environments/"+dev, data{})},
		{"allowed_environments", "api/", write(anIntegration, data{"key": server.Key()})},
		{"allowed_targets", "", write(anIntegration, data{"key": server.Key()})},
		{"include", "", write(other, data{"integration": "main", "shelf": "elsewhere"})},
		{"exclude", "", write(other, data{"integration": "main", "shelf": "elsewhere"})},
		{"tags", "", write(other, data{"integration": "main", "shelf": "elsewhere"})},
	} {
		t.Run(tc.req.Path+" "+tc.field, func(t *testing.T) {
			set := func(patterns ...string) enginetest.Request {
				req := tc.req
				req.Data = data{tc.field: strings.Join(patterns, ",")}
				for name, value := range tc.req.Data {
					req.Data[name] = value
				}
				return req
			}
			many := make([]string, 65)
			for i := range many {
				many[i] = tc.prefix + fmt.Sprint("a", i)
			}
			long := tc.prefix + strings.Repeat("a", 256-len(tc.prefix))
			for _, good := range []enginetest.Request{set(many[:64]...), set(long)} {
				if _, err := m.Do(good); err != nil {
					t.Errorf("at the limit: %v", err)
				}
			}
			for _, bad := range []enginetest.Request{set(many...), set(long + "a")} {
				expect(t, m.Refuse(bad.Op, bad.Path, bad.Data), 400, "limit", tc.field+":")
			}
		})
	}
}

// Lists of versions and of entries are compared with what is stored while a lock is held.
func TestListsOfVersionsAndOfEntriesAreBounded(t *testing.T) {
	m, server := synced(t, nil)
	server.Plant("top", "A", "theirs")
	m.Write(source+"A", data{"value": "ours"})
	rest(t, m)
	numbers, names := make([]int, 1001), make([]string, 1001)
	for i := range numbers {
		numbers[i], names[i] = 1, "A"
	}
	for _, verb := range []string{"undelete/", "destroy/"} {
		m.Write(verb+dev+"/A", data{"versions": numbers[:1000]})
		expect(t, m.Refuse(logical.UpdateOperation, verb+dev+"/A", data{"versions": numbers}), 400, "limit", "versions:")
	}
	m.Write(aSync+"/adopt", data{"keys": names[:1000]})
	expect(t, m.Refuse(logical.UpdateOperation, aSync+"/adopt", data{"keys": names}), 400, "limit", "keys:")
}

// canceledAfter is a context that is canceled after a number of checks.
type canceledAfter struct {
	context.Context
	checks, after int
}

func (c *canceledAfter) Err() error {
	if c.checks++; c.checks > c.after {
		return context.Canceled
	}
	return nil
}

// A request whose client has gone stops at the next secret.
func TestAMatchOfPatternsStopsWhenTheClientHasGone(t *testing.T) {
	m := populated(t)
	secrets := make(data)
	for i := range 1000 {
		secrets[fmt.Sprintf("SECRET_%04d", i)] = "v"
	}
	m.Write("import/"+dev, data{"secrets": secrets})
	m.Populate("acme", "api", "heir")
	m.Write("environments/"+dev, data{"shared_with": "api/*"})
	m.Write("environments/acme/api/heir", data{"base": "development"})
	m.Read("load/acme/api/heir") // everything is in memory
	for _, path := range []string{"load/" + dev, "load/acme/api/heir", "changes/" + dev, "render/" + dev} {
		req := &logical.Request{
			ID: "gone", Operation: logical.ReadOperation, Path: path, Storage: m.Storage, MountPoint: "stashbase/",
		}
		if path != "changes/"+dev {
			req.Data = data{"include": "*_1*", "exclude": "*_2*"}
		}
		const after = 100
		ctx := &canceledAfter{Context: t.Context(), after: after}
		if _, err := m.Backend.HandleRequest(ctx, req); err == nil {
			t.Errorf("%s: %d checks, and the request was not canceled", path, ctx.checks)
		} else if ctx.checks > after+10 {
			t.Errorf("%s: the request went on for %d checks", path, ctx.checks-after)
		}
	}
}

func TestTheMetadataOfManySecretsHaveNoTexts(t *testing.T) {
	m := populated(t)
	m.Write(secret, data{"value": "v", "comment": "the reason", "tags": "blue"})
	m.Write("metadata/"+dev+"/DATABASE_URL", data{"custom_metadata": data{"owner": "payments"}})
	one := object(t, m.Read("metadata/"+dev), "secrets", "DATABASE_URL")
	has(t, one, data{"version": 1, "state": "live", "tags": []string{"blue"}})
	for _, field := range []string{"comment", "custom_metadata"} {
		if _, returned := one[field]; returned {
			t.Errorf("%s is returned", field)
		}
	}
	full := m.Read("metadata/" + dev + "/DATABASE_URL")
	has(t, full, data{"custom_metadata": data{"owner": "payments"}})
	has(t, object(t, full, "versions", "1"), data{"comment": "the reason"})
}

func TestTheChangelogIsPaged(t *testing.T) {
	m := populated(t)
	for i := range 25 {
		if i%3 != 0 {
			m.Clock.Advance(time.Second) // some changes have one time
		}
		m.Write("secrets/"+dev+"/"+fmt.Sprint("S", i%7), data{"value": fmt.Sprint(i)})
	}
	m.Delete("secrets/"+dev+"/S0", nil)
	all := changeIDs(t, m)
	if len(all) != 26 || m.Read("changes/" + dev)["next"] != nil {
		t.Fatalf("%d changes", len(all))
	}
	for _, limit := range []int{1, 7, 25, 26, 1000} {
		var paged []string
		query := data{"limit": limit}
		for range 30 {
			page := m.Must(logical.ReadOperation, "changes/"+dev, query)
			for _, change := range page["changes"].([]any) {
				paged = append(paged, change.(data)["change"].(string))
			}
			next, more := page["next"].(string)
			if more != (len(paged) < len(all)) {
				t.Fatalf("limit %d: after %d changes, next is %q", limit, len(paged), next)
			}
			if !more {
				break
			}
			query["after"] = next
			m.Clock.Advance(time.Second)
			m.Write("secrets/"+dev+"/LATER", data{"value": next}) // a change that comes meanwhile moves no page
		}
		if !slices.Equal(paged, all) {
			t.Errorf("limit %d: the pages have %v, want %v", limit, paged, all)
		}
		_, _ = m.Do(remove("metadata/"+dev+"/LATER", nil)) // it exists if there was a second page
	}
	for _, bad := range []data{{"limit": 1001}, {"limit": 0}, {"after": "nonsense"}, {"after": "2026/x"}} {
		expect(t, m.Refuse(logical.ReadOperation, "changes/"+dev, bad), 400, "invalid")
	}
}

// max_environment_bytes bounds what the responses about an environment contain.
func TestTextsCountAgainstTheSizeOfAnEnvironment(t *testing.T) {
	m := populated(t)
	m.Write("workspaces/acme", data{"max_environment_bytes": 1000})
	room := func(n int) {
		t.Helper()
		expect(t, m.Refuse(logical.UpdateOperation, "secrets/"+dev+"/F", data{"value": strings.Repeat("f", n)}), 400, "limit", "1000 bytes")
		m.Write("secrets/"+dev+"/F", data{"value": strings.Repeat("f", n-1)})
		m.Delete("metadata/"+dev+"/F", nil)
	}
	m.Write("secrets/"+dev+"/A", data{"value": "12345"})
	room(1000 - 6)
	m.Write("secrets/"+dev+"/A", data{"value": "12345", "comment": "1234567890"})
	room(1000 - 16)
	m.Write("secrets/"+dev+"/A", data{"value": "12345", "comment": "1234567890", "tags": "12,34"})
	room(1000 - 30) // the comments of both versions count
	m.Write("metadata/"+dev+"/A", data{"custom_metadata": data{"abc": "1234567"}})
	room(1000 - 40)
	m.Write("import/"+dev, data{"secrets": data{"B": "12"}, "comment": "123"})
	room(1000 - 46)
	m.Delete("secrets/"+dev+"/B", nil)
	room(1000 - 43) // its comment is still returned
	expect(t, m.Refuse(logical.UpdateOperation, "metadata/"+dev+"/A", data{"tags": slices.Repeat([]string{strings.Repeat("t", 64)}, 16)}), 400, "limit", "max_environment_bytes")
	for m := range restarting(&m) {
		expect(t, m.Refuse(logical.UpdateOperation, "metadata/"+dev+"/A", data{"custom_metadata": data{"abc": strings.Repeat("v", 500), "abcd": strings.Repeat("v", 500)}}), 400, "limit", "max_environment_bytes")
	}
}

// Regression: with delete_version_after, no value counted, because every version has a deletion
// time. An environment of a few megabytes could then hold as many values as max_secrets allows.
func TestVersionsThatExpireCountAgainstTheSizeOfAnEnvironment(t *testing.T) {
	m := populated(t)
	m.Write("workspaces/acme", data{"max_environment_bytes": 100, "delete_version_after": "24h"})
	m.Write("secrets/"+dev+"/A", data{"value": strings.Repeat("a", 79)})
	for m := range restarting(&m) {
		expect(t, m.Refuse(logical.UpdateOperation, "secrets/"+dev+"/B", data{"value": strings.Repeat("b", 20)}), 400, "limit", "100 bytes")
	}
	m.Write("secrets/"+dev+"/B", data{"value": strings.Repeat("b", 19)})
}

func TestOlderAndDeletedVersionsHaveAQuota(t *testing.T) {
	m := populated(t)
	m.Write("workspaces/acme", data{"max_environment_bytes": 100, "max_versions": 100})
	value := func(n int) data { return data{"value": strings.Repeat("v", n)} }
	for range 17 {
		m.Write("secrets/"+dev+"/A", value(90))
	}
	m.Delete("secrets/"+dev+"/A", nil) // 17 times 90: a delete is never refused
	refuses := func(req enginetest.Request) {
		t.Helper()
		expect(t, m.Refuse(req.Op, req.Path, req.Data), 400, "limit", "1600 bytes of older and deleted versions", "destroy")
	}
	m.Write("secrets/"+dev+"/B", value(70))
	m.Write("secrets/"+dev+"/B", value(1)) // 1530 and 70
	refuses(write("secrets/"+dev+"/B", value(1)))
	refuses(write("import/"+dev, data{"secrets": data{"B": "2"}}))
	m.Write("secrets/"+dev+"/C", value(1)) // it replaces no value
	m.Write("destroy/"+dev+"/A", data{"versions": "1"})
	for range 90 {
		m.Write("secrets/"+dev+"/B", value(1))
	}
	refuses(write("secrets/"+dev+"/B", value(1)))
	m.Delete("metadata/"+dev+"/A", nil)
	m.Write("secrets/"+dev+"/B", value(1))
}

// A removed secret leaves a tombstone. A tenant that creates and removes secrets with new names
// again and again would fill storage and memory.
func TestAnEnvironmentHasABoundedNumberOfNames(t *testing.T) {
	m := populated(t)
	m.Write("workspaces/acme", data{"max_secrets": 2})
	for i := range 19 {
		m.Write("secrets/"+dev+"/"+fmt.Sprint("S", i), data{"value": "v"})
		m.Delete("metadata/"+dev+"/"+fmt.Sprint("S", i), nil)
	}
	m.Write("secrets/"+dev+"/LAST", data{"value": "v"})
	for m := range restarting(&m) {
		expect(t, m.Refuse(logical.UpdateOperation, "secrets/"+dev+"/MORE", data{"value": "v"}), 400, "limit", "20 names")
		expect(t, m.Refuse(logical.UpdateOperation, "import/"+dev, data{"secrets": data{"MORE": "v"}}), 400, "limit", "20 names")
	}
	has(t, m.Write("secrets/"+dev+"/S7", data{"value": "v"}), data{"version": 2}) // a name that was used before
	m.Delete("metadata/"+dev+"/LAST", nil)
	m.Write("import/"+dev, data{"secrets": data{"S8": "v"}})
	m.Write("workspaces/acme", data{"max_secrets": 3})
	m.Write("secrets/"+dev+"/MORE", data{"value": "v"})
}

func TestTheReferencesOfOneRequestAreBounded(t *testing.T) {
	m := populated(t)
	m.Write("config", data{"max_value_bytes": 384 << 10})
	m.Write("secrets/"+dev+"/A", data{"value": "a"})
	refers := func(n int) data { return data{"value": strings.Repeat("${A}", n), "references": true} }
	expect(t, m.Refuse(logical.UpdateOperation, "secrets/"+dev+"/B", refers(references.MaxExpansions+1)), 400, "limit", "50000 references")
	m.Write("secrets/"+dev+"/B", refers(references.MaxExpansions))
	if got, _ := m.Read("load/" + dev)["B"].(string); len(got) != references.MaxExpansions {
		t.Errorf("%d bytes are delivered", len(got))
	}
	m.Write("secrets/"+dev+"/C", refers(1))
	expect(t, m.Refuse(logical.ReadOperation, "load/"+dev, nil), 400, "limit", "50000 references")
	m.Must(logical.ReadOperation, "load/"+dev, data{"exclude": "C"})
}

func TestTheEnvironmentsThatReferencesReachAreBounded(t *testing.T) {
	m := populated(t)
	var value strings.Builder
	names := make([]string, references.MaxReached)
	for i := range names {
		names[i] = fmt.Sprint("e", i)
		m.Write("environments/acme/api/"+names[i], data{"shared_with": "api/development"})
		m.Write("secrets/acme/api/"+names[i]+"/A", data{"value": "a"})
	}
	for _, name := range names[1:] { // the environment itself counts too
		value.WriteString("${" + name + "/A}")
	}
	m.Write("secrets/"+dev+"/B", data{"value": value.String(), "references": true})
	if got := m.Read("load/" + dev)["B"]; got != strings.Repeat("a", references.MaxReached-1) {
		t.Errorf("%v is delivered", got)
	}
	expect(t, m.Refuse(logical.UpdateOperation, "secrets/"+dev+"/B", data{"value": value.String() + "${" + names[0] + "/A}", "references": true}), 400, "limit", "100 environments")
}

// The lineage of a target, and whether its owner shares it, are computed once for a request. A
// reference then costs a few allocations, however many environments the target inherits from.
func TestAReferenceCostsTheSameWhateverItsTargetInheritsFrom(t *testing.T) {
	m := populated(t)
	m.Write("config", data{"max_value_bytes": 384 << 10})
	m.Write("environments/acme/api/e0", data{"shared_with": "api/*"})
	m.Write("secrets/acme/api/e0/A", data{"value": "a"})
	for i := 1; i < 9; i++ {
		m.Write("environments/acme/api/"+fmt.Sprint("e", i), data{"shared_with": slices.Repeat([]string{"api/*"}, 64), "base": fmt.Sprint("e", i-1)})
	}
	allocations := func(target string, n int) float64 {
		m.Write("secrets/"+dev+"/B", data{"value": strings.Repeat("${"+target+"/A}", n), "references": true})
		return testing.AllocsPerRun(3, func() { m.Read("load/" + dev) })
	}
	for _, target := range []string{"e0", "e8"} {
		few, many := allocations(target, 10), allocations(target, 2010)
		if each := (many - few) / 2000; each > 12 {
			t.Errorf("a reference to %s costs %.1f allocations", target, each)
		}
	}
}

// The names of syncs are compared while no lock is held. A comparison that takes long holds up no
// other change of the workspace, and what such a change brings is compared too.
func TestComparingSyncsHoldsUpNoOtherChange(t *testing.T) {
	held, goOn := make(chan struct{}), make(chan struct{})
	var slow bool
	fold := func(name string) string {
		if slow && strings.HasPrefix(name, "~") {
			slow = false
			close(held)
			<-goOn
		}
		return name
	}
	m, _ := syncedAs(t, toy.Options{Fold: fold}, data{"include": "A*"})
	const other, third = "syncs/acme/api/development/toy-shelf/other", "syncs/acme/api/development/toy-shelf/third"
	slow = true
	done := make(chan error, 1)
	go func() {
		_, err := m.Do(write(other, data{"integration": "main", "shelf": "top", "include": "~B*"}))
		done <- err
	}()
	<-held
	through(t, m, write("environments/acme/api/more", nil), write("projects/acme/more", nil),
		write(third, data{"integration": "main", "shelf": "top", "include": "~BC"}))
	close(goOn)
	var refused *enginetest.Refused
	if err := <-done; !errors.As(err, &refused) || refused.Status != 409 || !strings.Contains(refused.Text, "toy-shelf/third") {
		t.Errorf("the sync that overlaps with a newer one: %v", err)
	}
}

func TestSyncsWhoseNamesAreTooMuchWorkToCompareAreRejected(t *testing.T) {
	plain, hard := make([]string, 64), make([]string, 64)
	for i := range hard { // no two meet, but only the whole comparison shows that
		plain[i], hard[i] = strings.Repeat("a", 240-i), "a*b"+strings.Repeat("?", 100+i)+"*a"
	}
	m, _ := synced(t, data{"include": plain, "name_template": "{{ .Name }}" + strings.Repeat("x", 250)})
	given := data{"integration": "main", "shelf": "top", "include": hard, "name_template": "{{ .Name }}" + strings.Repeat("y", 250)}
	m.Write("syncs/acme/api/development/toy-shelf/ends-apart", given) // the ends of the names differ
	given["name_template"] = "{{ .Name }}" + strings.Repeat("x", 250)
	got := m.Refuse(logical.UpdateOperation, "syncs/acme/api/development/toy-shelf/other", given)
	expect(t, got, 400, "limit", "include:", "too many or too long to compare", "toy-shelf/main")
	given["include"] = hard[:8]
	m.Write("syncs/acme/api/development/toy-shelf/other", given)
}
