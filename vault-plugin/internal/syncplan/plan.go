// Package syncplan owns the decisions of a sync: which actions a run takes at a destination. They
// follow from the wanted entries, the actual entries and the ledger. The package is pure: it does
// not wait, store or make calls, and it receives no secret value.
package syncplan

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/ledger"
)

// Kind is the kind of an action.
type Kind string

// The kinds of actions. An entry is owned if the ledger says that the sync wrote or adopted it.
const (
	Create    Kind = "create"
	Update    Kind = "update"
	Delete    Kind = "delete"
	Adopt     Kind = "adopt"      // not owned, but has the wanted value: own it without a write
	Unchanged Kind = "unchanged"  // owned, and last written with the wanted value
	Retain    Kind = "retain"     // owned, no longer wanted, and kept
	Forget    Kind = "forget"     // owned, no longer wanted, and missing at the destination
	Conflict  Kind = "conflict"   // wanted and present, but not owned
	Invalid   Kind = "invalid"    // the destination would reject it
	OverLimit Kind = "over_limit" // the destination's limit of entries leaves no room for it
)

// Writes reports whether the action changes the destination.
func (k Kind) Writes() bool { return k == Create || k == Update || k == Delete }

// OnConflict is the action for an entry that is wanted and present, but not owned.
type OnConflict string

// The values of OnConflict.
const (
	FailConflict      OnConflict = provider.ConflictFail      // leave it unchanged
	AdoptConflict     OnConflict = provider.ConflictAdopt     // own it if it has the wanted value
	OverwriteConflict OnConflict = provider.ConflictOverwrite // replace its value and own it
)

// Deletion is the action for owned entries that are no longer wanted.
type Deletion string

// The values of Deletion.
const (
	ManagedDeletion Deletion = provider.DeletionManaged // delete them
	RetainDeletion  Deletion = provider.DeletionRetain  // keep them as owned entries
)

// Want is an entry that should exist at the destination.
type Want struct {
	Name    string // at the destination, in folded form; "" if Bad is set
	Source  string // name of the secret
	Version uint64
	Size    int    // bytes of the value
	Text    bool   // the value is UTF-8
	Same    bool   // the ledger says that this value was written last, under the current settings
	Bad     string // why name_template produced no name
}

// Input is everything that a plan depends on.
type Input struct {
	Wants       []Want
	SourceEmpty bool // the environment contains no secret
	Actual      map[string]provider.Entry
	Ledger      map[string]ledger.Entry // without intents; see Resolve

	Limits     provider.Limits
	ReadBack   provider.ReadBack
	OnConflict OnConflict
	Deletion   Deletion
	Adopt      map[string]bool // names that a request has adopted

	// Equal reports, for entries that are not owned and were read back, whether they have the
	// wanted value.
	Equal map[string]bool
}

// Action is the decision for one entry.
type Action struct {
	Kind    Kind
	Name    string // at the destination
	Source  string // name of the secret
	Version uint64
	Takes   bool   // an Update of an entry that is not owned yet, or a change that was adopted by name
	Missing bool   // a Create of an owned entry that is missing
	Why     string // for Conflict, Invalid and OverLimit: what is wrong and what to do

	Expect *provider.Entry // the entry that was listed; nil: none was
}

// Plan is the decision for every entry of a run.
type Plan struct {
	Actions []Action // sorted by name
	// Blocked says why the run may change nothing. It is "" if the run may proceed.
	Blocked string
	// Reads names the entries whose values decide and are missing from Input.Equal.
	Reads []string
	// Crowded reports that the deletions have to come first to make room.
	Crowded bool
}

// Count returns the number of actions of a kind.
func (p Plan) Count(k Kind) int {
	n := 0
	for _, a := range p.Actions {
		if a.Kind == k {
			n++
		}
	}
	return n
}

// Make returns the plan for the given input.
func Make(in Input) Plan {
	m := planner{in: in, wanted: make(map[string]bool)}
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
		m.plan.Blocked = "the destination would reject some entries, so nothing is changed"
	}
	return m.plan
}

type planner struct {
	in     Input
	plan   Plan
	wanted map[string]bool
}

func (m *planner) add(a Action) {
	if e, there := m.in.Actual[a.Name]; there {
		a.Expect = &e
	}
	m.wanted[a.Name] = true
	m.plan.Actions = append(m.plan.Actions, a)
}

// collisions returns the secrets of each name that more than one secret would have.
func (m *planner) collisions() map[string][]string {
	sources := make(map[string][]string)
	for _, w := range m.in.Wants {
		if w.Bad == "" {
			sources[w.Name] = append(sources[w.Name], w.Source)
		}
	}
	maps.DeleteFunc(sources, func(_ string, of []string) bool { return len(of) < 2 })
	return sources
}

