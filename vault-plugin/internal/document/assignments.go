package document

import (
	"regexp"
	"strings"
)

// bare matches values that every reader of dotenv, every shell and systemd read unchanged without
// quotes.
var bare = regexp.MustCompile(`^[A-Za-z0-9_./:@%+,=-]+$`)

// lineOf holds, for each format with one assignment after another, the function that writes one.
var lineOf = map[string]func(Pair) string{Dotenv: dotenvLine, Shell: shellLine, Docker: dockerLine, Systemd: systemdLine}

func assignments(pairs []Pair, line func(Pair) string) string {
	if len(pairs) == 0 {
		return "\n"
	}
	var text strings.Builder
	for _, pair := range pairs {
		text.WriteString(line(pair))
	}
	return text.String()
}

// doubleQuotes writes the escapes that package dotenv parses.
var doubleQuotes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`, "\n", `\n`, "\r", `\r`)

// dotenvLine writes a value without escapes where it can, because readers agree on those forms.
// Double quotes are for the other values: those with a single quote, or with a carriage return,
// which readers would drop as part of a CRLF. A path such as C:\dir\ has no quotes, because most
// readers take the last backslash for an escape of a closing quote.
func dotenvLine(pair Pair) string {
	value := pair.Value
	switch {
	case bare.MatchString(value), unquotedPath.MatchString(value):
	case !needsDoubleQuotes(value):
		value = "'" + value + "'"
	default:
		value = `"` + doubleQuotes.Replace(value) + `"`
	}
	return pair.Name + "=" + value + "\n"
}

// unquotedPath matches values with a backslash at the end that dotenv represents without quotes.
var unquotedPath = regexp.MustCompile(`^[A-Za-z0-9_./:@%+,=\\-]*\\$`)

func needsDoubleQuotes(value string) bool { return strings.ContainsAny(value, "'\r") }

// shellLine writes an assignment for any POSIX shell (IEEE Std 1003.1, Shell Command Language,
// 2.2.2). Inside single quotes, every character is literal. A single quote is written outside of them,
// with a backslash.
func shellLine(pair Pair) string {
	return "export " + pair.Name + "='" + strings.ReplaceAll(pair.Value, "'", `'\''`) + "'\n"
}

// dockerLine writes an assignment for `docker run --env-file`, which takes the rest of the line as
// the value (github.com/docker/cli, pkg/kvfile).
func dockerLine(pair Pair) string { return pair.Name + "=" + pair.Value + "\n" }

// systemdQuotes escapes what systemd reads as special inside double quotes. Line ends are literal
// (systemd.exec(5), EnvironmentFile=).
var systemdQuotes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`, "`", "\\`")

// systemdLine writes a value in double quotes, because older releases of systemd read escapes in
// single quotes too.
func systemdLine(pair Pair) string {
	if bare.MatchString(pair.Value) {
		return pair.Name + "=" + pair.Value + "\n"
	}
	return pair.Name + `="` + systemdQuotes.Replace(pair.Value) + "\"\n"
}
