package github

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/stashbase/vault-stashbase/shared/outbound"
	"github.com/stashbase/vault-stashbase/shared/provider"
)

// writer changes the secrets of one scope, for the time of one Apply.
type writer struct {
	client *client
	scope  scope

	key       *publicKey // nil until it is needed
	refetched bool
}

// apply fills in results until a failure that would meet all further changes too, which it answers.
func (w *writer) apply(ctx context.Context, changes []provider.Change, results []provider.Result) error {
	twice := collisions(changes)
	for i, c := range changes {
		if err := legal(c, twice); err != nil {
			results[i] = provider.FailedWith(err)
			continue
		}
		if ctx.Err() != nil {
			return &outbound.Error{Class: outbound.Network, Provider: "github", Operation: "change a secret", Cause: ctx.Err()}
		}
		// Without the key nothing can be written, and without it nobody can tell that what is not found is just gone.
		if _, err := w.publicKey(ctx); err != nil {
			return err
		}
		if c.Delete {
			results[i] = w.remove(ctx, c)
		} else {
			results[i] = w.put(ctx, c)
		}
		if endsBatch(results[i].Err) {
			return results[i].Err
		}
	}
	return nil
}

// collisions counts the changes of each name as GitHub compares it.
func collisions(changes []provider.Change) map[string]int {
	count := make(map[string]int, len(changes))
	for _, c := range changes {
		count[fold(c.Name)]++
	}
	return count
}

// legal refuses a change that the plan should have.
func legal(c provider.Change, count map[string]int) error {
	const op = "change a secret"
	name := fold(c.Name)
	switch {
	case !legalName.MatchString(name):
		return refusal(outbound.Invalid, op, "a name has "+nameRule)
	case count[name] > 1:
		return refusal(outbound.Invalid, op, "two names that differ in case alone are the same secret for GitHub: give one of them another name")
	case c.Delete:
		return nil
	case strings.HasPrefix(name, reserved):
		return refusal(outbound.Invalid, op, "no name may begin with "+reserved)
	case !utf8.Valid(c.Value):
		return refusal(outbound.Invalid, op, "GitHub keeps text: a value must be UTF-8")
	case len(c.Value) > maxValue:
		return refusal(outbound.Limit, op, "GitHub takes values of "+strconv.Itoa(maxValue)+" bytes at the most")
	}
	return nil
}

func (w *writer) publicKey(ctx context.Context) (publicKey, error) {
	if w.key == nil {
		key, err := w.client.publicKey(ctx, w.scope)
		if err != nil {
			return publicKey{}, err
		}
		w.key = &key
	}
	return *w.key, nil
}

// put writes a secret, and asks what GitHub tells of it then: its clock is the one by which a later write shows.
func (w *writer) put(ctx context.Context, c provider.Change) provider.Result {
	err := w.write(ctx, c)
	if outbound.ClassOf(err) == outbound.Invalid && w.otherKey(ctx) {
		err = w.write(ctx, c)
	}
	if err != nil {
		return provider.FailedWith(err)
	}
	op := w.scope.reading("read when the secret was written")
	var told secret
	if _, err := w.client.get(ctx, op, w.path(c), &told); err != nil {
		return unread(err)
	}
	entry, ok := told.entry()
	if !ok || entry.Name != fold(c.Name) {
		return unread(strange(op, false, nil))
	}
	return provider.Result{Outcome: provider.Done, Entry: entry}
}

// otherKey asks for the key again, once, and reports whether it is another one: of a refused write, that is what a repetition can mend.
func (w *writer) otherKey(ctx context.Context) bool {
	if w.refetched {
		return false
	}
	w.refetched = true
	key, err := w.client.publicKey(ctx, w.scope)
	if err != nil || key == *w.key {
		return false
	}
	w.key = &key
	return true
}

func (w *writer) write(ctx context.Context, c provider.Change) error {
	op := w.scope.writing("write a secret")
	key, err := w.publicKey(ctx)
	if err != nil {
		return err
	}
	body, err := key.seal(c.Value)
	if err != nil {
		return &outbound.Error{Class: outbound.Internal, Provider: "github", Operation: op.name, Cause: err}
	}
	return w.client.change(ctx, op, http.MethodPut, w.path(c), body)
}

// remove deletes a secret. The scope is known to be there, so one that is not found is gone.
func (w *writer) remove(ctx context.Context, c provider.Change) provider.Result {
	err := w.client.change(ctx, w.scope.writing("delete a secret"), http.MethodDelete, w.path(c), nil)
	if err != nil && outbound.ClassOf(err) != outbound.NotFound {
		return provider.FailedWith(err)
	}
	return provider.Result{Outcome: provider.Done}
}

// path is that of a secret, whose name is legal.
func (w *writer) path(c provider.Change) string { return w.scope.path + "/" + fold(c.Name) }

// unread is the result of a write that was made and cannot be told of: without the time, a later write by others would not show, so it
// is to be made again.
func unread(err error) provider.Result { return provider.Result{Outcome: provider.Unknown, Err: err} }

// endsBatch reports whether err would repeat for every further change. Permission and NotFound end a
// batch here because GitHub decides them for the repository or environment, not for one secret.
func endsBatch(err error) bool {
	class := outbound.ClassOf(err)
	return class == outbound.Permission || class == outbound.NotFound || provider.EndsBatch(class)
}