// flaw returns why the destination would reject an entry, or "".
func (m *planner) flaw(w Want, colliding map[string][]string) string {
	l := m.in.Limits
	switch {
	case w.Bad != "":
		return "name_template " + w.Bad
	case colliding[w.Name] != nil:
		return fmt.Sprintf("the secrets %s would all have this name; change name_template, or exclude all but one", strings.Join(colliding[w.Name], ", "))
	case l.MaxNameBytes != 0 && len(w.Name) > l.MaxNameBytes:
		return fmt.Sprintf("the name is longer than %d bytes; shorten it with name_template", l.MaxNameBytes)
	case l.Name != nil && !l.Name.MatchString(w.Name):
		return fmt.Sprintf("the name must have %s; change it with name_template", l.NameRule)
	case l.MaxValueBytes != 0 && w.Size > l.MaxValueBytes:
		return fmt.Sprintf("the value has %d bytes; the destination allows at most %d", w.Size, l.MaxValueBytes)
	case l.NoEmptyValue && w.Size == 0:
		return "the value is empty, which the destination does not allow; exclude the secret"
	case l.TextOnly && !w.Text:
		return "the value is not valid UTF-8, which the destination requires; exclude the secret"
	}
	for _, prefix := range l.Reserved {
		if strings.HasPrefix(w.Name, prefix) {
			return fmt.Sprintf("the destination reserves names that begin with %s; change the name with name_template", prefix)
		}
	}
	return ""
}

// want decides about a wanted entry.
func (m *planner) want(w Want) {
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
		a.Kind, a.Takes = Update, m.in.Adopt[w.Name]
	}
	m.add(a)
}

// foreign decides about an entry that is wanted and present, but not owned.
func (m *planner) foreign(a *Action) {
	named := m.in.Adopt[a.Name]
	readable := m.in.ReadBack == provider.ReadBackValue
	equal, read := m.in.Equal[a.Name]
	switch {
	case m.in.OnConflict == OverwriteConflict:
		a.Kind, a.Takes = Update, true
	case (named || m.in.OnConflict == AdoptConflict) && readable && !read:
		m.plan.Reads = append(m.plan.Reads, a.Name)
		a.Kind, a.Why = Conflict, "its value has not been read yet"
	case (named || m.in.OnConflict == AdoptConflict) && equal:
		a.Kind = Adopt
	case named:
		a.Kind, a.Takes = Update, true
	case m.in.OnConflict == AdoptConflict && readable:
		a.Kind, a.Why = Conflict, "the destination has an entry of this name that this sync did not write, with a different value; adopt it by name to overwrite it, or remove it there"
	case m.in.OnConflict == AdoptConflict:
		a.Kind, a.Why = Conflict, "the destination has an entry of this name that this sync did not write, and does not return its value; adopt it by name to overwrite it, or remove it there"
	default:
		a.Kind, a.Why = Conflict, "the destination has an entry of this name that this sync did not write; adopt it by name to overwrite it, or remove it there"
	}
}

// surplus decides about owned entries that are no longer wanted. It deletes all of them only if the
// environment is empty. Filters that select no secret are more likely a mistake than an intention.
func (m *planner) surplus() {
	nothingSelected := len(m.in.Wants) == 0 && !m.in.SourceEmpty
	for _, name := range slices.Sorted(maps.Keys(m.in.Ledger)) {
		e := m.in.Ledger[name]
		if m.wanted[name] || !e.Owned {
			continue
		}
		a := Action{Kind: Delete, Name: name, Source: e.Source, Version: e.Version, Takes: m.in.Adopt[name]}
		_, there := m.in.Actual[name]
		switch {
		case !there:
			a.Kind = Forget
		case m.in.Deletion == RetainDeletion:
			a.Kind = Retain
		case nothingSelected:
			a.Kind = Retain
			m.plan.Blocked = "include, exclude and tags select no secret, but the environment is not empty, so nothing is deleted; change them, or delete the sync with purge=true"
		}
		m.add(a)
	}
}

// count compares the number of all entries at the destination with its limit.
func (m *planner) count() {
	most := m.in.Limits.MaxEntries
	creates, deletes := m.plan.Count(Create), m.plan.Count(Delete)
	if most == 0 || creates == 0 || len(m.in.Actual)+creates <= most {
		return
	}
	if len(m.in.Actual)+creates-deletes <= most {
		m.plan.Crowded = true
		return
	}
	why := fmt.Sprintf("the destination allows %d entries and has %d; remove some there, or select fewer secrets with include and exclude", most, len(m.in.Actual))
	m.plan.Blocked = "the destination has no room for every entry, so nothing is changed"
	for i := range m.plan.Actions {
		if a := &m.plan.Actions[i]; a.Kind == Create {
			a.Kind, a.Why = OverLimit, why
		}
	}
}
