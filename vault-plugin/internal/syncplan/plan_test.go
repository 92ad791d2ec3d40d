package syncplan

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/ledger"
)

// wants returns a Want for each secret, named like the secret. A `=` after a name sets Same.
func wants(names ...string) []Want {
	all := make([]Want, len(names))
	for i, name := range names {
		bare, same := strings.CutSuffix(name, "=")
		all[i] = Want{Name: bare, Source: bare, Version: 1, Size: 1, Text: true, Same: same}
	}
	return all
}

func actual(names ...string) map[string]provider.Entry {
	all := make(map[string]provider.Entry)
	for _, name := range names {
		all[name] = provider.Entry{Name: name, Version: "v of " + name}
	}
	return all
}

func own(names ...string) map[string]ledger.Entry {
	all := make(map[string]ledger.Entry)
	for _, name := range names {
		all[name] = ledger.Entry{Owned: true, Source: name, Version: 1, Print: ledger.Print{KeyVersion: 1}}
	}
	return all
}

// shown returns a plan as the tables write it: "create A, delete B". An ! marks actions with Takes
// or Missing set.
func shown(p Plan) string {
	var all []string
	for _, a := range p.Actions {
		mark := ""
		if a.Takes || a.Missing {
			mark = "!"
		}
		all = append(all, string(a.Kind)+" "+a.Name+mark)
	}
	return strings.Join(all, ", ")
}

