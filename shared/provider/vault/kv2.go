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

// state is what an engine tells of a KV secret beside its fields.
type state struct {
	exists  bool
	version int       // the newest, deleted or not; 0 where there never was one, or the engine has no versions
	updated time.Time // of the newest version
}

func (s state) entry(name string) provider.Entry {
	e := provider.Entry{Name: name, Updated: s.updated}
	if s.version != 0 {
		e.Version = strconv.Itoa(s.version)
	}
	return e
}

// fields are those of a KV secret, as JSON: what others keep there need not be text.
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

// entries asks for each name by itself, for a list tells neither versions nor which secrets are deleted.
func (e kv2) entries(ctx context.Context, folder string) ([]provider.Entry, error) {
	names, err := e.names(ctx, operation{"list the secrets", "list on <mount>/metadata/<path>, with and without a slash at its end"}, e.mount+"/metadata/"+escape(folder)+"/")
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

// names lists what is in a folder and no folder itself.
func (c *client) names(ctx context.Context, op operation, path string) ([]string, error) {
	var told struct {
		Keys []string `json:"keys"`
	}
	_, err := c.get(ctx, op, path+"?list=true", &told)
	if outbound.ClassOf(err) == outbound.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, name := range told.Keys {
		// Vault keeps no such name, and in the path of a request it would lead elsewhere.
		if plain := strings.TrimSuffix(name, "/"); plain == "" || plain == "." || plain == ".." || strings.Contains(plain, "/") {
			return nil, c.strange(op.name, false, nil)
		}
	}
	names := slices.DeleteFunc(told.Keys, func(name string) bool { return strings.HasSuffix(name, "/") })
	slices.Sort(names)
	return slices.Compact(names), nil
}

// version is one version as data/ and metadata/ tell of it.
type version struct {
	Number    int       `json:"version"`
	Created   time.Time `json:"created_time"`
	Deletion  string    `json:"deletion_time"` // may lie ahead: delete_version_after
	Destroyed bool      `json:"destroyed"`
}

// alive reports whether the version can be read at a time of Vault's own clock, which is told in whole seconds.
func (v version) alive(now time.Time) bool {
	if v.Destroyed {
		return false
	}
	deletion, err := time.Parse(time.RFC3339Nano, v.Deletion)
	return err != nil || now.Add(time.Second).Before(deletion)
}

func (e kv2) stat(ctx context.Context, path string) (state, error) {
	var told struct {
		Current  int                `json:"current_version"`
		Versions map[string]version `json:"versions"`
	}
	op := operation{"look at a secret", "read on the secret below <mount>/metadata/"}
	answer, err := e.get(ctx, op, e.mount+"/metadata/"+escape(path), &told)
	if outbound.ClassOf(err) == outbound.NotFound {
		return state{}, nil
	}
	if err != nil {
		return state{}, err
	}
	// Metadata may be written before the first version is.
	newest, kept := told.Versions[strconv.Itoa(told.Current)]
	if told.Current < 0 || told.Current > 0 && newest.Created.IsZero() {
		return state{}, e.strange(op.name, false, nil)
	}
	now, err := http.ParseTime(answer.Header.Get("Date"))
	if err != nil {
		now = time.Now()
	}
	return state{kept && newest.alive(now), told.Current, newest.Created}, nil
}

func (e kv2) read(ctx context.Context, path string) (fields, state, error) {
	var told struct {
		Data     fields  `json:"data"`
		Metadata version `json:"metadata"`
	}
	op := operation{"read a secret", "read on the secret below <mount>/data/"}
	for attempt := 0; ; attempt++ {
		_, err := e.get(ctx, op, e.mount+"/data/"+escape(path), &told)
		if outbound.ClassOf(err) != outbound.NotFound {
			if err == nil && (told.Data == nil || told.Metadata.Number < 1) {
				err = e.strange(op.name, false, nil)
			}
			return told.Data, state{err == nil, told.Metadata.Number, told.Metadata.Created}, err
		}
		// It never was, or its newest version is deleted, whose number the next one must name. One that is there by now has been written
		// since we looked: to name its number would be to write over what we have not seen.
		at, err := e.stat(ctx, path)
		if err != nil || !at.exists {
			return nil, at, err
		}
		if attempt == rereads {
			return nil, state{}, conflict()
		}
	}
}

func (e kv2) write(ctx context.Context, path string, f fields, at state) (state, error) {
	op := operation{"write a secret", "create and update on the secret below <mount>/data/"}
	body, err := encode(map[string]any{"data": f, "options": map[string]int{"cas": at.version}})
	if err != nil {
		return state{}, &outbound.Error{Class: outbound.Internal, Provider: "vault", Operation: op.name, Cause: err}
	}
	var told version
	if err := e.post(ctx, op, e.mount+"/data/"+escape(path), body, &told); err != nil {
		return state{}, err
	}
	if told.Number < 1 {
		return state{}, e.strange(op.name, true, nil)
	}
	return state{true, told.Number, told.Created}, nil
}

// remove deletes the metadata, and with it all versions: one that is only marked as deleted could be had back by whoever may undelete.
func (e kv2) remove(ctx context.Context, path string) error {
	return e.client.remove(ctx, operation{"remove a secret", "delete on the secret below <mount>/metadata/"}, e.mount+"/metadata/"+escape(path))
}

// each calls f for each number below n, a few at once. It begins no more after an error, and answers the first.
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
					stop(&outbound.Error{Class: outbound.Network, Provider: "vault", Hint: "there was no time left for it", Cause: err})
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
