// Package syncplan owns the decisions of a sync: what is to be done at a destination, given what should be there, what is there and
// what the sync owns. It is pure: nothing in it waits, stores or calls, and it sees no value.
package syncplan

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/ledger"
)

// Kind is what is to be done about one entry.
type Kind string

// The kinds of actions.
const (
	Create    Kind = "create"
	Update    Kind = "update"
	Delete    Kind = "delete"
	Adopt     Kind = "adopt"      // it is not ours, holds what we would write, and becomes ours without a write
	Unchanged Kind = "unchanged"  // as far as is known: nobody looks at values that are ours
	Retain    Kind = "retain"     // it is ours, no secret stands for it any more, and it stays
	Forget    Kind = "forget"     // it was ours, is wanted no more, and is gone
	Conflict  Kind = "conflict"   // it is there and not ours
	Invalid   Kind = "invalid"    // the destination would not take it
	OverLimit Kind = "over_limit" // the destination has no room for it
)

// Writes reports whether the destination is changed by it.
func (k Kind) Writes() bool { return k == Create || k == Update || k == Delete }

// OnConflict is what becomes of an entry that is wanted, is there, and is not ours.
type OnConflict string

// The ways to meet a conflict.
const (
	FailConflict      OnConflict = provider.ConflictFail      // leave it unchanged
	AdoptConflict     OnConflict = provider.ConflictAdopt     // take it over if it has the wanted value
	OverwriteConflict OnConflict = provider.ConflictOverwrite // replace its value and take it over
)

// Deletion is what becomes of our entries that no secret stands for any more.
type Deletion string

// The ways to meet what is wanted no more.
const (
	ManagedDeletion Deletion = provider.DeletionManaged // delete them
	RetainDeletion  Deletion = provider.DeletionRetain  // keep them, still owned
)

// Want is an entry that should be there.
type Want struct {
	Name    string // at the destination, folded; "" where none could be made
	Source  string // name of the secret
	Version uint64
	Size    int    // bytes of the value
	Text    bool   // the value is UTF-8
	Same    bool   // it is what we wrote last, under the settings that hold
	Bad     string // why no name could be made
}

// Input is all that decides.
type Input struct {
	Wants       []Want
	SourceEmpty bool // the environment holds no secret at all
	Actual      map[string]provider.Entry
	Ledger      map[string]ledger.Entry // its intents are resolved

	Limits     provider.Limits
	ReadBack   provider.ReadBack
	OnConflict OnConflict
	Deletion   Deletion
	Adopt      map[string]bool // names a person has said are to be ours

	// Equal says of entries that are not ours and were read back whether they hold what we would write.
	Equal map[string]bool
}

// Action is what is to be done about one entry.
type Action struct {
	Kind    Kind
	Name    string // at the destination
	Source  string // "" where no secret stands for it
	Version uint64
	Takes   bool   // an Update of what is not ours yet
	Missing bool   // a Create of what was ours and has gone
	Why     string // of a Conflict, Invalid or OverLimit: what it is and what to do

	Expect *provider.Entry // as it was listed; nil: it is not there
}

// Plan is what a run is to do.
type Plan struct {
	Actions []Action // by name
	// Blocked says why nothing of it may be done: a limit would be broken. "" where it may.
	Blocked string
	// Reads are the entries whose values decide, and are not in Equal yet.
	Reads []string
	// Crowded says that there is room only once deletions are done.
	Crowded bool
}

// Count answers how many actions are of a kind.
func (p Plan) Count(k Kind) int {
	n := 0
	for _, a := range p.Actions {
		if a.Kind == k {
			n++
		}
	}
	return n
}

// Make makes the plan.
func Make(in Input) Plan {
	m := maker{in: in, wanted: make(map[string]bool)}
	colliding := m.collisions()
	for _, w := range in.Wants {
		if why := m.flaw(w, colliding); why != "" {
			m.add(Action{Kind: Invalid, Name: w.Name, Source: w.Source, Version: w.Version, Why: why})
			continue
		}
		m.want(w)
	}
	m.surplus()
	m.count()
	slices.SortFunc(m.plan.Actions, func(a, b Action) int {
		return strings.Compare(a.Name+"\x00"+a.Source, b.Name+"\x00"+b.Source)
	})
	slices.Sort(m.plan.Reads)
	if m.plan.Blocked == "" && m.plan.Count(Invalid) > 0 {
		m.plan.Blocked = "the destination would not take every entry, so nothing is changed"
	}
	return m.plan
}

type maker struct {
	in     Input
	plan   Plan
	wanted map[string]bool
}

func (m *maker) add(a Action) {
	if e, there := m.in.Actual[a.Name]; there {
		a.Expect = &e
	}
	m.wanted[a.Name] = true
	m.plan.Actions = append(m.plan.Actions, a)
}

// collisions names the names that more than one secret would have.
func (m *maker) collisions() map[string][]string {
	sources := make(map[string][]string)
	for _, w := range m.in.Wants {
		if w.Bad == "" {
			sources[w.Name] = append(sources[w.Name], w.Source)
		}
	}
	maps.DeleteFunc(sources, func(_ string, of []string) bool { return len(of) < 2 })
	return sources
}

