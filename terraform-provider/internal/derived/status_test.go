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

// engine returns a client of a server that returns the given states of a sync one after the other,
// and the last state from then on. The transport opens no connection, so the test's clock is
// synthetic.
func engine(t *testing.T, states ...string) *client.Client {
	t.Helper()
	config := api.DefaultConfig()
	config.Address, config.AgentAddress = "http://vault.acme.example", ""
	config.HttpClient = &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
		recorder := httptest.NewRecorder()
		_, _ = recorder.WriteString(`{"data": {"state": "` + states[0] + `"}}`)
		if len(states) > 1 {
			states = states[1:]
		}
		response := recorder.Result()
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

func TestAStatusIsAwaitedUntilItsStateIsFinal(t *testing.T) {
	cases := []struct {
		name   string
		states []string
		limit  time.Duration
		want   string
		took   time.Duration
	}{
		{"a final state", []string{"SYNCED"}, time.Minute, "SYNCED", 0},
		{"transient states", []string{"PENDING", "RUNNING", "RETRYING", "SYNCED"}, time.Minute, "SYNCED", 3 * askEvery},
		{"a conflict is final", []string{"PLANNING", "CONFLICT"}, time.Minute, "CONFLICT", askEvery},
		{"the time is over", []string{"RETRYING"}, 2 * time.Second, "RETRYING", 2 * time.Second},
		{"no waiting", []string{"RUNNING", "SYNCED"}, 0, "RUNNING", 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				vault, begin := engine(t, c.states...), time.Now()
				status, err := await(t.Context(), vault, client.SyncPlace{Destination: "toy"}, c.limit)
				if err != nil || status[fieldState] != c.want {
					t.Errorf("%v (%v), want %s", status, err, c.want)
				}
				if took := time.Since(begin); took != c.took {
					t.Errorf("it took %s, want %s", took, c.took)
				}
			})
		})
	}
}
