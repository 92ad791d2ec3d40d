package provider_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/stashbase/vault-stashbase/shared/provider"
)

func TestCompleteFillsInDefaults(t *testing.T) {
	d := declaration()
	given := provider.Values{"address": "https://box.example.com", "colour": "", "labels": []string{}, "token": "secret", "unknown": 1}
	complete, err := provider.Complete(d.SettingsOf("token"), given)
	if err != nil {
		t.Fatal(err)
	}
	want := provider.Values{
		"address": "https://box.example.com", "namespace": "", "tls_server_name": "", "ca_pem": "", "page_size": 100, "colour": "red", "labels": []string{"box"}, "open": false,
	}
	if !reflect.DeepEqual(complete, want) {
		t.Errorf("%v, want %v", complete, want)
	}
	if len(given) != 5 || given["colour"] != "" {
		t.Error("Complete modified the given settings")
	}
	complete.Words("labels")[0] = "changed"
	if again, _ := provider.Complete(d.Fields, given); again.Words("labels")[0] != "box" {
		t.Error("the declared default changed through the returned values")
	}
	again, err := provider.Complete(d.SettingsOf("token"), want)
	if err != nil || !reflect.DeepEqual(again, want) {
		t.Errorf("completing complete settings returned %v, %v", again, err)
	}
}

func TestCompleteRejectsInvalidValues(t *testing.T) {
	const planted = "planted-value"
	for name, c := range map[string]struct {
		field string
		value any
		want  string
	}{
		"required and missing":     {"address", nil, "is required: URL of the box."},
		"required and empty":       {"address", "", "is required"},
		"a number for a text":      {"address", 1, "type"},
		"a text for a number":      {"page_size", planted, "type"},
		"a float for a number":     {"page_size", 1.0, "type"},
		"any list for words":       {"labels", []any{planted}, "type"},
		"a text for a flag":        {"open", planted, "type"},
		"another choice":           {"colour", planted, "[red blue]"},
		"a number that is refused": {"page_size", 0, "at least 1"},
		"an invalid address":       {"address", planted, "must be a URL"},
		"invalid certificates":     {"ca_pem", planted, "in PEM format"},
	} {
		t.Run(name, func(t *testing.T) {
			given := provider.Values{"address": "https://box.example.com", c.field: c.value}
			if c.field == "address" && c.value == nil {
				delete(given, "address")
			}
			_, err := provider.Complete(declaration().Fields, given)
			var refused *provider.FieldError
			if !errors.As(err, &refused) || refused.Field != c.field || !strings.Contains(refused.Want, c.want) {
				t.Fatalf("%v; want %q of %s", err, c.want, c.field)
			}
			if strings.Contains(err.Error(), planted) || strings.HasPrefix(refused.Want, refused.Field+":") {
				t.Errorf("the error repeats the value or the field: %v", err)
			}
		})
	}
}

func TestValuesOfAnotherTypeAreZero(t *testing.T) {
	v := provider.Values{"a": 1, "b": "x"}
	if v.Text("a") != "" || v.Flag("b") || v.Whole("b") != 0 || v.Words("a") != nil || v.Text("missing") != "" {
		t.Error("a value is returned as another type")
	}
}

func TestShortIsTheFirstSentence(t *testing.T) {
	for help, short := range map[string]string{
		"One sentence.": "One sentence.", "One. Two.": "One.", "See api.example.com. More": "See api.example.com.", "": "", "No end": "No end",
	} {
		if got := provider.Short(help); got != short {
			t.Errorf("Short(%q): got %q, want %q", help, got, short)
		}
	}
}

func TestPartyIsMadeOfDeclarationAndSettings(t *testing.T) {
	d := declaration()
	d.Client = provider.Client{Concurrency: 3, MaxBody: 5}
	p := d.Party("acme", provider.Values{"ca_pem": "certificates", "tls_server_name": "box.internal"})
	if p.Provider != "box" || p.Workspace != "acme" || p.CAPEM != "certificates" || p.ServerName != "box.internal" || p.Concurrency != 3 || p.MaxBody != 5 {
		t.Errorf("%+v", p)
	}
}
