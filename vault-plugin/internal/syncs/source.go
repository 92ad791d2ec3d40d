package syncs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/caller"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/secrets"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/syncplan"
)

// source is what the environment of a sync delivers, as entries at the destination.
type source struct {
	wants     []syncplan.Want
	values    map[string][]byte // by name at the destination
	empty     bool              // the environment delivers no secret, even without a selection
	elsewhere bool
	until     time.Time
	delivered secrets.Delivery
}

func (src source) wipe() { src.delivered.Wipe() }

// readSource reads what a sync wants at its destination. It fails if any value cannot be read.
// Without the failure, an unreadable secret would look like a deleted one.
func (s *Service) readSource(ctx context.Context, e *syncDef) (source, error) {
	sel := secrets.Selection{Include: e.record.Include, Exclude: e.record.Exclude, Lasts: true}
	d, err := s.Secrets.Deliver(ctx, caller.Request{Mount: s.mount()}, e.names, sel)
	if err != nil {
		return source{}, err
	}
	src := source{values: make(map[string][]byte), elsewhere: d.Elsewhere, until: d.Until, delivered: d}
	for _, secret := range d.Secrets {
		if err := ctx.Err(); err != nil {
			d.Wipe()
			return source{}, err
		}
		if !tagged(secret.Tags, e.record.Tags) {
			continue
		}
		w := syncplan.Want{Source: secret.Name, Version: secret.Version.Number, Size: len(secret.Value), Text: utf8.Valid(secret.Value)}
		fields := e.namer().Fields
		fields.Name = secret.Name
		name, err := e.template.Execute(fields)
		if err != nil {
			w.Bad = err.Error()
		} else {
			w.Name = fold(e.declared, name)
			src.values[w.Name] = secret.Value
		}
		src.wants = append(src.wants, w)
	}
	if len(src.wants) == 0 {
		src.empty, err = s.Secrets.DeliversNothing(ctx, caller.Request{Mount: s.mount()}, e.names)
	}
	if err != nil {
		src.wipe()
		return source{}, err
	}
	return src, nil
}

func tagged(has, wanted []string) bool {
	return len(wanted) == 0 || slices.ContainsFunc(wanted, func(tag string) bool { return slices.Contains(has, tag) })
}

func fold(d provider.Destination, name string) string {
	if d.Fold == nil {
		return name
	}
	return d.Fold(name)
}

// shape returns a hash of the settings that entries are written under. It covers only settings that
// differ from their defaults. A version of the plugin that adds a setting therefore does not write
// all entries again.
func shape(e *syncDef) string {
	usual := provider.Values{}
	for _, f := range e.declared.Fields {
		f.Required = false
		one, _ := provider.Complete([]provider.Field{f}, nil)
		usual[f.Name] = one[f.Name]
	}
	h := sha256.New()
	for _, f := range slices.SortedFunc(slices.Values(e.declared.Fields), func(a, b provider.Field) int { return strings.Compare(a.Name, b.Name) }) {
		if set, plain := fmt.Sprintf("%q", e.settings[f.Name]), fmt.Sprintf("%q", usual[f.Name]); set != plain {
			_, _ = fmt.Fprintf(h, "%s=%s\n", f.Name, set)
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// sourceError returns the outcome if the definition or the source could not be read. The sync then
// writes and deletes nothing.
func sourceError(err error) outcome {
	const consequence = "; the sync writes and deletes nothing until this is resolved"
	var known *fault.Error
	switch {
	case fault.Is(err, fault.Locked) && errors.As(err, &known):
		return outcome{state: Paused, hint: known.Text, elsewhere: true}
	case errors.As(err, &known) && (known.Kind != fault.Unavailable || known.Status == 500):
		class := classInvalid
		if known.Status == 500 {
			class = classInternal
		}
		return outcome{state: Blocked, class: class, hint: known.Text + consequence, retry: seldom, elsewhere: true}
	}
	return outcome{state: Retrying, class: classInternal, hint: "the environment could not be read because storage failed or the mount is being unloaded; the run is retried", retry: soon, elsewhere: true}
}
