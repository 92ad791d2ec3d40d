package nametemplate

import (
	"strings"
	"testing"
)

var fields = Fields{Name: "DB_PASSWORD", Project: "api", Environment: "production", Workspace: "acme"}

func TestATemplateMakesNames(t *testing.T) {
	for _, tc := range []struct{ template, name, want string }{
		{"", "DB_PASSWORD", "DB_PASSWORD"},
		{"{{ .Name }}", "DB_PASSWORD", "DB_PASSWORD"},
		{"{{.Name}}", "DB_PASSWORD", "DB_PASSWORD"},
		{"{{ .Workspace }}/{{ .Project }}-{{ .Environment }}.{{ .Name }}", "A", "acme/api-production.A"},
		{"APP_{{ .Name | lower }}", "DB_PASSWORD", "APP_db_password"},
		{"{{ upper .Name }}", "db_password", "DB_PASSWORD"},
		{`{{ .Name | replace "_" "-" | lower }}`, "DB_PASSWORD", "db-password"},
		{`{{ .Name | trimPrefix "DB_" }}`, "DB_PASSWORD", "PASSWORD"},
		{`{{ .Name | trimSuffix "_PASSWORD" }}`, "DB_PASSWORD", "DB"},
		{`{{ .Name | trimPrefix 7 }}`, "7_A", "_A"},
		{"{{ .Name | truncate 4 }}", "DB_PASSWORD", "DB_P"},
		{"{{ .Name | truncate 11 }}", "DB_PASSWORD", "DB_PASSWORD"},
		{"{{ .Name | truncate 512 }}", "DB_PASSWORD", "DB_PASSWORD"},
		{"{{ .Name | truncate 2 }}", "aé", "a"},
		{"A{{ .Name | truncate 1 }}", "\x80\x80", "A"}, // no prefix of the name is a whole character
		{"{{ .Name | camel }}", "DB_PASSWORD", "dbPassword"},
		{"{{ .Name | pascal }}", "DB_PASSWORD", "DbPassword"},
		{"{{ .Name | snake }}", "dbPassword", "db_password"},
		{"{{ .Name | snake }}", "_DB__PASSWORD", "db_password"},
		{"{{ .Name | kebab }}", "db2Url", "db2-url"},
		{"{{ .Name | screaming }}", "dbPassword2.file", "DB_PASSWORD2_FILE"},
		{"{{ .Name | kebab }}", "DB_PASSWORD", "db-password"},
		{"{{ .Name | dotnet }}", "DATABASE__CONNECTION_STRING", "Database__ConnectionString"},
		{`{{ "x" | upper }}{{ .Name }}`, "A", "XA"},
		{"A {{- .Name -}} B", "N", "ANB"},
		{"{{/* a comment */}}{{ .Name }}", "N", "N"},
		{strings.Repeat("x", MaxText-len(plain)) + plain, "N", strings.Repeat("x", MaxText-len(plain)) + "N"},
	} {
		parsed, err := Parse(tc.template)
		if err != nil {
			t.Errorf("%s: %v", tc.template, err)
			continue
		}
		f := fields
		f.Name = tc.name
		if got, err := parsed.Execute(f); err != nil || got != tc.want {
			t.Errorf("%s of %s: %q, %v; want %q", tc.template, tc.name, got, err, tc.want)
		}
	}
}

func TestWhatIsNotAllowedIsRefused(t *testing.T) {
	for _, template := range []string{
		"{{", "{{ }}", "{{ .Name", "NAME", "{{ .Project }}", "{{ .Value }}", "{{ .Name.Foo }}", "{{ . }}", "{{ $x := .Name }}{{ $x }}",
		"{{ $x := .Name }}", "{{ .Value }}{{ .Name }}", `{{ define "x" }}x{{ end }}{{ .Name }}`, `{{ define "x" }}x{{ end }}{{`,
		"{{ range .Name }}x{{ end }}", "{{ if .Name }}x{{ end }}", "{{ with .Name }}{{ . }}{{ end }}", `{{ define "x" }}{{ .Name }}{{ end }}`,
		`{{ define "name" }}{{ .Name }}{{ end }}`, `{{ template "name" . }}{{ .Name }}`, `{{ block "x" . }}{{ .Name }}{{ end }}`,
		"{{ printf .Name }}", `{{ print "%1000000d" 1 }}{{ .Name }}`, "{{ (.Name) }}", "{{ (upper .Name) | lower }}", "{{ .Name | upper 1 }}", "{{ .Name | .Name }}",
		"{{ .Name | truncate }}", "{{ .Name | truncate 0 }}", "{{ .Name | truncate -1 }}", "{{ .Name | truncate 513 }}", "{{ .Name | truncate 1.5 }}",
		"{{ .Name | trimPrefix 1.5 }}", "{{ .Name | trimPrefix 010 }}", "{{ .Name | trimPrefix 0x10 }}", "{{ .Name | trimPrefix 18446744073709551615 }}",
		`{{ .Name | replace "" "x" }}`, `{{ .Name | replace "x" }}`, `{{ .Name | truncate "x" }}`, "{{ 1 }}{{ .Name }}", "{{ nil }}{{ .Name }}", "{{ true }}{{ .Name }}",
		"{{ break }}{{ .Name }}", "{{ upper }}{{ .Name }}", strings.Repeat("x", MaxText-len(plain)+1) + plain,
	} {
		if _, err := Parse(template); err == nil {
			t.Errorf("%s: is allowed", template)
		} else if strings.Contains(err.Error(), "1000000") || strings.Contains(err.Error(), "$x") {
			t.Errorf("%s: the error quotes it: %v", template, err)
		}
	}
}

