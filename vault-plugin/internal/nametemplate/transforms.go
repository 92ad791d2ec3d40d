package nametemplate

import (
	"errors"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// transform is a template function. apply returns false if the result would be too long; it checks
// the length before it builds the result where the result can be much longer than the input.
type transform struct {
	usage string
	args  int
	check func(args []string) error
	apply func(text string, args []string) (string, bool)
}

// transforms returns the template functions by name.
func transforms() map[string]transform {
	return map[string]transform{
		"upper":      simple("upper", strings.ToUpper),
		"lower":      simple("lower", strings.ToLower),
		"camel":      simple("camel", func(s string) string { return joined(s, "", strings.ToLower, title) }),
		"pascal":     simple("pascal", func(s string) string { return joined(s, "", title, title) }),
		"snake":      simple("snake", func(s string) string { return joined(s, "_", strings.ToLower, strings.ToLower) }),
		"screaming":  simple("screaming", func(s string) string { return joined(s, "_", strings.ToUpper, strings.ToUpper) }),
		"kebab":      simple("kebab", func(s string) string { return joined(s, "-", strings.ToLower, strings.ToLower) }),
		"dotnet":     simple("dotnet", dotnet),
		"trimPrefix": {`trimPrefix "APP_"`, 1, nil, func(s string, a []string) (string, bool) { return strings.TrimPrefix(s, a[0]), true }},
		"trimSuffix": {`trimSuffix "_V1"`, 1, nil, func(s string, a []string) (string, bool) { return strings.TrimSuffix(s, a[0]), true }},
		"replace":    {`replace "_" "-"`, 2, checkReplace, replace},
		"truncate":   {`truncate 64`, 1, checkTruncate, truncate},
	}
}

func simple(name string, f func(string) string) transform {
	return transform{usage: name, apply: func(text string, _ []string) (string, bool) {
		text = f(text)
		return text, len(text) <= maxStep
	}}
}

// checkReplace rejects an empty old text: strings.ReplaceAll would insert the new text between all
// characters.
func checkReplace(args []string) error {
	if args[0] == "" {
		return errors.New("the text to replace is empty")
	}
	return nil
}

func replace(text string, args []string) (string, bool) {
	if len(text)+strings.Count(text, args[0])*(len(args[1])-len(args[0])) > maxStep {
		return "", false
	}
	return strings.ReplaceAll(text, args[0], args[1]), true
}

func checkTruncate(args []string) error {
	if n, err := strconv.Atoi(args[0]); err != nil || n < 1 || n > MaxName {
		return errors.New("the length is out of range")
	}
	return nil
}

// truncate returns the longest prefix of whole characters that has at most the given bytes.
func truncate(text string, args []string) (string, bool) {
	n, _ := strconv.Atoi(args[0])
	if len(text) <= n {
		return text, true
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n], true
}

// words splits a name at '_', '-', '.' and space, and before an upper-case letter that follows a
// lower-case letter or a digit.
func words(name string) []string {
	var all []string
	var word strings.Builder
	end := func() {
		if word.Len() > 0 {
			all = append(all, word.String())
			word.Reset()
		}
	}
	var before rune
	for _, r := range name {
		switch {
		case strings.ContainsRune("_-. ", r):
			end()
		case unicode.IsUpper(r) && (unicode.IsLower(before) || unicode.IsDigit(before)):
			end()
			word.WriteRune(r)
		default:
			word.WriteRune(r)
		}
		before = r
	}
	end()
	return all
}

func joined(name, with string, first, later func(string) string) string {
	all := words(name)
	for i, word := range all {
		if i == 0 {
			all[i] = first(word)
		} else {
			all[i] = later(word)
		}
	}
	return strings.Join(all, with)
}

func title(word string) string {
	first, size := utf8.DecodeRuneInString(word)
	return string(unicode.ToUpper(first)) + strings.ToLower(word[size:])
}

// dotnet returns the environment variable of a .NET configuration key, whose sections are separated
// by "__": DATABASE__CONNECTION_STRING becomes Database__ConnectionString.
func dotnet(name string) string {
	sections := strings.Split(name, "__")
	for i, section := range sections {
		sections[i] = joined(section, "", title, title)
	}
	return strings.Join(sections, "__")
}