func TestMake(t *testing.T) {
	limits := provider.Limits{
		MaxEntries: 4, MaxValueBytes: 10, MaxNameBytes: 8, Name: regexp.MustCompile(`^[A-Z_]+$`), NameRule: "capitals", Reserved: []string{"SYS_"}, NoEmptyValue: true, TextOnly: true,
	}
	big, empty, bytes, bad := wants("A"), wants("A"), wants("A"), wants("A")
	big[0].Size, empty[0].Size, bytes[0].Text, bad[0].Bad, bad[0].Name = 11, 0, false, "makes an empty name", ""
	for _, tc := range []struct {
		name    string
		in      Input
		want    string
		blocked bool
		reads   string
		crowded bool
	}{
		{name: "no secrets and no entries", in: Input{SourceEmpty: true}},
		{name: "only at the source", in: Input{Wants: wants("A", "B")}, want: "create A, create B"},
		{name: "owned and unchanged", in: Input{Wants: wants("A="), Actual: actual("A"), Ledger: own("A")}, want: "unchanged A"},
		{name: "owned with another value", in: Input{Wants: wants("A"), Actual: actual("A"), Ledger: own("A")}, want: "update A"},
		{name: "owned and missing", in: Input{Wants: wants("A="), Ledger: own("A")}, want: "create A!"},
		{name: "owned and no longer wanted", in: Input{Wants: wants("A="), Actual: actual("A", "B"), Ledger: own("A", "B")}, want: "unchanged A, delete B"},
		{name: "owned, no longer wanted and missing", in: Input{Wants: wants("A="), Actual: actual("A"), Ledger: own("A", "B")}, want: "unchanged A, forget B"},
		{name: "owned, no longer wanted and kept", in: Input{Wants: wants("A="), Actual: actual("A", "B"), Ledger: own("A", "B"), Deletion: RetainDeletion}, want: "unchanged A, retain B"},
		{name: "foreign and not wanted", in: Input{SourceEmpty: true, Actual: actual("X")}},
		{name: "foreign and wanted", in: Input{Wants: wants("A", "B"), Actual: actual("A")}, want: "conflict A, create B"},
		{name: "foreign and overwritten", in: Input{Wants: wants("A"), Actual: actual("A"), OnConflict: OverwriteConflict}, want: "update A!"},
		{name: "foreign, and the value decides", in: Input{Wants: wants("A"), Actual: actual("A"), OnConflict: AdoptConflict, ReadBack: provider.ReadBackValue}, want: "conflict A", reads: "A"},
		{name: "foreign with the wanted value", in: Input{Wants: wants("A"), Actual: actual("A"), OnConflict: AdoptConflict, ReadBack: provider.ReadBackValue, Equal: map[string]bool{"A": true}}, want: "adopt A"},
		{name: "foreign with another value", in: Input{Wants: wants("A"), Actual: actual("A"), OnConflict: AdoptConflict, ReadBack: provider.ReadBackValue, Equal: map[string]bool{"A": false}}, want: "conflict A"},
		{name: "foreign with a value that cannot be read", in: Input{Wants: wants("A"), Actual: actual("A"), OnConflict: AdoptConflict, ReadBack: provider.ReadBackTimestamp}, want: "conflict A"},
		{name: "adopted by name", in: Input{Wants: wants("A", "B"), Actual: actual("A", "B"), Adopt: map[string]bool{"A": true}}, want: "update A!, conflict B"},
		{name: "adopted by name with the wanted value", in: Input{Wants: wants("A"), Actual: actual("A"), Adopt: map[string]bool{"A": true}, ReadBack: provider.ReadBackValue, Equal: map[string]bool{"A": true}}, want: "adopt A"},
		{name: "owned and adopted by name", in: Input{Wants: wants("A", "B"), Actual: actual("A", "B"), Ledger: own("A", "B"), Adopt: map[string]bool{"A": true}}, want: "update A!, update B"},
		{name: "owned, adopted by name and no longer wanted", in: Input{SourceEmpty: true, Actual: actual("A", "B"), Ledger: own("A", "B"), Adopt: map[string]bool{"A": true}}, want: "delete A!, delete B"},
		{name: "adopted by name and not wanted", in: Input{SourceEmpty: true, Actual: actual("A"), Adopt: map[string]bool{"A": true}}},
		{name: "all owned entries of an empty environment", in: Input{SourceEmpty: true, Actual: actual("A"), Ledger: own("A")}, want: "delete A"},
		{name: "all owned entries when the filters select no secret", in: Input{Actual: actual("A"), Ledger: own("A")}, want: "retain A", blocked: true},
		{name: "two secrets with one name", in: Input{Wants: append(wants("A", "B"), Want{Name: "A", Source: "a", Size: 1, Text: true})}, want: "invalid A, invalid A, create B", blocked: true},
		{name: "a name that breaks the rule", in: Input{Wants: wants("a", "B"), Limits: limits}, want: "create B, invalid a", blocked: true},
		{name: "a name that is too long", in: Input{Wants: wants("ABCDEFGHI"), Limits: limits}, want: "invalid ABCDEFGHI", blocked: true},
		{name: "a reserved name", in: Input{Wants: wants("SYS_A"), Limits: limits}, want: "invalid SYS_A", blocked: true},
		{name: "a value that is too large", in: Input{Wants: big, Limits: limits}, want: "invalid A", blocked: true},
		{name: "an empty value", in: Input{Wants: empty, Limits: limits}, want: "invalid A", blocked: true},
		{name: "a value that is not text", in: Input{Wants: bytes, Limits: limits}, want: "invalid A", blocked: true},
		{name: "no name", in: Input{Wants: bad}, want: "invalid ", blocked: true},
		{name: "room for all", in: Input{Wants: wants("A", "B"), Actual: actual("X", "Y"), Limits: limits}, want: "create A, create B"},
		{name: "no room for a new entry", in: Input{Wants: wants("A", "B="), Actual: actual("X", "Y", "Z", "B"), Ledger: own("B"), Limits: limits}, want: "over_limit A, unchanged B", blocked: true},
		{name: "room after deletions", in: Input{Wants: wants("A"), Actual: actual("X", "Y", "Z", "B"), Ledger: own("B"), Limits: limits}, want: "create A, delete B", crowded: true},
		{name: "over the limit without new entries", in: Input{Wants: wants("B="), Actual: actual("W", "X", "Y", "Z", "B"), Ledger: own("B"), Limits: limits}, want: "unchanged B"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := Make(tc.in)
			if got := shown(p); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
			if (p.Blocked != "") != tc.blocked || strings.Join(p.Reads, ",") != tc.reads || p.Crowded != tc.crowded {
				t.Errorf("blocked %q, reads %v, crowded %t", p.Blocked, p.Reads, p.Crowded)
			}
			for _, a := range p.Actions {
				e, there := tc.in.Actual[a.Name]
				if (a.Expect != nil) != there || there && *a.Expect != e {
					t.Errorf("%s expects %v", a.Name, a.Expect)
				}
				if given := a.Why != ""; given != slices.Contains([]Kind{Conflict, Invalid, OverLimit}, a.Kind) {
					t.Errorf("%s %s: %q", a.Kind, a.Name, a.Why)
				}
				if a.Kind.Writes() && !tc.in.Ledger[a.Name].Owned && there && !a.Takes {
					t.Errorf("%s %s would change an entry that is not owned", a.Kind, a.Name)
				}
			}
		})
	}
}

