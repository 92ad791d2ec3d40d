package providertest

import (
	"fmt"
	"strings"
	"testing"
	"unicode"

	"github.com/stashbase/vault-stashbase/shared/provider"
)

var declarationChecks = []check{
	{"declaration is legal", nil, declarationIsLegal},
	{"declaration is the same each time", nil, declarationIsTheSame},
	{"help begins with a short sentence", nil, helpBeginsShort},
	{"required settings have an example that is one of their values", nil, examplesAreValues},
	{"limits refuse names that lead elsewhere", func(r *rig) string {
		if r.destination.Limits.Name == nil {
			return "Limits.Name is nil"
		}
		return ""
	}, limitsRefuseStrangeNames},
	{"folding twice is folding once", func(r *rig) string {
		if r.destination.Fold == nil {
			return "Destination.Fold is nil"
		}
		return ""
	}, foldingIsStable},
	{"target tells places apart", nil, targetTellsApart},
}

func declarationIsLegal(t testing.TB, r *rig) {
	if _, err := provider.NewRegistry(r.Provider); err != nil {
		t.Error(err)
	}
}

func declarationIsTheSame(t testing.TB, r *rig) {
	if a, b := shape(r.Provider.Declare()), shape(r.Provider.Declare()); a != b {
		t.Errorf("two answers of Declare differ:\n%s\n%s", a, b)
	}
}

// shape is all of a declaration that is no function.
func shape(d provider.Declaration) string {
	var b strings.Builder
	fields := func(all []provider.Field) {
		for _, f := range all {
			f.Check = nil
			fmt.Fprintf(&b, "%+v\n", f)
		}
	}
	fmt.Fprintln(&b, d.Name, d.Title, d.Help)
	fields(d.Fields)
	for _, kind := range d.Auth {
		fmt.Fprintln(&b, kind.Name, kind.Help)
		fields(kind.Fields)
	}
	for _, dest := range d.Destinations {
		fmt.Fprintln(&b, dest.Name, dest.Title, dest.Help, dest.Granularities, dest.ReadBack, dest.Compares, dest.Batch, fmt.Sprint(dest.Limits))
		fields(dest.Fields)
	}
	return b.String()
}

// helpBeginsShort: lists of paths and fields show the first sentence alone.
func helpBeginsShort(t testing.TB, r *rig) {
	help := map[string]string{r.declaration.Name: r.declaration.Help, r.destination.Name: r.destination.Help}
	for _, kind := range r.declaration.Auth {
		help["auth kind "+kind.Name] = kind.Help
		for _, f := range kind.Fields {
			help[kind.Name+"."+f.Name] = f.Help
		}
	}
	for _, f := range r.declaration.Fields {
		help[f.Name] = f.Help
	}
	for _, f := range r.destination.Fields {
		help[r.destination.Name+"."+f.Name] = f.Help
	}
	for what, text := range help {
		short := provider.Short(text)
		first := []rune(short + " ")[0]
		switch {
		case !strings.HasSuffix(short, "."):
			t.Errorf("help of %s: its first sentence has no end: %q", what, short)
		case len(short) > 150:
			t.Errorf("help of %s: its first sentence has %d characters, over 150", what, len(short))
		case !unicode.IsUpper(first) && first != '`':
			t.Errorf("help of %s: it does not begin with a capital: %q", what, short)
		case strings.ContainsAny(text, "\n\t"):
			t.Errorf("help of %s: it is more than one line", what)
		}
	}
}

func examplesAreValues(t testing.TB, r *rig) {
	for _, f := range append(r.declaration.SettingsOf(r.Auth), r.destination.Fields...) {
		wants := f.Required && f.Type == provider.Text && f.Choices == nil
		if f.Example == "" {
			if wants {
				t.Errorf("field %s: it is required and has no example", f.Name)
			}
			continue
		}
		if _, err := provider.Complete([]provider.Field{f}, provider.Values{f.Name: f.Example}); err != nil {
			t.Errorf("field %s: its example is refused: %v", f.Name, err)
		}
	}
}

func limitsRefuseStrangeNames(t testing.TB, r *rig) {
	for _, name := range []string{"", "..", "../x", "A\n", "A\nB", "A\x00", " A", "A?x=1", "A#x", "A%2fB", "\xff"} {
		if r.destination.Limits.Name.MatchString(name) {
			t.Errorf("Limits.Name matches %q", name)
		}
	}
}

func foldingIsStable(t testing.TB, r *rig) {
	for _, name := range append(r.names(t, 3), "MiXed_1", "ß", "İ") {
		once := r.destination.Fold(name)
		if twice := r.destination.Fold(once); twice != once {
			t.Errorf("%q folds to %q, and that to %q", name, once, twice)
		}
	}
}

func targetTellsApart(t testing.TB, r *rig) {
	given := r.destination.Target(r.session.Settings, r.at.Settings)
	if given.Host == "" || given.Path == "" {
		t.Errorf("Target of the party's place is %+v", given)
	}
	if again := r.destination.Target(r.session.Settings, r.at.Settings); again != given {
		t.Errorf("two Targets of one place: %+v and %+v", given, again)
	}
	for _, settings := range r.Elsewhere {
		if other := r.destination.Target(r.session.Settings, r.place(t, settings).Settings); other == given {
			t.Errorf("another place has the same Target %+v", given)
		}
	}
}
