package vault

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/shared/provider"
)

// state is the state of a KV secret without its fields.
type state struct {
	exists bool
	// version is the newest version, deleted or not. It is 0 if there never was one or if the
	// engine has no versions.
	version int
	updated time.Time // of the newest version
}

func (s state) entry(name string) provider.Entry {
	e := provider.Entry{Name: name, Updated: s.updated}
	if s.version != 0 {
		e.Version = strconv.Itoa(s.version)
	}
	return e
}

// fields holds the fields of a KV secret as JSON, because others may store values there that are
// not text.
type fields map[string]json.RawMessage

func (f fields) wipe() {
	for _, value := range f {
		clear(value)
	}
}

// kv2 is a KV engine of version 2.
type kv2 struct {
	*client
	mount string // escaped
}

func (e kv2) compares() bool { return true }

// entries requests the metadata of each secret, because a list shows neither versions nor
// deletions.
func (e kv2) entries(ctx context.Context, folder string) ([]provider.Entry, error) {
	names, err := e.names(ctx, operation{"list the secrets", "list on <mount>/metadata/<path>, with and without a trailing slash"}, e.mount+"/metadata/"+escape(folder)+"/")
	if err != nil {
		return nil, err
	}
	return e.stats(ctx, folder, names)
}

func (e kv2) stats(ctx context.Context, folder string, names []string) ([]provider.Entry, error) {
	states := make([]state, len(names))
	err := each(ctx, len(names), func(i int) (err error) {
		states[i], err = e.stat(ctx, folder+"/"+names[i])
		return err
	})
	if err != nil {
		return nil, err
	}
	entries := make([]provider.Entry, 0, len(names))
	for i, name := range names {
		if states[i].exists {
			entries = append(entries, states[i].entry(name))
		}
	}
	return entries, nil
}

// names lists the names in a folder without its subfolders.
func (c *client) names(ctx context.Context, op operation, path string) ([]string, error) {
	var body struct {
		Keys []string `json:"keys"`
	}
	_, err := c.get(ctx, op, path+"?list=true", &body)
	if outbound.ClassOf(err) == outbound.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, name := range body.Keys {
		// Vault does not store such a name. In the path of a request it would address something
		// else.
		if plain := strings.TrimSuffix(name, "/"); plain == "" || plain == "." || plain == ".." || strings.Contains(plain, "/") {
			return nil, c.unexpected(op.name, false, nil)
		}
	}
	names := slices.DeleteFunc(body.Keys, func(name string) bool { return strings.HasSuffix(name, "/") })
	slices.Sort(names)
	return slices.Compact(names), nil
}

// version describes one version, as returned below data/ and metadata/.
type version struct {
	Number    int       `json:"version"`
	Created   time.Time `json:"created_time"`
	Deletion  string    `json:"deletion_time"` // may be in the future: delete_version_after
	Destroyed bool      `json:"destroyed"`
}

// alive reports whether the version can be read at the given time of Vault's clock, which has a
// resolution of one second.
func (v version) alive(now time.Time) bool {
	if v.Destroyed {
		return false
	}
	deletion, err := time.Parse(time.RFC3339Nano, v.Deletion)
	return err != nil || now.Add(time.Second).Before(deletion)
}

func (e kv2) stat(ctx context.Context, path string) (state, error) {
	var body struct {
		Current  int                `json:"current_version"`
		Versions map[string]version `json:"versions"`
	}
	op := operation{"look up a secret", "read on the secret below <mount>/metadata/"}
	response, err := e.get(ctx, op, e.mount+"/metadata/"+escape(path), &body)
	if outbound.ClassOf(err) == outbound.NotFound {
		return state{}, nil
	}
	if err != nil {
		return state{}, err
	}
	// Metadata can exist before the first version.
	newest, listed := body.Versions[strconv.Itoa(body.Current)]
	if body.Current < 0 || body.Current > 0 && newest.Created.IsZero() {
		return state{}, e.unexpected(op.name, false, nil)
	}
	now, err := http.ParseTime(response.Header.Get("Date"))
	if err != nil {
		now = time.Now()
	}
	return state{listed && newest.alive(now), body.Current, newest.Created}, nil
}

func (e kv2) read(ctx context.Context, path string) (fields, state, error) {
	var body struct {
		Data     fields  `json:"data"`
		Metadata version `json:"metadata"`
	}
	op := operation{"read a secret", "read on the secret below <mount>/data/"}
	for attempt := 0; ; attempt++ {
		_, err := e.get(ctx, op, e.mount+"/data/"+escape(path), &body)
		if outbound.ClassOf(err) != outbound.NotFound {
			if err == nil && (body.Data == nil || body.Metadata.Number < 1) {
				err = e.unexpected(op.name, false, nil)
			}
			return body.Data, state{err == nil, body.Metadata.Number, body.Metadata.Created}, err
		}
		// The secret never existed, or its newest version is deleted. A write must then name the
		// number of that version. If the secret exists by now, others wrote it after the first
		// request. To name its number would overwrite a version that was not read.
		current, err := e.stat(ctx, path)
		if err != nil || !current.exists {
			return nil, current, err
		}
		if attempt == maxRereads {
			return nil, state{}, conflict()
		}
	}
}

func (e kv2) write(ctx context.Context, path string, f fields, expected state) (state, error) {
	op := operation{"write a secret", "create and update on the secret below <mount>/data/"}
	body, err := encode(map[string]any{"data": f, "options": map[string]int{"cas": expected.version}})
	if err != nil {
		return state{}, &outbound.Error{Class: outbound.Internal, Provider: "vault", Operation: op.name, Cause: err}
	}
	var written version
	if err := e.post(ctx, op, e.mount+"/data/"+escape(path), body, &written); err != nil {
		return state{}, err
	}
	if written.Number < 1 {
		return state{}, e.unexpected(op.name, true, nil)
	}
	return state{true, written.Number, written.Created}, nil
}

// remove deletes the metadata and with it all versions. A version that is only marked as deleted
// could be undeleted.
func (e kv2) remove(ctx context.Context, path string) error {
	return e.client.remove(ctx, operation{"remove a secret", "delete on the secret below <mount>/metadata/"}, e.mount+"/metadata/"+escape(path))
}

// each calls f for 0 <= i < n with up to concurrency calls in parallel. After the first error it
// starts no further call and returns that error.
func each(ctx context.Context, n int, f func(i int) error) error {
	var (
		next  atomic.Int64
		first error
		once  sync.Once
		group sync.WaitGroup
	)
	stop := func(err error) {
		once.Do(func() { first = err })
		next.Store(int64(n))
	}
	for range min(n, concurrency) {
		group.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := ctx.Err(); err != nil {
					stop(&outbound.Error{Class: outbound.Network, Provider: "vault", Hint: "the time limit was reached before the request was sent", Cause: err})
					return
				}
				if err := f(i); err != nil {
					stop(err)
					return
				}
			}
		})
	}
	group.Wait()
	return first
}
