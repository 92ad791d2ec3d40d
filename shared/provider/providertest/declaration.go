package providertest

import (
	"fmt"
	"strings"
	"testing"
	"unicode"

	"github.com/stashbase/vault-stashbase/shared/provider"
)

var declarationChecks = []check{
	{"declaration is valid", nil, declarationIsValid},
	{"declaration is the same on every call", nil, declarationIsTheSame},
	{"help starts with a short sentence", nil, helpStartsShort},
	{"required settings have a valid example", nil, examplesAreValues},
	{"limits reject names that address something else", func(r *rig) string {
		if r.destination.Limits.Name == nil {
			return "Limits.Name is nil"
		}
		return ""
	}, limitsRejectUnsafeNames},
	{"folding is idempotent", func(r *rig) string {
		if r.destination.Fold == nil {
			return "Destination.Fold is nil"
		}
		return ""
	}, foldingIsIdempotent},
	{"different places have different targets", nil, targetsDiffer},
	{"normal forms are valid and stay as they are", nil, normalForms},
	{"secret fields accept no line break of a file", nil, secretsWithoutEdges},
}

func declarationIsValid(t testing.TB, r *rig) {
	if _, err := provider.NewRegistry(r.Provider); err != nil {
		t.Error(err)
	}
}

func declarationIsTheSame(t testing.TB, r *rig) {
	if a, b := shape(r.Provider.Declare()), shape(r.Provider.Declare()); a != b {
		t.Errorf("two calls of Declare differ:\n%s\n%s", a, b)
	}
}

// shape returns everything in a declaration except functions.
func shape(d provider.Declaration) string {
	var b strings.Builder
	fields := func(all []provider.Field) {
		for _, f := range all {
			f.Check, f.Normal = nil, nil
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

// helpStartsShort checks the first sentence of each help text, because lists of paths and fields
// show only that sentence.
func helpStartsShort(t testing.TB, r *rig) {
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
			t.Errorf("help of %s: the first sentence has no period: %q", what, short)
		case len(short) > 150:
			t.Errorf("help of %s: the first sentence has %d characters, more than 150", what, len(short))
		case !unicode.IsUpper(first) && first != '`':
			t.Errorf("help of %s: it does not start with a capital letter: %q", what, short)
		case strings.ContainsAny(text, "\n\t"):
			t.Errorf("help of %s: it has more than one line", what)
		}
	}
}

func examplesAreValues(t testing.TB, r *rig) {
	for _, f := range append(r.declaration.SettingsOf(r.Auth), r.destination.Fields...) {
		wants := f.Required && f.Type == provider.Text && f.Choices == nil
		if f.Example == "" {
			if wants {
				t.Errorf("field %s: a required field must have an example", f.Name)
			}
			continue
		}
		if _, err := provider.Complete([]provider.Field{f}, provider.Values{f.Name: f.Example}); err != nil {
			t.Errorf("field %s: the example is invalid: %v", f.Name, err)
		}
	}
}

func limitsRejectUnsafeNames(t testing.TB, r *rig) {
	for _, name := range []string{"", "..", "../x", "A\n", "A\nB", "A\x00", " A", "A?x=1", "A#x", "A%2fB", "\xff"} {
		if r.destination.Limits.Name.MatchString(name) {
			t.Errorf("Limits.Name matches %q", name)
		}
	}
}

func foldingIsIdempotent(t testing.TB, r *rig) {
	for _, name := range append(r.names(t, 3), "MiXed_1", "ß", "İ") {
		once := r.destination.Fold(name)
		if twice := r.destination.Fold(once); twice != once {
			t.Errorf("%q folds to %q, which folds to %q", name, once, twice)
		}
	}
}

func targetsDiffer(t testing.TB, r *rig) {
	given := r.destination.Target(r.session.Settings, r.place.Settings)
	if given.Host == "" || given.Path == "" {
		t.Errorf("the target of the party's place is incomplete: %+v", given)
	}
	if again := r.destination.Target(r.session.Settings, r.place.Settings); again != given {
		t.Errorf("one place has two targets: %+v and %+v", given, again)
	}
	for _, settings := range r.Elsewhere {
		if other := r.destination.Target(r.session.Settings, r.newPlace(t, settings).Settings); other == given {
			t.Errorf("another place has the same target %+v", given)
		}
	}
}

func normalForms(t testing.TB, r *rig) {
	for _, f := range append(r.declaration.SettingsOf(r.Auth), r.destination.Fields...) {
		if f.Normal == nil {
			continue
		}
		if f.Example == "" {
			t.Errorf("field %s: a field with a normal form must have an example", f.Name)
		}
		for _, given := range []string{f.Example, f.Example + "/", "/" + f.Example} {
			once, err := provider.Complete([]provider.Field{f}, provider.Values{f.Name: given})
			if err != nil {
				continue
			}
			twice, err := provider.Complete([]provider.Field{f}, once)
			if err != nil || twice.Text(f.Name) != once.Text(f.Name) || once.Text(f.Name) == "" {
				t.Errorf("field %s: %q is stored as %q, which is stored as %q, %v", f.Name, given, once.Text(f.Name), twice.Text(f.Name), err)
			}
		}
	}
}

func secretsWithoutEdges(t testing.TB, r *rig) {
	for _, f := range r.declaration.SecretsOf(r.Auth) {
		value := r.Credential[f.Name]
		if err := f.CheckSecret(value); value != "" && err != nil {
			t.Errorf("field %s: the party's own credential is rejected: %v", f.Name, err)
		}
		for _, edge := range []string{value + "\n", value + "\r\n", " " + value, value + "\u00a0", "\ufeff" + value} {
			if err := f.CheckSecret(edge); err == nil && !f.Multiline {
				t.Errorf("field %s: a value with white space at an edge is accepted", f.Name)
			}
		}
		if f.CheckSecret(value+"\x00"+value) == nil || f.CheckSecret(value+"\ufffd") == nil {
			t.Errorf("field %s: a control character or U+FFFD is accepted", f.Name)
		}
	}
}
