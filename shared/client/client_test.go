package client_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/stashbase/vault-stashbase/shared/client"
	"github.com/stashbase/vault-stashbase/shared/vaulttest"
)

var vault = vaulttest.Shared(vaulttest.Options{})

func TestMain(m *testing.M) { os.Exit(vault.Run(m)) }

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestATreeThroughTheClient(t *testing.T) {
	c, ctx := client.New(vault.Server(t).Client(), "/stashbase/"), t.Context()
	if c.Mount() != "stashbase" {
		t.Fatal(c.Mount())
	}
	made, err := c.PutWorkspace(ctx, client.Workspace{Name: "acme", Description: "d", Metadata: map[string]string{"a": "b"}, MaxVersions: 3, DeletionAllowed: true})
	check(t, err)
	read, err := c.Workspace(ctx, "acme")
	check(t, err)
	if read.ID != made.ID || read.Description != "d" || read.MaxVersions != 3 || read.Metadata["a"] != "b" {
		t.Errorf("%+v", read)
	}
	_, err = c.PutProject(ctx, client.Project{Workspace: "acme", Name: "api", Description: "d"})
	check(t, err)
	e, err := c.PutEnvironment(ctx, client.Environment{Workspace: "acme", Project: "api", Name: "dev", SharedWith: []string{"api/*"}})
	if check(t, err); len(e.SharedWith) != 1 {
		t.Errorf("shared with %v", e.SharedWith)
	}
	// A list that is absent shares with no environment: a put replaces all settings.
	e, err = c.PutEnvironment(ctx, client.Environment{Workspace: "acme", Project: "api", Name: "dev"})
	if check(t, err); len(e.SharedWith) != 0 {
		t.Errorf("shared with %v", e.SharedWith)
	}
	if err := c.DeleteProject(ctx, "acme", "api", false); !client.Is(err, client.Conflict) {
		t.Error(err)
	}
	check(t, c.DeleteEnvironment(ctx, "acme", "api", "dev", false))
	check(t, c.DeleteProject(ctx, "acme", "api", false))
	check(t, c.DeleteWorkspace(ctx, "acme"))
	if _, err := c.Workspace(ctx, "acme"); !client.IsGone(err) {
		t.Error(err)
	}
}