func TestNothingGrowsWithoutBound(t *testing.T) {
	doubling := `{{ .Name` + strings.Repeat(` | replace "A" "AA"`, 20) + ` }}`
	long := "{{ .Name }}" + strings.Repeat("x", 300)
	huge := `{{ .Name | replace "A" "` + strings.Repeat("A", 400) + `" | truncate 1 }}`
	for _, template := range []string{doubling, long, huge} {
		parsed, err := Parse(template)
		if err != nil {
			t.Fatalf("%s: %v", template, err)
		}
		f := fields
		f.Name = strings.Repeat("A", 255)
		if made, err := parsed.Execute(f); err == nil {
			t.Errorf("produced %d bytes", len(made))
		}
	}
	parsed, err := Parse(`{{ .Name | trimPrefix "A" }}`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parsed.Execute(Fields{Name: "A"}); err == nil {
		t.Error("an empty name was produced")
	}
}

func TestTheLimitsOfANameAndOfAStepAreExact(t *testing.T) {
	for _, tc := range []struct {
		template string
		length   int // the largest that a name may have
		want     int
	}{
		{"{{ .Name }}", MaxName, MaxName},
		{"xx{{ .Name }}", MaxName - 2, MaxName},
		{"x{{ .Name | upper | truncate 3 }}", maxStep, 4},
		{`x{{ .Name | replace "a" "bb" | truncate 3 }}`, maxStep / 2, 4},
	} {
		parsed, err := Parse(tc.template)
		if err != nil {
			t.Fatalf("%s: %v", tc.template, err)
		}
		if made, err := parsed.Execute(Fields{Name: strings.Repeat("a", tc.length)}); err != nil || len(made) != tc.want {
			t.Errorf("%s of %d bytes: %d bytes, %v; want %d", tc.template, tc.length, len(made), err, tc.want)
		}
		if made, err := parsed.Execute(Fields{Name: strings.Repeat("a", tc.length+1)}); err == nil || made != "" || err.Error() != errTooLong().Error() {
			t.Errorf("%s of %d bytes: %q, %v", tc.template, tc.length+1, made, err)
		}
	}
}

// For the parser, a character in single quotes is a number. The template of the first row replaced
// "95" with "45", so the destination got names with underscores.
func TestTextInSingleQuotesIsRefused(t *testing.T) {
	for template, want := range map[string]string{
		"{{ .Name | replace '_' '-' }}": `replace must be written as: replace "_" "-"`,
		"{{ .Name | trimPrefix 'A' }}":  `trimPrefix must be written as: trimPrefix "APP_"`,
		"{{ .Name | truncate 'A' }}":    "truncate must be written as: truncate 64",
	} {
		if _, err := Parse(template); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", template, err, want)
		}
	}
}

func TestTheFunctionsOfATemplateAreBounded(t *testing.T) {
	for n, allowed := range map[int]bool{MaxSteps: true, MaxSteps + 1: false} {
		_, err := Parse("{{ .Name" + strings.Repeat(" | upper", n-1) + " }}{{ .Project | lower }}")
		if (err == nil) != allowed {
			t.Errorf("%d functions: %v", n, err)
		}
	}
}

func FuzzTemplate(f *testing.F) {
	f.Add("{{ .Name | upper }}", "A")
	f.Add(`{{ .Name | replace "_" "-" | truncate 3 }}-{{ .Project }}`, "DB_é")
	f.Add("{{ .Name | dotnet }}{{ .Name | camel }}", "a__b.c-d")
	f.Fuzz(func(t *testing.T, text, name string) {
		if len(name) > 255 {
			return
		}
		parsed, err := Parse(text)
		if err != nil {
			return
		}
		f := fields
		f.Name = name
		made, err := parsed.Execute(f)
		if err == nil && (len(made) > MaxName || made == "") {
			t.Errorf("produced %d bytes", len(made))
		}
		again, err2 := parsed.Execute(f)
		if again != made || (err == nil) != (err2 == nil) {
			t.Error("two executions differ")
		}
	})
}
