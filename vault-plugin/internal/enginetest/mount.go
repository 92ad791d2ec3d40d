// Package enginetest mounts the engine in memory for tests with many cases. Requests take the same
// path as in Vault: the existence check, and JSON in both directions. Every response is validated
// against its declared schema. Time is a Clock that the test advances. The storage counts its calls
// and can fail. Only tests import this package.
package enginetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/helper/testhelpers/schema"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/shared/catalog"
	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/backend"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/engine"
)

// Mount is one mount of the engine.
type Mount struct {
	Backend *backend.Backend
	Storage *Storage
	Clock   *Clock

	t        testing.TB
	setup    Setup
	requests *atomic.Int64
}

// Setup is the configuration of a mount. A zero field means the default.
type Setup struct {
	Storage   *Storage
	Clock     *Clock
	Providers *provider.Registry // default: the providers of the project
	Resolver  outbound.Resolver
	Logger    hclog.Logger // default: none
}

// New mounts the engine on empty storage.
func New(t testing.TB) *Mount { return Setup{}.Open(t) }

// Open mounts the engine on the given storage with cold caches, as Vault does when it starts.
func Open(t testing.TB, storage *Storage, clock *Clock) *Mount {
	t.Helper()
	return Setup{Storage: storage, Clock: clock}.Open(t)
}

// Open mounts the engine with cold caches, as Vault does when it starts.
func (s Setup) Open(t testing.TB) *Mount {
	t.Helper()
	m := s.Factory(t)
	if err := m.Backend.Initialize(t.Context(), &logical.InitializationRequest{Storage: m.Storage}); err != nil {
		t.Fatalf("initialize: %v", err)
	}
	return m
}

// Factory returns a mount that Vault has not initialized yet.
func Factory(t testing.TB, storage *Storage, clock *Clock) *Mount {
	t.Helper()
	return Setup{Storage: storage, Clock: clock}.Factory(t)
}

// Factory returns a mount that Vault has not initialized yet.
func (s Setup) Factory(t testing.TB) *Mount {
	t.Helper()
	s = s.complete(t)
	view := logical.TestSystemView()
	view.PluginEnvironment = &logical.PluginEnvironment{VaultVersion: "0.0.0-test"}
	conf := &logical.BackendConfig{
		Logger: s.Logger, System: view, StorageView: s.Storage, BackendUUID: "test",
	}
	options := engine.Options{Version: "v0.0.0-test", Clock: s.Clock, Providers: s.Providers, Resolver: s.Resolver}
	made, err := backend.Factory(options)(t.Context(), conf)
	if err != nil {
		t.Fatalf("factory: %v", err)
	}
	b, ok := made.(*backend.Backend)
	if !ok {
		t.Fatalf("the factory made a %T", made)
	}
	t.Cleanup(func() { b.Cleanup(context.Background()) })
	return &Mount{Backend: b, Storage: s.Storage, Clock: s.Clock, t: t, setup: s, requests: &atomic.Int64{}}
}

func (s Setup) complete(t testing.TB) Setup {
	t.Helper()
	if s.Storage == nil {
		s.Storage = NewStorage()
	}
	if s.Clock == nil {
		s.Clock = NewClock()
	}
	if s.Logger == nil {
		s.Logger = hclog.NewNullLogger()
	}
	if s.Providers == nil {
		shipped, err := catalog.All()
		if err != nil {
			t.Fatal(err)
		}
		s.Providers = shipped
	}
	return s
}

// Restart stops this mount and opens another one on a copy of its storage.
func (m *Mount) Restart() *Mount {
	m.t.Helper()
	return m.On(m.Storage.Clone())
}

// On stops this mount and opens another one on the given storage.
func (m *Mount) On(storage *Storage) *Mount {
	m.t.Helper()
	m.Backend.Cleanup(context.Background())
	next := m.setup
	next.Storage = storage
	again := next.Open(m.t)
	again.requests = m.requests // IDs stay unique: a repeated ID would be a replay
	return again
}

// Settle waits until the called timer functions have returned and the background work is done.
func (m *Mount) Settle() {
	m.Clock.Fired()
	m.Backend.Settle()
}

// Data is the body of a request or a response.
type Data = map[string]any

// Request is one request. An empty ID is replaced by a new one.
type Request struct {
	Op   logical.Operation // CreateOperation and UpdateOperation both mean a write
	Path string
	Data Data
	ID   string
}

// Refused is an error response as a client of Vault's API sees it.
type Refused struct {
	Status int
	Text   string
}

// Error returns the status and the text.
func (r *Refused) Error() string { return fmt.Sprintf("%d %s", r.Status, r.Text) }

