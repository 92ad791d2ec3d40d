package intake

import (
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
)

// printable is the form of our own field names. Any other key may be a value that slipped into the place of a name.
var printable = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

// Printed is a field's name as an error may show it.
func Printed(field string) string {
	if !printable.MatchString(field) {
		return "a field with an unprintable name"
	}
	return field
}

// unknown refuses a field the operation does not take, says which it takes, and which one was probably meant.
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
	return fault.New(fault.Invalid, "%s: unknown field; %sa %s of this path takes %s", Printed(field), hint, verb, takes)
}

// nearest answers the accepted name a typing mistake away from the given one, or "". Case and '-' for '_' are no mistakes: the
// other ways of writing a name are what people try first.
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

// distance is the number of bytes to insert, drop or replace to make b of a (Levenshtein).
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
