package syncplan

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stashbase/vault-stashbase/shared/provider"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/nametemplate"
)

func TestCollide(t *testing.T) {
	const host = "https://vault.example.com:443"
	each := func(path string) provider.ServiceObject { return provider.ServiceObject{Path: path, PerEntry: true} }
	one := func(path string) provider.ServiceObject { return provider.ServiceObject{Path: path} }
	type side struct {
		host             string
		object           provider.ServiceObject
		template         string
		include, exclude []string
	}
	for _, tc := range []struct {
		name   string
		a, b   side
		fold   func(string) string
		object string
		want   bool
	}{
		{name: "the same folder", a: side{object: each("apps/api")}, b: side{object: each("apps/api")}, want: true},
		{name: "the same object", a: side{object: one("apps/api")}, b: side{object: one("apps/api")}, want: true},
		{name: "names apart in one object", a: side{object: one("apps/api"), template: "A_{{ .Name }}"}, b: side{object: one("apps/api"), template: "B_{{ .Name }}"}},
		{name: "names apart in one folder", a: side{object: each("apps"), include: []string{"A*"}}, b: side{object: each("apps"), include: []string{"B*"}}},
		{name: "another host", a: side{object: each("apps"), host: "https://other.example.com:443"}, b: side{object: one("apps/api")}},
		{name: "two folders", a: side{object: each("apps")}, b: side{object: each("apps/api")}},
		{name: "two objects", a: side{object: one("apps")}, b: side{object: one("apps/api")}},
		{name: "an object in a folder", a: side{object: each("apps")}, b: side{object: one("apps/api")}, object: "apps/api", want: true},
		{name: "an object with the name of a folder", a: side{object: each("apps/api")}, b: side{object: one("apps/api")}},
		{name: "an object deeper than a folder", a: side{object: each("apps")}, b: side{object: one("apps/api/production")}},
		{name: "an object whose name begins like the folder", a: side{object: each("apps")}, b: side{object: one("apps2/api")}},
		{name: "an object whose name is no legal name of an entry", a: side{object: each("apps")}, b: side{object: one("apps/two words")}},
		{name: "an object whose name is too long for an entry", a: side{object: each("apps")}, b: side{object: one("apps/" + strings.Repeat("a", 65))}},
		{name: "an object that include selects", a: side{object: each("apps"), include: []string{"a*"}}, b: side{object: one("apps/api")}, object: "apps/api", want: true},
		{name: "an object that include leaves out", a: side{object: each("apps"), include: []string{"DB_*"}}, b: side{object: one("apps/api")}},
		{name: "an object that exclude leaves out", a: side{object: each("apps"), exclude: []string{"api"}}, b: side{object: one("apps/api")}},
		{name: "a template that can make the name", a: side{object: each("apps"), template: "{{ .Name | lower }}"}, b: side{object: one("apps/api")}, object: "apps/api", want: true},
		{name: "a template that cannot", a: side{object: each("apps"), template: "APP_{{ .Name }}"}, b: side{object: one("apps/api")}},
		{name: "exclude of the name that a template changes", a: side{object: each("apps"), template: "{{ .Name | lower }}", exclude: []string{"api"}}, b: side{object: one("apps/api")}, object: "apps/api", want: true},
		{name: "names that are folded", a: side{object: each("apps"), include: []string{"API"}}, b: side{object: one("apps/api")}, fold: strings.ToUpper, object: "apps/api", want: true},
		{name: "names that differ in case", a: side{object: each("apps"), include: []string{"API"}}, b: side{object: one("apps/api")}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			writer := func(s side) Writer {
				template, err := nametemplate.Parse(s.template)
				if err != nil {
					t.Fatal(err)
				}
				if s.host == "" {
					s.host = host
				}
				limits := provider.Limits{MaxNameBytes: 64, Name: regexp.MustCompile(`^[A-Za-z_-]+$`), NameRule: "letters"}
				if tc.fold != nil {
					limits.Name = regexp.MustCompile(`^[A-Z_-]+$`) // matches names after fold
				}
				return Writer{
					Host: s.host, Object: s.object, Fold: tc.fold, Limits: limits,
					Namer: nametemplate.Namer{Template: template, Include: s.include, Exclude: s.exclude},
				}
			}
			a, b := writer(tc.a), writer(tc.b)
			for _, pair := range [][2]Writer{{a, b}, {b, a}} {
				object, verdict := Collide(pair[0], pair[1], nametemplate.NewWork(nametemplate.MaxWork))
				if collide := verdict == nametemplate.Meet; collide != tc.want || collide && object != tc.object {
					t.Errorf("got %q, %t; want %q, %t", object, collide, tc.object, tc.want)
				}
				if _, verdict := Collide(pair[0], pair[1], nametemplate.NewWork(0)); verdict == nametemplate.Apart && tc.want {
					t.Error("without work, syncs that collide are apart")
				}
			}
		})
	}
}
