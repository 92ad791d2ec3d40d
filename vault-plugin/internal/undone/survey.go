package undone

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/store"
)

// survey looks for what is stored beneath ids that have neither a record nor a mark. What hangs
// below such an id is part of it, and is not reported by itself. Where a record of the kind is
// damaged, it may be the one that is missed; that one is reported already.
func (s *Service) survey(ctx context.Context) ([]string, error) {
	parents, err := s.store.Parents(ctx)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	marked, damaged := maps.Clone(s.marks), slices.Clone(s.damaged)
	s.mu.Unlock()
	// What something else accounts for: ids, and kinds whose damaged record may be the one
	// that is missed.
	within, hidden := make(map[store.ID]store.Kind), make(map[store.Kind]bool)
	look := func(k store.Kind, id store.ID) (places []string, err error) {
		found, err := s.store.Beneath(ctx, k, id)
		maps.Copy(within, found.Within)
		maps.Copy(hidden, found.Hidden)
		return found.Places, err
	}
	for id, m := range marked {
		if _, err := look(m.Kind, id); err != nil {
			return nil, err
		}
	}
	for _, id := range damaged {
		for _, k := range store.AllKinds() { // what it is about is not known
			if _, err := look(k, id); err != nil {
				return nil, err
			}
		}
	}
	places := make(map[store.ID][]string)
	for _, k := range store.AllKinds() {
		for _, id := range parents[k] {
			if s.accountedFor(k, id) {
				continue
			}
			if places[id], err = look(k, id); err != nil { // a deletion may have ended since the ids were listed
				return nil, err
			}
		}
	}
	var lost []string
	for _, k := range store.AllKinds() {
		for _, id := range parents[k] {
			_, isWithin := within[id]
			if len(places[id]) > 0 && !isWithin && !hidden[k] && !s.owners[k].HidesRecord(k) {
				lost = append(lost, missing(k, places[id]))
			}
		}
	}
	return lost, nil
}

// accountedFor reports whether an id has a record or a mark. A creation is marked before it has a
// record, and loses the mark after; a deletion is marked before it loses the record.
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

func missing(k store.Kind, places []string) string {
	return fmt.Sprintf("what is stored under %s belongs to %s %s whose record is missing; restore that record, under %s, from a snapshot of Vault's storage, and reload the plugin. Until then all of it is kept",
		strings.Join(places, ", "), article(k), k, k.RecordPrefix())
}

func article(k store.Kind) string {
	if strings.ContainsRune("aeiou", rune(k[0])) {
		return "an"
	}
	return "a"
}
