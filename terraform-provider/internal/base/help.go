package base

import "strings"

// WithChoices adds a closed list of values to the help of an attribute, unless the help explains
// each of them already.
func WithChoices(help string, values ...string) string {
	quoted, explained := make([]string, len(values)), len(values) > 0
	for i, value := range values {
		quoted[i] = "`" + value + "`"
		explained = explained && strings.Contains(help, quoted[i]+":")
	}
	if explained || len(values) == 0 {
		return help
	}
	return help + " One of: " + strings.Join(quoted, ", ") + "."
}