// Word returns the word that the text begins with, such as "invalid".
func (r *Refused) Word() string {
	word, _, _ := strings.Cut(r.Text, ":")
	return word
}

// Do sends a request as Vault does. It returns what a client sees: the data of the response, or a
// *Refused. For a soft-deleted secret it returns both: the data, and a *Refused with status 404.
func (m *Mount) Do(req Request) (Data, error) {
	m.t.Helper()
	in, resp, err := m.send(req)
	if err != nil {
		return nil, err
	}
	return m.response(in, resp)
}

// Warnings sends a request and returns the warnings of the response. It fails the test if the
// request fails.
func (m *Mount) Warnings(op logical.Operation, path string, data Data) []string {
	m.t.Helper()
	in, resp, err := m.send(Request{Op: op, Path: path, Data: data})
	if err == nil {
		_, err = m.response(in, resp)
	}
	if err != nil {
		m.t.Fatalf("%s %s: %v", op, path, err)
	}
	return resp.Warnings
}

// send passes a request to the backend as Vault does.
func (m *Mount) send(req Request) (*logical.Request, *logical.Response, error) {
	m.t.Helper()
	if req.ID == "" {
		req.ID = fmt.Sprintf("request-%d", m.requests.Add(1))
	}
	in := &logical.Request{
		ID: req.ID, Operation: req.Op, Path: req.Path, Data: wire(m.t, req.Data), Storage: m.Storage, MountPoint: "stashbase/",
		EntityID: "entity", DisplayName: "tester", ClientTokenAccessor: "accessor",
	}
	ctx := context.Background()
	if req.Op == logical.CreateOperation || req.Op == logical.UpdateOperation {
		in.Operation = logical.UpdateOperation
		found, exists, err := m.Backend.HandleExistenceCheck(ctx, in)
		if err != nil {
			return nil, nil, refused(err)
		}
		if found && !exists {
			in.Operation = logical.CreateOperation
		}
	}
	resp, err := m.Backend.HandleRequest(ctx, in)
	if err != nil {
		return nil, nil, refused(err)
	}
	return in, resp, nil
}

func (m *Mount) response(in *logical.Request, resp *logical.Response) (Data, error) {
	m.t.Helper()
	if resp == nil {
		return nil, nil
	}
	if resp.IsError() {
		return nil, &Refused{http.StatusBadRequest, resp.Error().Error()}
	}
	if status, raw := resp.Data[logical.HTTPStatusCode].(int); raw {
		if content, isDocument := resp.Data[logical.HTTPRawBody].([]byte); isDocument && status == http.StatusOK {
			return Data{"raw": string(content), "content_type": resp.Data[logical.HTTPContentType]}, nil
		}
		var body struct{ Data Data }
		text, _ := resp.Data[logical.HTTPRawBody].(string)
		if err := json.Unmarshal([]byte(text), &body); err != nil {
			m.t.Errorf("%s %s: raw body: %v", in.Operation, in.Path, err)
		}
		return body.Data, &Refused{status, ""}
	}
	m.validate(in, resp)
	return wire(m.t, resp.Data), nil
}

// validate compares a response with the schema that its operation declares.
func (m *Mount) validate(in *logical.Request, resp *logical.Response) {
	m.t.Helper()
	path := m.Backend.Route(in.Path)
	if path == nil {
		return
	}
	declared, ok := path.Operations[in.Operation].(*framework.PathOperation)
	if !ok || len(declared.Responses[http.StatusOK]) == 0 {
		m.t.Errorf("%s %s: declares no response of status 200", in.Operation, in.Path)
		return
	}
	if of := declared.Responses[http.StatusOK][0]; of.Fields != nil {
		t, isT := m.t.(*testing.T)
		if isT {
			schema.ValidateResponse(t, &of, resp, true)
		}
	}
}

func refused(err error) error {
	var coded logical.HTTPCodedError
	switch {
	case errors.As(err, &coded):
		return &Refused{coded.Code(), coded.Error()}
	case errors.Is(err, logical.ErrUnsupportedPath), errors.Is(err, logical.ErrUnsupportedOperation):
		return &Refused{http.StatusMethodNotAllowed, err.Error()}
	default:
		return &Refused{http.StatusInternalServerError, err.Error()}
	}
}

// wire encodes data as JSON and decodes it, as the plugin protocol does.
func wire(t testing.TB, data Data) Data {
	t.Helper()
	if data == nil {
		return nil
	}
	text, err := json.Marshal(data)
	if err != nil {
		t.Fatalf("encode data: %v", err)
	}
	var out Data
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatalf("decode data: %v", err)
	}
	return out
}
