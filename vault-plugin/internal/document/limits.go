package document

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
)

// maxListed is the largest number of names in one error.
const maxListed = 50

// maxDockerLine is the largest line in bytes that docker reads, without its line end. It reads with
// a bufio.Scanner of the default size.
const maxDockerLine = 64<<10 - 1

var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// limit is something that a format cannot represent.
type limit struct {
	broken func(Pair) bool
	what   string // names or values
	rule   string
	// lenient limits are about readers that change a value. With Lenient, the value is rendered.
	lenient bool
}

var (
	variables = limit{
		broken: func(p Pair) bool { return !identifier.MatchString(p.Name) },
		what:   "names", rule: "a name must consist of A-Z, a-z, 0-9 and '_' and must not begin with a digit",
	}
	noNUL = limit{
		broken: func(p Pair) bool { return strings.Contains(p.Value, "\x00") },
		what:   "values", rule: "an environment variable cannot contain a NUL",
	}
)

// limits holds what each format cannot represent. JSON and YAML represent every name and every
// text. The limits of dotenv are what the readers of readers_test.go have in common.
var limits = map[string][]limit{
	Shell: {variables, noNUL},
	Docker: {variables, noNUL, {
		broken: func(p Pair) bool { return strings.ContainsAny(p.Value, "\r\n") },
		what:   "values", rule: "docker has no quotes, so a value ends at the first line end",
	}, {
		broken: func(p Pair) bool { return len(p.Name)+len("=")+len(p.Value) > maxDockerLine },
		what:   "values", rule: "docker reads lines of less than 64 KiB",
	}},
	Systemd: {variables, noNUL, {
		broken: func(p Pair) bool { return strings.ContainsFunc(p.Value, nonCharacter) },
		what:   "values", rule: "systemd drops values with Unicode noncharacters, such as U+FFFE",
	}},
	Dotenv: {variables, noNUL, {
		broken: func(p Pair) bool { return runs(p.Value) },
		what:   "values", rule: "a value with ' or a carriage return, and with ` or $(, would be run as a command by dotenvx or by a shell",
	}, {
		broken: func(p Pair) bool { return strings.HasSuffix(p.Value, `\`) && !unquotedPath.MatchString(p.Value) },
		what:   "values", rule: `after a value in quotes with a backslash at the end, some readers find no closing quote and read what follows as names, values and commands`,
	}, {
		broken: func(p Pair) bool { return !portable(p.Value) }, lenient: true,
		what: "values", rule: "readers of dotenv files disagree about a carriage return, ${, and ' together with \\, \", $ or `",
	}},
}

// runs reports whether a reader would run a part of a value. dotenvx runs $(...) in double quotes,
// even if the dollar is escaped. A shell that sources the document runs backticks in double quotes.
func runs(value string) bool {
	return needsDoubleQuotes(value) && (strings.Contains(value, "`") || strings.Contains(value, "$("))
}

// portable reports whether all readers of dotenv documents read a value unchanged. Node and npm
// dotenv know no escape but \n and \r. python-dotenv expands ${NAME}, also in single quotes. Readers
// drop a carriage return as part of a CRLF.
func portable(value string) bool {
	return !strings.Contains(value, "\r") && !strings.Contains(value, "${") &&
		(!strings.Contains(value, "'") || !strings.ContainsAny(value, "\\\"$`"))
}

// nonCharacter reports whether r is a noncharacter of Unicode (The Unicode Standard, 23.7). systemd
// treats it as invalid UTF-8.
func nonCharacter(r rune) bool { return r >= 0xfdd0 && r <= 0xfdef || r&0xfffe == 0xfffe }

// checkLimits returns the names of the secrets that the document can represent only for some
// readers. It fails if the document cannot represent a secret, or if it is rendered strictly and
// some readers would change a value.
func checkLimits(format string, pairs []Pair, strictness Strictness) (changed []string, err error) {
	for _, l := range limits[format] {
		broken := breaking(l, pairs)
		switch {
		case len(broken) == 0:
		case l.lenient && strictness == Lenient:
			changed = broken
		default:
			return nil, l.refuse(format, broken, pairs)
		}
	}
	return changed, nil
}

func breaking(l limit, pairs []Pair) []string {
	var all []string
	for _, pair := range pairs {
		if l.broken(pair) {
			all = append(all, pair.Name)
		}
	}
	return all
}

// refuse returns the error for secrets that break a limit. It names the formats that represent all
// secrets of the document.
func (l limit) refuse(format string, broken []string, pairs []Pair) error {
	text := fmt.Sprintf("format: %s cannot carry the %s of %s: %s; exclude them, use %s",
		format, l.what, Listed(broken), l.rule, strings.Join(carriers(pairs), ", "))
	if l.lenient {
		text += ", or set strict=false if you know the reader"
	}
	return fault.New(fault.Invalid, "%s", text)
}

// carriers returns the formats that represent all pairs.
func carriers(pairs []Pair) []string {
	return slices.DeleteFunc(Formats(), func(format string) bool {
		return slices.ContainsFunc(limits[format], func(l limit) bool { return slices.ContainsFunc(pairs, l.broken) })
	})
}

// Listed returns names for an error or a warning. It is bounded.
func Listed(names []string) string {
	quoted := make([]string, min(len(names), maxListed))
	for i := range quoted {
		quoted[i] = strconv.Quote(names[i])
	}
	text := strings.Join(quoted, ", ")
	if more := len(names) - maxListed; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
