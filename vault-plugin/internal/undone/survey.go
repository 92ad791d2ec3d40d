package undone

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// survey finds what is stored beneath ids that have neither a record nor a mark, called orphans. It
// returns a sentence for each. What is stored beneath an orphan is part of it, and is not reported
// separately. If a record of the orphan's kind is damaged, it may be the missing record. Health
// already reports the damaged record, so survey leaves out the orphans of that kind.
func (s *Service) survey(ctx context.Context) ([]string, error) {
	parents, err := s.store.Parents(ctx)
	if err != nil {
		return nil, err
	}
	known := inventory{store: s.store, within: make(map[store.ID]store.Kind), hidden: make(map[store.Kind]bool)}
	if err := s.addMarked(ctx, known); err != nil {
		return nil, err
	}
	places := make(map[store.ID][]string)
	for _, k := range store.AllKinds() {
		for _, id := range parents[k] {
			if s.accountedFor(k, id) {
				continue
			}
			// places[id] is empty if a deletion has ended since the ids were listed.
			if places[id], err = known.add(ctx, k, id); err != nil {
				return nil, err
			}
		}
	}
	var orphans []string
	for _, k := range store.AllKinds() {
		for _, id := range parents[k] {
			_, isWithin := known.within[id]
			if len(places[id]) > 0 && !isWithin && !known.hidden[k] && !s.owners[k].HidesRecord(k) {
				orphans = append(orphans, describeOrphan(k, places[id]))
			}
		}
	}
	return orphans, nil
}

// inventory collects what is stored beneath marked ids and orphans: the ids of other records, and
// the kinds of damaged records. A damaged record may be the missing record of an orphan.
type inventory struct {
	store  *store.Store
	within map[store.ID]store.Kind
	hidden map[store.Kind]bool
}

// add adds what is stored beneath an id, and returns where.
func (v inventory) add(ctx context.Context, k store.Kind, id store.ID) (places []string, err error) {
	found, err := v.store.Beneath(ctx, k, id)
	maps.Copy(v.within, found.Within)
	maps.Copy(v.hidden, found.Hidden)
	return found.Places, err
}

// addMarked adds what is stored beneath the ids of marks. A damaged mark hides the kind of its id,
// so its id is looked up as every kind.
func (s *Service) addMarked(ctx context.Context, known inventory) error {
	s.mu.Lock()
	marked, damaged := maps.Clone(s.marks), slices.Clone(s.damaged)
	s.mu.Unlock()
	for id, m := range marked {
		if _, err := known.add(ctx, m.Kind, id); err != nil {
			return err
		}
	}
	for _, id := range damaged {
		for _, k := range store.AllKinds() {
			if _, err := known.add(ctx, k, id); err != nil {
				return err
			}
		}
	}
	return nil
}

// accountedFor reports whether an id has a record or a mark. Both are checked twice, because they
// change one after the other. A creation stores its mark before its record and removes the mark
// after it. A deletion stores its mark before it removes the record.
func (s *Service) accountedFor(k store.Kind, id store.ID) bool {
	s.mu.Lock()
	damaged := slices.Contains(s.damaged, id)
	s.mu.Unlock()
	if damaged {
		return true
	}
	for range 2 {
		if _, marked := s.Marked(id); marked || s.owners[k].HasRecord(k, id) {
			return true
		}
	}
	return false
}

func describeOrphan(k store.Kind, places []string) string {
	return fmt.Sprintf("the entries under %s belong to %s %s whose record is missing; restore that record, under %s, from a snapshot of Vault's storage, and reload the plugin. Until then, the engine keeps these entries",
		strings.Join(places, ", "), article(k), k, k.RecordPrefix())
}

func article(k store.Kind) string {
	if strings.ContainsRune("aeiou", rune(k[0])) {
		return "an"
	}
	return "a"
}