func TestSecretsThroughTheClient(t *testing.T) {
	c, ctx := client.New(vault.Server(t).Client(), ""), t.Context()
	at := client.Place{Workspace: "secrets", Project: "api", Environment: "dev"}
	_, err := c.Secret(ctx, at, "A")
	var e *client.Error
	if !errors.As(err, &e) || e.Kind != client.NotFound || e.Status != http.StatusBadRequest {
		t.Fatalf("a missing parent: %v", err)
	}
	_, err = c.PutWorkspace(ctx, client.Workspace{Name: "secrets", DeletionAllowed: true})
	check(t, err)
	t.Cleanup(func() { check(t, c.DeleteWorkspace(context.Background(), "secrets")) })
	_, err = c.PutProject(ctx, client.Project{Workspace: "secrets", Name: "api"})
	check(t, err)
	_, err = c.PutEnvironment(ctx, client.Environment{Workspace: "secrets", Project: "api", Name: "dev"})
	check(t, err)
	if _, err = c.Secret(ctx, at, "A"); !errors.As(err, &e) || e.Status != http.StatusNotFound {
		t.Fatalf("a missing secret: %v", err)
	}

	none := int64(0)
	v, err := c.PutSecret(ctx, at, "A", client.SecretInput{Value: "one", Tags: []string{"t"}, CAS: &none})
	if check(t, err); v.Version != 1 {
		t.Errorf("%+v", v)
	}
	if _, err = c.PutSecret(ctx, at, "A", client.SecretInput{Value: "two", CAS: &none}); !client.Is(err, client.Conflict) {
		t.Error(err)
	}
	done, err := c.Import(ctx, at, client.ImportInput{Values: map[string]string{"A": "one", "B": "b"}, Comment: "why"})
	if check(t, err); len(done.Created) != 1 || len(done.Unchanged) != 1 {
		t.Errorf("%+v", done)
	}
	_, err = c.Import(ctx, at, client.ImportInput{Values: map[string]string{"B": "c"}, CAS: map[string]int64{"B": 7}})
	if !client.Is(err, client.Conflict) {
		t.Error(err)
	}
	values, err := c.Load(ctx, at, []string{"A*"}, nil)
	if check(t, err); len(values) != 1 || values["A"] != "one" {
		t.Errorf("%d values", len(values))
	}
	check(t, c.SetTags(ctx, at, "A", nil))
	check(t, c.DeleteSecret(ctx, at, "B"))
	all, err := c.Metadata(ctx, at)
	if check(t, err); !all["A"].Live() || all["B"].Live() || len(all["A"].Tags) != 0 || all["A"].Name != "A" {
		t.Errorf("%+v", all)
	}
	if _, err := c.Secret(ctx, at, "B"); !client.IsGone(err) {
		t.Error(err)
	}
	check(t, c.PurgeSecret(ctx, at, "B"))
	if _, err := c.SecretMetadata(ctx, at, "B"); !client.IsGone(err) {
		t.Error(err)
	}
	one, err := c.Secret(ctx, at, "A")
	if check(t, err); one.Value != "one" {
		t.Errorf("version %d", one.Version.Version)
	}
	// The metadata of one secret are as complete as those of a read.
	_, err = c.PutSecret(ctx, at, "C", client.SecretInput{Value: "AAEC", Encoding: "base64", Comment: "why", Tags: []string{"t"}})
	check(t, err)
	single, err := c.SecretMetadata(ctx, at, "C")
	if check(t, err); single.Encoding != "base64" || single.Comment != "why" || single.Size != 3 || single.CreatedTime == "" || !single.Live() || single.Name != "C" || len(single.Tags) != 1 {
		t.Errorf("%+v", single)
	}
}

func TestASyncThroughTheClient(t *testing.T) {
	server := vault.Server(t)
	c, ctx := client.New(server.Client(), ""), t.Context()
	check(t, server.Client().Sys().Mount("synced", &api.MountInput{Type: "kv", Options: map[string]string{"version": "2"}}))
	_, err := c.PatchConfig(ctx, map[string]any{"egress_allow": []string{"127.0.0.0/8"}})
	check(t, err)
	_, err = c.PutWorkspace(ctx, client.Workspace{Name: "syncs", DeletionAllowed: true})
	check(t, err)
	t.Cleanup(func() {
		check(t, c.DeleteWorkspace(context.Background(), "syncs"))
		check(t, server.Client().Sys().Unmount("synced"))
	})
	_, err = c.PutProject(ctx, client.Project{Workspace: "syncs", Name: "api"})
	check(t, err)
	source := client.Place{Workspace: "syncs", Project: "api", Environment: "dev"}
	_, err = c.PutEnvironment(ctx, client.Environment{Workspace: "syncs", Project: "api", Name: "dev"})
	check(t, err)
	_, err = c.PutSecret(ctx, source, "A", client.SecretInput{Value: "one"})
	check(t, err)
	_, err = c.WriteIntegration(ctx, client.IntegrationPlace{Workspace: "syncs", Provider: "vault", Name: "main"}, client.Settings{
		"address": server.Address(), "ca_pem": server.CACertPEM(), "token": server.RootToken(), "allowed_environments": "*", "allowed_targets": "*",
	})
	check(t, err)

	at := client.SyncPlace{Source: source, Destination: "vault-kv", Name: "main"}
	definition := client.Settings{"integration": "main", "mount": "synced", "path": "api", "trigger": "manual"}
	plan, err := c.PlanSync(ctx, at, definition)
	if check(t, err); plan.Blocked != "" || plan.Counts["create"] != 1 || len(plan.Actions) != 1 || plan.Actions[0].Name != "A" || plan.Actions[0].Action != "create" {
		t.Errorf("%+v", plan)
	}
	if _, err := c.SyncPlan(ctx, at); !client.IsGone(err) {
		t.Errorf("the plan has made the sync: %v", err)
	}
	_, err = c.WriteSync(ctx, at, definition)
	check(t, err)
	if plan, err = c.SyncPlan(ctx, at); err != nil || plan.Counts["create"] != 1 {
		t.Errorf("%+v, %v", plan, err)
	}
	check(t, c.DeleteSync(ctx, at, false))
}

