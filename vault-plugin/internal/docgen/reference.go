package main

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
)

const preamble = `<!-- Generated from the schemas and help of the paths. Do not edit: change them and run "make generate". -->

# Paths

Every path is relative to the mount, ` + "`stashbase/`" + ` in all examples. ` + "`:name`" + ` stands for a name of yours. What is said here is
also answered by the engine itself: ` + "`vault path-help stashbase/<path>`" + `, and in Vault's OpenAPI document of the mount.
[Conventions](conventions.md) has what holds for all of them: names, errors, status, lists.
`

// order is that of the operations of a path, with the method and the command that ask for each.
var order = []struct {
	operation       logical.Operation
	method, command string
}{
	{logical.ListOperation, "LIST", "vault list"},
	{logical.ReadOperation, "GET", "vault read"},
	{logical.CreateOperation, "POST, PUT", "vault write"},
	{logical.UpdateOperation, "POST, PUT", "vault write"},
	{logical.PatchOperation, "PATCH", "vault patch"},
	{logical.DeleteOperation, "DELETE", "vault delete"},
}

// reference renders the paths by family, which is their first segment, in the order in which the engine declares them.
func reference(paths []*framework.Path) string {
	var families []string
	members := make(map[string][]*framework.Path)
	for _, p := range paths {
		family, _, _ := strings.Cut(readable(p), "/")
		if members[family] == nil {
			families = append(families, family)
		}
		members[family] = append(members[family], p)
	}
	var b strings.Builder
	b.WriteString(preamble + "\n")
	for _, family := range families {
		fmt.Fprintf(&b, "- [%s](#%s)\n", family, family)
	}
	for _, family := range families {
		fmt.Fprintf(&b, "\n## %s\n", family)
		about := ""
		for _, p := range members[family] {
			// Paths of a family share their description.
			if text := strings.Trim(p.HelpDescription, "\n"); text != about {
				about = text
				b.WriteString("\n" + prose(text) + "\n")
			}
		}
		for _, p := range members[family] {
			writePath(&b, p)
		}
	}
	return b.String()
}

func writePath(b *strings.Builder, p *framework.Path) {
	fmt.Fprintf(b, "\n### `%s`\n\n%s\n", readable(p), prose(p.HelpSynopsis))
	b.WriteString("\n| operation | method | command | |\n| --- | --- | --- | --- |\n")
	for _, o := range order {
		if h := p.Operations[o.operation]; h != nil {
			fmt.Fprintf(b, "| %s | %s | `%s` | %s |\n", o.operation, o.method, o.command, cell(h.Properties().Summary))
		}
	}
	if len(p.Fields) > 0 {
		b.WriteString("\n| parameter | type | |\n| --- | --- | --- |\n")
		for _, name := range parameters(p) {
			f := p.Fields[name]
			fmt.Fprintf(b, "| `%s` | %s | %s |\n", name, f.Type, cell(details(p, name, f)))
		}
	}
	writeAnswers(b, p)
}

// writeAnswers tells operations with the same answer once.
func writeAnswers(b *strings.Builder, p *framework.Path) {
	var descriptions []string
	asked := make(map[string][]string)
	answers := make(map[string]framework.Response)
	for _, o := range order {
		h := p.Operations[o.operation]
		if h == nil {
			continue
		}
		for _, r := range h.Properties().Responses[http.StatusOK] {
			if asked[r.Description] == nil {
				descriptions = append(descriptions, r.Description)
			}
			asked[r.Description] = append(asked[r.Description], string(o.operation))
			answers[r.Description] = r
		}
	}
	for _, d := range descriptions {
		fmt.Fprintf(b, "\nAnswer to %s: %s\n", strings.Join(asked[d], ", "), prose(d))
		if len(answers[d].Fields) == 0 {
			continue
		}
		b.WriteString("\n| field | type | |\n| --- | --- | --- |\n")
		for _, name := range slices.Sorted(maps.Keys(answers[d].Fields)) {
			f := answers[d].Fields[name]
			fmt.Fprintf(b, "| `%s` | %s | %s |\n", name, f.Type, cell(f.Description))
		}
	}
}

var segment = regexp.MustCompile(`\(\?P<(\w+)>[^)]*\)`)

// readable writes a pattern as a person writes a path.
func readable(p *framework.Path) string {
	return segment.ReplaceAllString(strings.TrimSuffix(p.Pattern, "/?"), ":$1")
}

// parameters sorts the fields: those of the path as they stand in it, then the others by name.
func parameters(p *framework.Path) []string {
	var names []string
	for _, m := range segment.FindAllStringSubmatch(p.Pattern, -1) {
		names = append(names, m[1])
	}
	for _, name := range slices.Sorted(maps.Keys(p.Fields)) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func details(p *framework.Path, name string, f *framework.FieldSchema) string {
	text := f.Description
	if strings.Contains(p.Pattern, "<"+name+">") {
		return text + " In the path."
	}
	if f.AllowedValues != nil {
		var allowed []string
		for _, v := range f.AllowedValues {
			allowed = append(allowed, fmt.Sprint(v))
		}
		text += " One of: " + strings.Join(allowed, ", ") + "."
	}
	if f.Default != nil {
		text += fmt.Sprintf(" Default: %v.", f.Default)
	}
	return text
}

// prose keeps text from being read as HTML; indented lines are code already.
func prose(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if !strings.HasPrefix(line, "    ") {
			lines[i] = strings.ReplaceAll(line, "<", "&lt;")
		}
	}
	return strings.Join(lines, "\n")
}

func cell(text string) string { return strings.ReplaceAll(prose(text), "|", `\|`) }