func TestActualEntriesResolveIntents(t *testing.T) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	before, written := ledger.Print{KeyVersion: 1, Sum: [32]byte{1}}, ledger.Print{KeyVersion: 1, Sum: [32]byte{2}}
	write := &ledger.Intent{Source: "A", Version: 2, Print: written, Shape: "s"}
	remove := &ledger.Intent{Delete: true}
	mine := ledger.Entry{Owned: true, Source: "A", Version: 1, Print: before, Remote: ledger.Remote{Version: "v1"}}
	known := ledger.Entry{Owned: true, Source: "A", Version: 1, Print: before, Remote: ledger.Remote{ID: "1", Version: "v1"}}
	dated := ledger.Entry{Owned: true, Source: "A", Version: 1, Print: before, Remote: ledger.Remote{Updated: at}}
	with := func(e ledger.Entry, i *ledger.Intent) ledger.Entry { e.Intent = i; return e }
	v1, v2 := &provider.Entry{Name: "A", Version: "v1"}, &provider.Entry{Name: "A", Version: "v2"}
	bare := &provider.Entry{Name: "A"}
	for _, tc := range []struct {
		name  string
		entry ledger.Entry
		now   *provider.Entry
		held  *Held
		owned bool
		print ledger.Print
		lost  bool
	}{
		{name: "a creation that was not made", entry: with(ledger.Entry{}, write)},
		{name: "a creation that was made", entry: with(ledger.Entry{}, write), now: v2, held: &Held{Intended: true}, owned: true, print: written},
		{name: "a creation, and a foreign entry exists", entry: with(ledger.Entry{}, write), now: v2, held: &Held{}},
		{name: "a creation, and values cannot be read", entry: with(ledger.Entry{}, write), now: v2},
		{name: "an update that was made", entry: with(mine, write), now: v2, held: &Held{Intended: true}, owned: true, print: written},
		{name: "an update that was not made", entry: with(mine, write), now: v1, held: &Held{Written: true}, owned: true, print: before},
		{name: "an update, and the value is a third one", entry: with(mine, write), now: v2, held: &Held{}, owned: true},
		{name: "an update, and values cannot be read", entry: with(mine, write), now: v2, owned: true},
		{name: "an update, and the entry is missing", entry: with(mine, write), owned: true, print: before},
		{name: "a deletion that was made", entry: with(mine, remove)},
		{name: "a deletion that was not made", entry: with(mine, remove), now: v1, owned: true, print: before},
		{name: "a deletion, and the entry was written since", entry: with(mine, remove), now: v2, held: &Held{}, lost: true},
		{name: "a deletion, and the value is the written one", entry: with(mine, remove), now: bare, held: &Held{Written: true}, owned: true, print: before},
		{name: "a deletion, and nothing shows whose the entry is", entry: with(mine, remove), now: bare, lost: true},
		{name: "a deletion, and the entry was made again", entry: with(known, remove), now: &provider.Entry{Name: "A", ID: "2", Version: "v1"}, held: &Held{Written: true}, lost: true},
		{name: "a deletion, and only the version is the same", entry: with(dated, remove), now: &provider.Entry{Name: "A", Version: "v1", Updated: at.Add(time.Second)}, held: &Held{}, lost: true},
		{name: "an update, and the entry was made again", entry: with(known, write), now: &provider.Entry{Name: "A", ID: "2", Version: "v1"}, held: &Held{Written: true}},
		{name: "an update, and the entry was made again by it", entry: with(known, write), now: &provider.Entry{Name: "A", ID: "2", Version: "v1"}, held: &Held{Intended: true}, owned: true, print: written},
		{name: "a deletion, and the time is unchanged", entry: with(dated, remove), now: &provider.Entry{Name: "A", Updated: at}, owned: true, print: before},
		{name: "a deletion, and the time has changed", entry: with(dated, remove), now: &provider.Entry{Name: "A", Updated: at.Add(time.Second)}, lost: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			entries := map[string]ledger.Entry{"A": tc.entry, "B": own("B")["B"]}
			there := make(map[string]provider.Entry)
			if tc.now != nil {
				there["A"] = *tc.now
			}
			var held map[string]Held
			if tc.held != nil {
				held = map[string]Held{"A": *tc.held}
			}
			if names := Unresolved(entries, there); (len(names) == 1) != (tc.now != nil) {
				t.Errorf("unresolved: %v", names)
			}
			resolved, lost := Resolve(entries, there, held)
			got := resolved["A"]
			if got.Owned != tc.owned || got.Print != tc.print || got.Intent != nil || (len(lost) == 1) != tc.lost {
				t.Errorf("got %+v, lost %v", got, lost)
			}
			if fmt.Sprint(resolved["B"]) != fmt.Sprint(entries["B"]) || entries["A"].Intent == nil {
				t.Error("Resolve changed its input or an entry without an intent")
			}
		})
	}
}
