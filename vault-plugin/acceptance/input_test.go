package acceptance_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stashbase/vault-stashbase/shared/vaulttest"
)

// prober sends invalid input that contains planted texts and numbers, and keeps all responses.
type prober struct {
	caller
	texts, numbers *search
	shown          *search // planted where Vault's audit log shows it: names of fields, and URLs
	responses      strings.Builder
	requests       int
}

// wrong returns JSON values that are not valid for a field, by kind. Where the kind permits, the
// value contains a planted text or number.
func (s *prober) wrong(label string, field schema) map[string]any {
	plant := func(what string) string { return s.texts.value(label + what) }
	all := data{
		"a string":          plant(" in a string"),
		"a number":          s.numbers.number(label + " in a number"),
		"a fraction":        s.numbers.number(label+" in a fraction") + ".5",
		"a bool":            true,
		"null":              nil,
		"an object":         data{"a": plant(" in an object")},
		"a deep object":     data{"a": data{"b": []any{plant(" deep in an object")}}},
		"an object of ints": data{"a": s.numbers.number(label + " in an object")},
		"a list":            []any{plant(" in a list")},
		"a mixed list":      []any{plant(" in a mixed list"), s.numbers.number(label + " in a mixed list")},
		"a list of lists":   []any{[]any{plant(" in a list of lists")}},
	}
	for _, fits := range forms[field.form()] {
		delete(all, fits)
	}
	return all
}

// forms lists the forms of fields, each with the kinds of values that are valid for it.
var forms = map[string][]string{
	"string/":         {"a string"},
	"string/duration": {}, // the planted text is not a duration
	"integer/":        {"a number"},
	"boolean/":        {"a bool"},
	"array/string":    {"a string", "a list"},
	"array/integer":   {"a number"},
	"array/object":    {},
	"object/map":      {"an object"},
}

// known reports whether forms lists the form of a field. A new form must be added there.
func (s schema) known() bool { return forms[s.form()] != nil }

// refusal sends a request that has to be refused. The error must name field. declared reports
// whether the path serves the method.
func (s *prober) refusal(method, path, field string, body data, declared bool) {
	s.t.Helper()
	a := s.send(method, path, body)
	s.requests++
	s.responses.WriteString(a.body)
	if declared && (a.status != http.StatusBadRequest || a.word() != "invalid" || !strings.Contains(a.body, field)) {
		s.t.Errorf("%s\nwant 400 invalid, naming %s", a, field)
	}
}

// writes sends invalid input to every write operation of a path.
func (s *prober) writes(d document, template, path string, forbidden bool) {
	p := d.Paths[template]
	fields := map[string]schema{}
	for _, o := range []*operation{p.Post, p.Patch} {
		if o != nil {
			maps.Copy(fields, o.fields())
		}
	}
	for method, o := range map[string]*operation{"POST": p.Post, "PATCH": p.Patch} {
		declared := o != nil && !forbidden
		for _, field := range slices.Sorted(maps.Keys(fields)) {
			label := method + " " + template + " " + field
			if !fields[field].known() {
				s.t.Errorf("%s: forms does not list %+v", label, fields[field])
			}
			for what, wrong := range s.wrong(label, fields[field]) {
				if what == "null" && method == "PATCH" {
					continue // resets the field
				}
				body := s.beside(label+" beside "+what, fields)
				body[field] = wrong
				s.refusal(method, path, "", body, declared)
				s.refusal(method, path, field, data{field: wrong}, declared)
			}
		}
		s.strange(method, template, path, p.Parameters, declared)
	}
}

// beside returns values for the fields that accept any text.
func (s *prober) beside(label string, fields map[string]schema) data {
	body := data{}
	for name, field := range fields {
		if field.Type == "string" && field.Format == "" {
			body[name] = s.texts.value(label + " in " + name)
		}
	}
	return body
}

// strange sends fields that a path does not have.
func (s *prober) strange(method, template, path string, captured []parameter, declared bool) {
	label := method + " " + template
	s.refusal(method, path, "colour", data{"colour": s.texts.value(label + " unknown field")}, declared)
	s.refusal(method, path, "colour", data{"colour": s.numbers.number(label + " unknown field")}, declared)
	s.refusal(method, path, "unprintable", data{s.shown.value(label + " name of a field"): "x"}, declared)
	for _, p := range captured {
		if p.In == "path" {
			s.refusal(method, path, p.Name, data{p.Name: s.texts.value(label + " repeated " + p.Name)}, declared)
			s.refusal(method, path, p.Name, data{p.Name: []any{s.texts.value(label + " repeated in a list " + p.Name)}}, declared)
		}
	}
}

