package intake

import (
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
)

// printable matches the names of fields that an error may show: words of letters with few digits,
// joined by underscores, such as max_versions, DB_USER and S3_BUCKET. A longer word, or one with
// more digits, may be a value that was sent in the place of a name.
var printable = regexp.MustCompile(`^_?` + word + `(_` + word + `)*$|^_$`)

const (
	word       = `([A-Za-z]{1,15}([0-9]{1,4}[A-Za-z]{0,2})?|[0-9]{1,4}[A-Za-z]{0,4})`
	maxPrinted = 64
)

// Printable reports whether an error may show a name that a caller has sent.
func Printable(name string) bool { return len(name) <= maxPrinted && printable.MatchString(name) }

// Printed returns a field's name as an error may show it.
func Printed(field string) string {
	if !Printable(field) {
		return "a field with an unprintable name"
	}
	return field
}

// refused returns the error for a field that the operation does not accept. The error lists the
// accepted fields. It says for which operations a field of the path is, or suggests a field that was
// probably meant.
func (c *Checker) refused(r *route, op logical.Operation, field string) error {
	var accepted []string
	for name := range r.path.Fields {
		if c.takes(r, op, name) {
			accepted = append(accepted, name)
		}
	}
	slices.Sort(accepted)
	takes := "no fields"
	if len(accepted) > 0 {
		takes = strings.Join(accepted, ", ")
	}
	takes = "a " + verb(op) + " of this path accepts " + takes

	if users := c.users(r, field); users != "" {
		return fault.New(fault.Invalid, "%s: is only for a %s; %s", Printed(field), users, takes)
	}
	hint := ""
	if meant := nearest(field, accepted); meant != "" {
		hint = "did you mean " + meant + "? "
	} else if c.suggest != nil {
		if text := c.suggest(r.path, op, field); text != "" {
			hint = text + "; "
		}
	}
	return fault.New(fault.Invalid, "%s: unknown field; %s%s", Printed(field), hint, takes)
}

// users returns the operations of a path that accept a field: "read or delete".
func (c *Checker) users(r *route, field string) string {
	return r.verbs(func(op logical.Operation) bool { return c.takes(r, op, field) })
}

// Unsupported returns the error for an operation that the path does not have. The error lists those
// that it has. hint is what to do instead, or "".
func (c *Checker) Unsupported(req *logical.Request, hint string) error {
	r := c.route(req.Path)
	if r == nil {
		return logical.ErrUnsupportedPath
	}
	has := r.verbs(func(logical.Operation) bool { return true })
	if hint != "" {
		hint = "; " + hint
	}
	return &fault.Error{Kind: fault.Invalid, Status: http.StatusMethodNotAllowed, Text: "this path has no " + verb(req.Operation) + ", only " + has + hint}
}

// verbs returns the operations of a path for which use is true.
func (r *route) verbs(use func(logical.Operation) bool) string {
	var verbs []string
	for _, op := range []logical.Operation{
		logical.ReadOperation, logical.ListOperation, logical.CreateOperation, logical.UpdateOperation, logical.PatchOperation, logical.DeleteOperation,
	} {
		if v := verb(op); r.serves(op) && use(op) && !slices.Contains(verbs, v) {
			verbs = append(verbs, v)
		}
	}
	return strings.Join(verbs, " or ")
}

func verb(op logical.Operation) string {
	if op == logical.CreateOperation || op == logical.UpdateOperation {
		return "write"
	}
	return string(op)
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