func TestTheMountThroughTheClient(t *testing.T) {
	server, ctx := vault.Server(t), t.Context()
	c := client.New(server.Client(), "")
	before, err := c.Config(ctx)
	check(t, err)
	after, err := c.PatchConfig(ctx, map[string]any{"max_versions": 7})
	if check(t, err); after["max_versions"] == before["max_versions"] {
		t.Errorf("%v", after["max_versions"])
	}
	after, err = c.PatchConfig(ctx, map[string]any{"max_versions": nil})
	if check(t, err); after["max_versions"] != before["max_versions"] {
		t.Errorf("%v", after["max_versions"])
	}
	p, err := c.Policy(ctx, "workload", map[string]string{"workspace": "w", "project": "p", "environment": "e"})
	if check(t, err); !strings.Contains(p.Policy, "stashbase/load/w/p/e") {
		t.Error(p.Policy)
	}
	if _, err := client.New(server.Client(), "elsewhere").Config(ctx); !client.Is(err, client.NoMount) {
		t.Errorf("a missing mount: %v", err)
	}
	denied := client.New(server.ClientWithPolicy(t, `path "x" { capabilities = ["read"] }`), "")
	if _, err := denied.Config(ctx); !client.Is(err, client.NoPermission) || client.IsGone(err) {
		t.Errorf("a missing right: %v", err)
	}
}

// All other tests with a Vault reach it over TLS.
func TestAVaultOverPlainHTTP(t *testing.T) {
	c := client.New(vaulttest.Start(t, vaulttest.Options{PlainHTTP: true}).Client(), "")
	_, err := c.PutWorkspace(t.Context(), client.Workspace{Name: "plain", DeletionAllowed: true})
	check(t, err)
	check(t, c.DeleteWorkspace(t.Context(), "plain"))
	if _, err := c.Workspace(t.Context(), "plain"); !client.IsGone(err) {
		t.Error(err)
	}
}

// The text of a proxy, and a value in a response, must not be part of an error.
func TestAStrangeResponseIsNotRepeated(t *testing.T) {
	for name, body := range map[string]string{"no JSON": "<html>planted</html>", "another form": `{"data": {"secrets": "planted"}}`, "nothing": ""} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }))
			defer s.Close()
			config := api.DefaultConfig()
			config.Address, config.AgentAddress = s.URL, ""
			vault, err := api.NewClient(config)
			check(t, err)
			_, err = client.New(vault, "").Metadata(t.Context(), client.Place{Workspace: "a", Project: "b", Environment: "c"})
			if !client.Is(err, client.Strange) || strings.Contains(err.Error(), "planted") {
				t.Error(err)
			}
		})
	}
}

// A server that hangs must not hang its clients.
func TestARequestEndsAfterTheConfiguredTime(t *testing.T) {
	release := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer s.Close()
	defer close(release)
	config := api.DefaultConfig()
	config.Address, config.AgentAddress, config.MaxRetries, config.Timeout = s.URL, "", 0, 50*time.Millisecond
	vault, err := api.NewClient(config)
	check(t, err)
	c := client.New(vault, "")
	if _, err := c.Config(t.Context()); !client.Is(err, client.Unreachable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if _, err := c.PutWorkspace(t.Context(), client.Workspace{Name: "w"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}