// flaw says why the destination would not take an entry.
func (m *maker) flaw(w Want, colliding map[string][]string) string {
	l := m.in.Limits
	switch {
	case w.Bad != "":
		return "name_template " + w.Bad
	case colliding[w.Name] != nil:
		return fmt.Sprintf("the secrets %s would all have this name; change name_template, or leave some out with exclude", strings.Join(colliding[w.Name], ", "))
	case l.MaxNameBytes != 0 && len(w.Name) > l.MaxNameBytes:
		return fmt.Sprintf("the name has more than %d bytes; shorten it with name_template", l.MaxNameBytes)
	case l.Name != nil && !l.Name.MatchString(w.Name):
		return fmt.Sprintf("the name must have %s; change it with name_template", l.NameRule)
	case l.MaxValueBytes != 0 && w.Size > l.MaxValueBytes:
		return fmt.Sprintf("the value has %d bytes; the destination takes %d", w.Size, l.MaxValueBytes)
	case l.NoEmptyValue && w.Size == 0:
		return "the value is empty, which the destination does not take; leave it out with exclude"
	case l.TextOnly && !w.Text:
		return "the value is no text in UTF-8, and the destination takes only that; leave it out with exclude"
	}
	for _, prefix := range l.Reserved {
		if strings.HasPrefix(w.Name, prefix) {
			return fmt.Sprintf("names that begin with %s are the destination's own; change it with name_template", prefix)
		}
	}
	return ""
}

// want decides about an entry that should be there, and may be.
func (m *maker) want(w Want) {
	a := Action{Name: w.Name, Source: w.Source, Version: w.Version}
	_, there := m.in.Actual[w.Name]
	owned := m.in.Ledger[w.Name].Owned
	switch {
	case !there:
		a.Kind, a.Missing = Create, owned
	case !owned:
		m.foreign(&a)
	case w.Same:
		a.Kind = Unchanged
	default:
		a.Kind = Update
	}
	m.add(a)
}

// foreign decides about an entry that is wanted, is there and is not ours.
func (m *maker) foreign(a *Action) {
	named := m.in.Adopt[a.Name]
	readable := m.in.ReadBack == provider.ReadBackValue
	equal, read := m.in.Equal[a.Name]
	switch {
	case m.in.OnConflict == OverwriteConflict:
		a.Kind, a.Takes = Update, true
	case (named || m.in.OnConflict == AdoptConflict) && readable && !read:
		m.plan.Reads = append(m.plan.Reads, a.Name)
		a.Kind, a.Why = Conflict, "its value is not known yet"
	case (named || m.in.OnConflict == AdoptConflict) && equal:
		a.Kind = Adopt
	case named:
		a.Kind, a.Takes = Update, true
	case m.in.OnConflict == AdoptConflict && readable:
		a.Kind, a.Why = Conflict, "an entry of this name is there, was not written by this sync, and holds another value; adopt it by name to have it written over, or remove it there"
	case m.in.OnConflict == AdoptConflict:
		a.Kind, a.Why = Conflict, "an entry of this name is there and was not written by this sync, and the destination does not tell values; adopt it by name to have it written over, or remove it there"
	default:
		a.Kind, a.Why = Conflict, "an entry of this name is there and was not written by this sync; adopt it by name to have it written over, or remove it there"
	}
}

// surplus decides about our entries that are wanted no more. The last ones go only where the source is empty: filters that choose
// nothing are more likely a mistake than a wish.
func (m *maker) surplus() {
	doubtful := len(m.in.Wants) == 0 && !m.in.SourceEmpty
	for _, name := range slices.Sorted(maps.Keys(m.in.Ledger)) {
		e := m.in.Ledger[name]
		if m.wanted[name] || !e.Owned {
			continue
		}
		a := Action{Kind: Delete, Name: name, Source: e.Source, Version: e.Version}
		_, there := m.in.Actual[name]
		switch {
		case !there:
			a.Kind = Forget
		case m.in.Deletion == RetainDeletion:
			a.Kind = Retain
		case doubtful:
			a.Kind = Retain
			m.plan.Blocked = "include, exclude and tags leave out every secret, though the environment has some, so nothing is deleted; change them, or delete the sync with purge=true"
		}
		m.add(a)
	}
}

// count holds the number of entries, ours and others, against the limit.
func (m *maker) count() {
	most := m.in.Limits.MaxEntries
	creates, deletes := m.plan.Count(Create), m.plan.Count(Delete)
	if most == 0 || creates == 0 || len(m.in.Actual)+creates <= most {
		return
	}
	if len(m.in.Actual)+creates-deletes <= most {
		m.plan.Crowded = true
		return
	}
	why := fmt.Sprintf("the destination keeps %d entries, and has %d; remove some there, or leave secrets out with include and exclude", most, len(m.in.Actual))
	m.plan.Blocked = "the destination has no room for every entry, so nothing is changed"
	for i := range m.plan.Actions {
		if a := &m.plan.Actions[i]; a.Kind == Create {
			a.Kind, a.Why = OverLimit, why
		}
	}
}