// queries sends invalid input in the URL of every operation without a body.
func (s *prober) queries(d document, template, path string, forbidden bool) {
	p := d.Paths[template]
	for method, o := range map[string]*operation{"GET": p.Get, "DELETE": p.Delete} {
		label := method + " " + template + " in the URL"
		declared := o != nil && !forbidden && !strings.HasSuffix(template, "/")
		send := func(field, value string, declared bool) {
			s.refusal(method, path+"?"+url.Values{field: {value}}.Encode(), field, nil, declared)
		}
		send("colour", s.shown.value(label+" unknown"), declared)
		if o == nil {
			continue
		}
		for _, q := range o.Parameters {
			if q.Name != "list" && slices.Contains([]string{"integer/", "array/integer", "string/date-time"}, q.Schema.form()) {
				send(q.Name, s.shown.value(label+" "+q.Name), declared)
				s.refusal(method, path+"?list=true&"+q.Name+"="+s.shown.value(label+" of a list "+q.Name), "", nil, false)
			}
		}
	}
}

func TestInvalidInputIsRefusedAndNeverRepeated(t *testing.T) {
	s := vault.Server(t)
	c := root(t, s)
	d := openapi(c)
	env := strings.Split(environment(t, c), "/")
	c.write("secrets/"+strings.Join(env, "/")+"/DATABASE_URL", data{"value": "x"})
	for _, tc := range []struct {
		name      string
		caller    caller
		envPath   envPath
		forbidden bool
	}{
		{"updates", c, envPath{env[0], env[1], env[2]}, false},
		{"creates", c, envPath{env[0] + "no", "no", "no"}, false},
		{"without the right", callerOf(t, s.ClientWithPolicy(t, `path "stashbase/none" { capabilities = ["read"] }`)), envPath{env[0], env[1], env[2]}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before := [2]int{len(s.ServerLog()), len(s.AuditLog())}
			probe := &prober{caller: tc.caller.in(t), texts: newSearch(textWindow), numbers: newSearch(digitWindow), shown: newSearch(textWindow)}
			for _, template := range slices.Sorted(maps.Keys(d.Paths)) {
				path := strings.Trim(tc.envPath.fill(template), "/")
				probe.writes(d, template, path, tc.forbidden)
				probe.queries(d, template, path, tc.forbidden)
			}
			t.Logf("%d requests, %d windows", probe.requests, len(probe.texts.planted)+len(probe.numbers.planted)+len(probe.shown.planted))
			control := marked(t, s, c)
			probe.responses.WriteString(control.response)
			server, audit := s.ServerLog()[before[0]:], s.AuditLog()[before[1]:]
			bare := withoutRequests(t, audit)
			for where, text := range map[string]string{"a response": probe.responses.String(), "the server's log": server, "the audit log": bare} {
				control.present(t, where, text)
				probe.texts.absent(t, where, text)
				probe.numbers.absent(t, where, text)
				probe.shown.absent(t, where, text)
			}
			probe.texts.absent(t, "the audit log with the data of requests", audit)
		})
	}
}

// control is a text that responses and logs are known to contain.
type control struct {
	*search
	response string
}

// marked reads a workspace that does not exist, under a name that was never used. The error repeats
// the name. marked waits until the server's log contains the name, and with it everything that was
// logged before.
func marked(t testing.TB, s *vaulttest.Server, c caller) control {
	t.Helper()
	name := "n" + strings.ToLower(value())
	found := control{search: newSearch(textWindow)}
	found.plant("control", name)
	found.response = c.refused("GET", "workspaces/"+name, nil, http.StatusNotFound, "not_found").body
	eventually(t, s, "the control to be logged", func() error {
		if !strings.Contains(s.ServerLog(), `status=finished err="not_found: workspace \"`+name) {
			return fmt.Errorf("not logged yet")
		}
		return nil
	})
	return found
}
