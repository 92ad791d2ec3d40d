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

// source is what a sync's environment delivers, as entries of its destination.
type source struct {
	wants     []syncplan.Want
	values    map[string][]byte // by the names at the destination
	empty     bool              // the environment has no secret at all
	elsewhere bool
	until     time.Time
	delivered secrets.Delivery
}

func (src source) wipe() { src.delivered.Wipe() }

// source reads what a sync is to bring to its destination. One value that cannot be read fails it all: what is not there cannot be
// told from what could not be read.
func (s *Service) source(ctx context.Context, e *entry) (source, error) {
	sel := secrets.Selection{Include: e.record.Include, Exclude: e.record.Exclude}
	d, err := s.deliver(ctx, e, sel)
	if err != nil {
		return source{}, err
	}
	src := source{values: make(map[string][]byte), elsewhere: d.Elsewhere, until: d.Until, delivered: d}
	for _, secret := range d.Secrets {
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
			w.Name = folded(e.declared, name)
			src.values[w.Name] = secret.Value
		}
		src.wants = append(src.wants, w)
	}
	if len(src.wants) == 0 {
		src.empty, err = s.empty(ctx, e)
	}
	return src, err
}

func (s *Service) deliver(ctx context.Context, e *entry, sel secrets.Selection) (secrets.Delivery, error) {
	return s.Secrets.Deliver(ctx, caller.Request{Mount: s.mount()}, e.names, sel)
}

// empty reports whether an environment delivers nothing, whatever is chosen of it.
func (s *Service) empty(ctx context.Context, e *entry) (bool, error) {
	d, err := s.deliver(ctx, e, secrets.Selection{})
	defer d.Wipe()
	return len(d.Secrets) == 0, err
}

func tagged(has, wanted []string) bool {
	return len(wanted) == 0 || slices.ContainsFunc(wanted, func(tag string) bool { return slices.Contains(has, tag) })
}

func folded(d provider.Destination, name string) string {
	if d.Fold == nil {
		return name
	}
	return d.Fold(name)
}

// shape tells settings apart that entries were written under: by those that are not as they are by default, so that a version of the
// plugin which knows more settings does not write everything again.
func shape(e *entry) string {
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

// unreadable is the verdict where the source could not be read: nothing is written, and nothing is deleted.
func unreadable(err error) verdict {
	const doubt = "; until it can be read nothing is written and nothing deleted"
	var known *fault.Error
	switch {
	case fault.Is(err, fault.Locked):
		return verdict{state: Paused, hint: "the workspace is locked; unlock it first", elsewhere: true}
	case errors.As(err, &known) && (known.Kind != fault.Unavailable || known.Status == 500):
		class := classInvalid
		if known.Status == 500 {
			class = classInternal
		}
		return verdict{state: Blocked, class: class, hint: known.Text + doubt, retry: seldom, elsewhere: true}
	}
	return verdict{state: Retrying, class: classInternal, hint: "the environment could not be read, for storage has failed or the mount is being unloaded", retry: soon, elsewhere: true}
}
