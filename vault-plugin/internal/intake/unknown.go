package intake

import (
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
)

// printable matches the field names of the engine. Any other key may be a value that was sent in
// the place of a name.
var printable = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

// Printed returns a field's name as an error may show it.
func Printed(field string) string {
	if !printable.MatchString(field) {
		return "a field with an unprintable name"
	}
	return field
}

// unknown returns the error for a field that the operation does not accept. The error lists the
// accepted fields and suggests the one that was probably meant.
func (r *route) unknown(op logical.Operation, field string) error {
	var accepted []string
	for name := range r.path.Fields {
		if r.takes(op, name) {
			accepted = append(accepted, name)
		}
	}
	slices.Sort(accepted)

	verb := string(op)
	if op == logical.CreateOperation || op == logical.UpdateOperation {
		verb = "write"
	}
	takes := "no fields"
	if len(accepted) > 0 {
		takes = strings.Join(accepted, ", ")
	}
	hint := ""
	if meant := nearest(field, accepted); meant != "" {
		hint = "did you mean " + meant + "? "
	}
	return fault.New(fault.Invalid, "%s: unknown field; %sa %s of this path accepts %s", Printed(field), hint, verb, takes)
}

// nearest returns the accepted name that differs from the given name by a typing mistake, or "". It
// ignores case and treats '-' as '_', because people try those spellings first.
func nearest(given string, accepted []string) string {
	const longest = 64
	if len(given) > longest {
		return ""
	}
	given = strings.ReplaceAll(strings.ToLower(given), "-", "_")
	best, bestDistance := "", 3
	for _, name := range accepted {
		if d := distance(given, name); d < bestDistance && 2*d < len(name) {
			best, bestDistance = name, d
		}
	}
	return best
}

// distance returns the Levenshtein distance of a and b in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
