package acceptance_test

import (
	"net/http"
	"strings"
	"testing"
)

// Vault runs the plugin's existence check before a write. The result decides whether the write is a
// create or an update.
func TestCreateAndUpdateNeedTheirOwnCapability(t *testing.T) {
	s := vault.Server(t)
	operator := root(t, s)
	env := environment(t, operator)
	w, _, _ := strings.Cut(env, "/")
	operator.write("secrets/"+env+"/OLD", data{"value": "x"})
	for _, tc := range []struct{ name, existing, missing string }{
		{"secrets", "secrets/" + env + "/OLD", "secrets/" + env + "/NEW"},
		{"environments", "environments/" + env, "environments/" + w + "/api/new"},
		{"projects", "projects/" + w + "/api", "projects/" + w + "/new"},
		{"workspaces", "workspaces/" + w, "workspaces/" + w + "new"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			body := data{}
			if tc.name == "secrets" {
				body["value"] = "y"
			}
			may := func(capability string) caller {
				return callerOf(t, s.ClientWithPolicy(t, `path "stashbase/`+tc.name+`/*" { capabilities = ["`+capability+`"] }`))
			}
			creator, updater := may("create"), may("update")
			creator.forbidden(tc.existing, body)
			updater.forbidden(tc.missing, body)
			updater.write(tc.existing, body)
			creator.write(tc.missing, body)
			creator.forbidden(tc.missing, body) // now it exists
			updater.write(tc.missing, body)
		})
	}
	operator.shred(w + "new")
}

// A plugin that has just started must know what exists before its first request.
func TestANewProcessDistinguishesCreateAndUpdate(t *testing.T) {
	s := vault.Server(t)
	operator := root(t, s)
	env := environment(t, operator)
	path := "secrets/" + env + "/OLD"
	operator.write(path, data{"value": "x"})
	creator := callerOf(t, s.ClientWithPolicy(t, `path "stashbase/secrets/*" { capabilities = ["create"] }`))
	for name, restart := range map[string]func(testing.TB){"killed": s.KillPlugin, "reloaded": s.ReloadPlugin} {
		t.Run(name, func(t *testing.T) {
			restart(t)
			creator.in(t).forbidden(path, data{"value": "y"})
			expect(t, "secret", operator.in(t).read(path), data{"value": "x", "version": 1})
		})
	}
}

func TestActionsNeedTheUpdateCapability(t *testing.T) {
	s := vault.Server(t)
	operator := root(t, s)
	env := environment(t, operator)
	w, _, _ := strings.Cut(env, "/")
	for _, tc := range []struct {
		path string
		body data
	}{
		{"import/" + env, data{"secrets": data{"A": "1"}}},
		{"keys/" + w + "/rotate", data{}},
		{"keys/" + w + "/rewrap", data{}},
		{"config", data{}},
	} {
		t.Run(tc.path, func(t *testing.T) {
			may := func(capability string) caller {
				return callerOf(t, s.ClientWithPolicy(t, `path "stashbase/`+tc.path+`" { capabilities = ["`+capability+`"] }`))
			}
			may("create").forbidden(tc.path, tc.body)
			may("update").write(tc.path, tc.body)
		})
	}
}

func (c caller) forbidden(path string, body data) {
	c.t.Helper()
	if a := c.send("POST", path, body); a.status != http.StatusForbidden {
		c.t.Errorf("%s\nwant 403", a)
	}
}
