package backend_test

import (
	"testing"
	"time"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
)

// If the plugin's process is gone, Vault sends a request again with the same id. It is then unknown
// whether the first request completed. The replay must return the result of the first request, and
// must not repeat its change.
func TestAReplayReturnsTheSameAndChangesNothing(t *testing.T) {
	cases := []struct {
		name    string
		request enginetest.Request
		want    data
	}{
		{"create a workspace", write("workspaces/new", data{"description": "x"}), data{"description": "x"}},
		{"create a project", write("projects/acme/new", data{"description": "x"}), data{"name": "new"}},
		{"change a workspace", write("workspaces/acme", data{"description": "x"}), data{"description": "x"}},
		{"change a project", write("projects/acme/api", data{"description": "x"}), data{"description": "x"}},
		{"change an environment", write("environments/"+dev, data{"production": true}), data{"production": true}},
		{"create an environment", write("environments/acme/api/new", data{"production": true}), data{"production": true}},
		{"write a new secret", write("secrets/"+dev+"/NEW", data{"value": "v"}), data{"version": 1}},
		{"write a new secret with cas", write("secrets/"+dev+"/NEW", data{"value": "v", "cas": 0}), data{"version": 1}},
		{"write a secret", write(secret, data{"value": "v"}), data{"version": 2}},
		{"write a secret with cas", write(secret, data{"value": "v", "cas": 1}), data{"version": 2}},
		{"delete a secret", remove(secret, nil), data{"version": 1, "deletion_time": "2026-01-02T03:04:05Z"}},
		{"import", write("import/"+dev, data{"mode": "replace", "secrets": data{"NEW": "v", "SAME": "s", "OTHER": "v"}}),
			data{"created": []string{"NEW"}, "updated": []string{"OTHER"}, "unchanged": []string{"SAME"}, "deleted": []string{"DATABASE_URL"}}},
		{"rotate a workspace's key", write("keys/acme/rotate", nil), data{"latest_version": 2}},
		{"rotate the master key", write("master-key/rotate", nil), data{"latest_version": 2}},
	}
	for _, c := range cases {
		for _, restart := range []bool{false, true} {
			name := c.name
			if restart {
				name += " and lose the process"
			}
			t.Run(name, func(t *testing.T) {
				m := populated(t)
				m.Write(secret, data{"value": "first"})
				m.Write("secrets/"+dev+"/SAME", data{"value": "s"})
				m.Write("secrets/"+dev+"/OTHER", data{"value": "o"})
				c.request.ID = "the same"
				resp, err := m.Do(c.request)
				if err != nil {
					t.Fatal(err)
				}
				has(t, resp, c.want)
				m.Settle()
				m.Clock.Advance(time.Minute)
				if restart {
					m = m.Restart()
				}
				before := m.Storage.Clone()
				again, err := m.Do(c.request)
				if err != nil {
					t.Fatal(err)
				}
				has(t, again, c.want)
				if created := resp["created_time"]; again["created_time"] != created || again["updated_time"] != resp["updated_time"] {
					t.Errorf("the replay returned %v, the first request %v", again, resp)
				}
				m.Settle()
				for _, key := range before.Diff(m.Storage) {
					t.Errorf("the replay changed %s", key)
				}
			})
		}
	}
}

func TestADifferentRequestIsNotAReplay(t *testing.T) {
	m := populated(t)
	m.Write(secret, data{"value": "v"})
	has(t, m.Write(secret, data{"value": "v"}), data{"version": 2})
	m.Write("keys/acme/rotate", nil)
	has(t, m.Write("keys/acme/rotate", nil), data{"latest_version": 3})
	m.Write("master-key/rotate", nil)
	has(t, m.Write("master-key/rotate", nil), data{"latest_version": 3})
	m.Settle()
	has(t, m.Read("master-key"), data{"latest_version": 3, "rewrap": data{"state": "idle", "total": 1, "done": 1, "failed": 0, "waiting": 0, "locked": 0}})
	has(t, m.Read(secret), data{"value": "v"})
}
