package references_test

import (
	"strings"
	"testing"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/references"
)

// printed returns the value that the pieces were parsed from.
func printed(pieces []references.Piece) string {
	var b strings.Builder
	for _, p := range pieces {
		if p.Ref == nil {
			b.WriteString(strings.ReplaceAll(p.Text, "${", `\${`))
			continue
		}
		b.WriteString("${")
		for _, segment := range []string{p.Ref.Project, p.Ref.Environment} {
			if segment != "" {
				b.WriteString(segment + "/")
			}
		}
		b.WriteString(p.Ref.Name + "}")
	}
	return b.String()
}

func TestReferencesAreTheThreeFormsAndNothingElse(t *testing.T) {
	for _, value := range []string{"", "plain", "$", "$NAME", "{NAME}", "a\\b", "${NAME}", "x${a/NAME}y${p/e/NAME}z", `\${NAME}`, `${A}\${B}${C}`} {
		pieces, err := references.Parse(value)
		if err != nil || printed(pieces) != value {
			t.Errorf("%q reads as %q (%v)", value, printed(pieces), err)
		}
	}
	for _, value := range []string{"${", "${}", "${ A}", "${A", "${A/}", "${/A}", "${a/b/c/D}", "${UPPER/NAME}", "${a/1NAME}", "x${A}${", "${${A}}"} {
		if pieces, err := references.Parse(value); err == nil || pieces != nil {
			t.Errorf("%q reads as %q", value, printed(pieces))
		}
	}
}

func TestTargetsNameOtherEnvironmentsOnce(t *testing.T) {
	pieces, err := references.Parse("${A}${staging/B}${staging/B}${web/live/C}${api/staging/B}")
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(references.Targets("api", pieces), " "); got != "api/staging/B web/live/C" {
		t.Errorf("the targets are %q", got)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"", "${A}", `\${A}`, "${a/B}${p/e/C}", "${", "x$}{y"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		pieces, err := references.Parse(value)
		if err != nil {
			return
		}
		again, err := references.Parse(printed(pieces))
		if err != nil || printed(again) != printed(pieces) {
			t.Errorf("%q is parsed as %q, and that as %q (%v)", value, printed(pieces), printed(again), err)
		}
	})
}
