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

// writer changes the secrets of one scope during one Apply.
type writer struct {
	client *client
	scope  scope

	key       *publicKey // nil until first used
	refetched bool
}

// apply makes the changes one after another and fills in their results. It returns the error that
// ended the batch, if any; the results of the remaining changes are then empty.
func (w *writer) apply(ctx context.Context, changes []provider.Change, results []provider.Result) error {
	count := countNames(changes)
	for i, c := range changes {
		if err := checkChange(c, count); err != nil {
			results[i] = provider.FailedWith(err)
			continue
		}
		if ctx.Err() != nil {
			return &outbound.Error{Class: outbound.Network, Provider: "github", Operation: "change a secret", Cause: ctx.Err()}
		}
		// The key is needed for every write. For a deletion, the request shows that the scope
		// exists, so that a secret that is not found is known to be deleted.
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

// countNames returns the number of changes for each name in the form that GitHub compares.
func countNames(changes []provider.Change) map[string]int {
	count := make(map[string]int, len(changes))
	for _, c := range changes {
		count[fold(c.Name)]++
	}
	return count
}

// checkChange returns an error for a change that the plan should have excluded.
func checkChange(c provider.Change, count map[string]int) error {
	const op = "change a secret"
	name := fold(c.Name)
	switch {
	case !legalName.MatchString(name):
		return refusal(outbound.Invalid, op, "a name must consist of "+nameRule)
	case count[name] > 1:
		return refusal(outbound.Invalid, op, "two names that differ only in case are the same secret for GitHub: rename one of them")
	case c.Delete:
		return nil
	case strings.HasPrefix(name, reserved):
		return refusal(outbound.Invalid, op, "a name must not begin with "+reserved)
	case !utf8.Valid(c.Value):
		return refusal(outbound.Invalid, op, "GitHub stores text: a value must be valid UTF-8")
	case len(c.Value) > maxValue:
		return refusal(outbound.Limit, op, "a value must be at most "+strconv.Itoa(maxValue)+" bytes")
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

// put writes a secret and then reads its time of the last write, which comes from GitHub's clock.
// After an interrupted deletion, the time shows whether the secret is still the one that was
// written.
func (w *writer) put(ctx context.Context, c provider.Change) provider.Result {
	err := w.write(ctx, c)
	if outbound.ClassOf(err) == outbound.Invalid && w.refetchKey(ctx) {
		err = w.write(ctx, c)
	}
	if err != nil {
		return provider.FailedWith(err)
	}
	op := w.scope.reading("read the time of the last write")
	var written secret
	if _, err := w.client.get(ctx, op, w.path(c), &written); err != nil {
		return unread(err)
	}
	entry, ok := written.entry()
	if !ok || entry.Name != fold(c.Name) {
		return unread(unexpected(op, false, nil))
	}
	return provider.Result{Outcome: provider.Done, Entry: entry}
}

// refetchKey fetches the public key again, at most once per writer, and reports whether it has
// changed. If so, a write that was rejected as invalid can succeed with the new key.
func (w *writer) refetchKey(ctx context.Context) bool {
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

// remove deletes a secret. The scope is known to exist, so NotFound means that the secret is
// already deleted.
func (w *writer) remove(ctx context.Context, c provider.Change) provider.Result {
	err := w.client.change(ctx, w.scope.writing("delete a secret"), http.MethodDelete, w.path(c), nil)
	if err != nil && outbound.ClassOf(err) != outbound.NotFound {
		return provider.FailedWith(err)
	}
	return provider.Result{Outcome: provider.Done}
}

// path returns the path of a secret whose name is valid.
func (w *writer) path(c provider.Change) string { return w.scope.path + "/" + fold(c.Name) }

// unread returns the result of a write that succeeded, but whose time could not be read. Without
// that time, the secret cannot be recognised after an interrupted deletion, so the outcome is
// Unknown and the write is repeated.
func unread(err error) provider.Result { return provider.Result{Outcome: provider.Unknown, Err: err} }

// endsBatch reports whether err would repeat for every further change. Permission and NotFound end
// a batch here because GitHub decides them for the repository or environment, not for one secret.
func endsBatch(err error) bool {
	class := outbound.ClassOf(err)
	return class == outbound.Permission || class == outbound.NotFound || provider.EndsBatch(class)
}
