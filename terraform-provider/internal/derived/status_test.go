package derived

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/stashbase/vault-stashbase/shared/client"
)

// engine is a client of a server that answers these states of a sync, one after the other, and the last for ever. No connection is
// opened: the transport answers by itself, so that time is the test's own.
func engine(t *testing.T, states ...string) *client.Client {
	t.Helper()
	config := api.DefaultConfig()
	config.Address, config.AgentAddress = "http://vault.acme.example", ""
	config.HttpClient = &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
		answer := httptest.NewRecorder()
		_, _ = answer.WriteString(`{"data": {"state": "` + states[0] + `"}}`)
		if len(states) > 1 {
			states = states[1:]
		}
		response := answer.Result()
		response.Request = r
		return response, nil
	})}
	vault, err := api.NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	return client.New(vault, "")
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestAStatusIsAwaitedUntilTheSyncIsAtRest(t *testing.T) {
	cases := []struct {
		name   string
		states []string
		limit  time.Duration
		want   string
		took   time.Duration
	}{
		{"at rest", []string{"SYNCED"}, time.Minute, "SYNCED", 0},
		{"on its way", []string{"PENDING", "RUNNING", "RETRYING", "SYNCED"}, time.Minute, "SYNCED", 3 * askEvery},
		{"a conflict does not pass by itself", []string{"PLANNING", "CONFLICT"}, time.Minute, "CONFLICT", askEvery},
		{"the time is over", []string{"RETRYING"}, 2 * time.Second, "RETRYING", 2 * time.Second},
		{"nobody waits", []string{"RUNNING", "SYNCED"}, 0, "RUNNING", 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				vault, begin := engine(t, c.states...), time.Now()
				answer, err := await(t.Context(), vault, client.SyncPlace{Destination: "toy"}, c.limit)
				if err != nil || answer[fieldState] != c.want {
					t.Errorf("%v (%v), want %s", answer, err, c.want)
				}
				if took := time.Since(begin); took != c.took {
					t.Errorf("it took %s, want %s", took, c.took)
				}
			})
		})
	}
}
