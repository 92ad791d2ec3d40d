package provider_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stashbase/vault-stashbase/shared/provider"
)

func TestARegistryKnowsItsProviders(t *testing.T) {
	other := declaration()
	other.Name, other.Destinations[0].Name, other.Destinations[0].ReadBack = "crate", "crate-shelf", provider.ReadBackValue
	r, err := provider.NewRegistry(stub{declaration()}, reading{stub{other}})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(r.Names(), []string{"box", "crate"}) || !slices.Equal(r.Destinations(), []string{"box-shelf", "crate-shelf"}) {
		t.Errorf("providers %q, destinations %q", r.Names(), r.Destinations())
	}
	d, p, known := r.Destination("crate-shelf")
	if !known || d.Name != "crate-shelf" || p.Declare().Name != "crate" || r.Provider("crate").Declare().Name != "crate" {
		t.Errorf("destination %q, known %t", d.Name, known)
	}
	if _, _, known := r.Destination("shelf"); known || r.Provider("shelf") != nil {
		t.Error("an unregistered name is found")
	}
}

func TestNewRegistryRejectsInconsistentDeclarations(t *testing.T) {
	text := func(change func(f *provider.Field)) func(d *provider.Declaration) {
		return func(d *provider.Declaration) {
			f := provider.Field{Name: "extra", Help: "More."}
			change(&f)
			d.Fields = append(d.Fields, f)
		}
	}
	dest := func(change func(d *provider.Destination)) func(d *provider.Declaration) {
		return func(d *provider.Declaration) { change(&d.Destinations[0]) }
	}
	for name, c := range map[string]struct {
		spoil func(d *provider.Declaration)
		want  string
	}{
		"a name in capitals":      {func(d *provider.Declaration) { d.Name = "Box" }, "must have a name"},
		"a name with a slash":     {func(d *provider.Declaration) { d.Name = "a/b" }, "must have a name"},
		"no help":                 {func(d *provider.Declaration) { d.Help = "" }, "and help"},
		"no auth kind":            {func(d *provider.Declaration) { d.Auth = nil }, "one auth kind"},
		"no destination":          {func(d *provider.Declaration) { d.Destinations = nil }, "one destination"},
		"a negative limit":        {func(d *provider.Declaration) { d.Client.MaxBody = -1 }, "negative"},
		"an auth kind, no secret": {func(d *provider.Declaration) { d.Auth[0].Fields[0].Secret = false }, "a secret field"},
		"two types of one field": {func(d *provider.Declaration) {
			d.Auth[0].Fields = append(d.Auth[0].Fields, provider.Field{Name: "extra", Help: "A."})
			d.Auth[1].Fields = append(d.Auth[1].Fields, provider.Field{Name: "extra", Help: "B.", Type: provider.Flag})
		}, "same type in every auth kind"},
		"a name of a read":   {text(func(f *provider.Field) { f.Name = "token_set" }), "a read reports in it whether"},
		"an auth kind twice": {func(d *provider.Declaration) { d.Auth[1].Name = "token" }, "twice"},
		"too many fields": {func(d *provider.Declaration) {
			for range 100 {
				d.Fields = append(d.Fields, provider.Field{Name: "a", Help: "A."})
			}
		}, "more than 100"},

		"a field in camel case":             {text(func(f *provider.Field) { f.Name = "pageSize" }), "snake case"},
		"a field of the engine":             {text(func(f *provider.Field) { f.Name = "workspace" }), "reserved for the engine"},
		"a field twice":                     {text(func(f *provider.Field) { f.Name = "colour" }), "twice"},
		"a field that an auth kind has":     {text(func(f *provider.Field) { f.Name = "account" }), "twice"},
		"a field without help":              {text(func(f *provider.Field) { f.Help = "" }), "and help"},
		"an unknown type":                   {text(func(f *provider.Field) { f.Type = 9 }), "type"},
		"a secret number":                   {text(func(f *provider.Field) { f.Type, f.Secret = provider.Whole, true }), "only a Text"},
		"a secret with a default":           {text(func(f *provider.Field) { f.Secret, f.Default = true, "x" }), "must not have a default"},
		"a secret with an example":          {text(func(f *provider.Field) { f.Secret, f.Example = true, "x" }), "or an example"},
		"a secret endpoint":                 {text(func(f *provider.Field) { f.Secret, f.Endpoint = true, provider.EndpointText }), "must not be an endpoint"},
		"a setting of several lines":        {text(func(f *provider.Field) { f.Multiline = true }), "only a secret field can be Multiline"},
		"a secret with a normal form":       {text(func(f *provider.Field) { f.Secret, f.Normal = true, strings.TrimSpace }), "normal form"},
		"a number with a normal form":       {text(func(f *provider.Field) { f.Type, f.Normal = provider.Whole, strings.TrimSpace }), "normal form"},
		"choices of numbers":                {text(func(f *provider.Field) { f.Type, f.Choices = provider.Whole, []string{"1"} }), "only a Text"},
		"a default of another type":         {text(func(f *provider.Field) { f.Default = 1 }), "default"},
		"a default that is no choice":       {text(func(f *provider.Field) { f.Choices, f.Default = []string{"a"}, "b" }), "default"},
		"a default that is refused":         {text(func(f *provider.Field) { f.Type, f.Check, f.Default = provider.Whole, atLeastOne, 0 }), "default"},
		"an example that is refused":        {text(func(f *provider.Field) { f.Endpoint, f.Example = provider.EndpointURL, "box" }), "example"},
		"a required field with a default":   {text(func(f *provider.Field) { f.Required, f.Default = true, "x" }), "a required field must not have a default"},
		"certificates under another name":   {text(func(f *provider.Field) { f.Endpoint = provider.EndpointPEM }), "ca_pem"},
		"ca_pem that is no EndpointPEM":     {func(d *provider.Declaration) { d.Fields[3].Endpoint = provider.EndpointText }, "ca_pem"},
		"a server name that is no endpoint": {func(d *provider.Declaration) { d.Fields[2].Endpoint = provider.NotEndpoint }, "EndpointText"},

		"a destination with a secret":          {dest(func(d *provider.Destination) { d.Fields[0].Secret = true }), "declare it for the integration"},
		"a destination with an endpoint":       {dest(func(d *provider.Destination) { d.Fields[0].Endpoint = provider.EndpointText }), "declare it for the integration"},
		"a destination's field of the engine":  {dest(func(d *provider.Destination) { d.Fields[0].Name = "on_conflict" }), "reserved for the engine"},
		"no granularity":                       {dest(func(d *provider.Destination) { d.Granularities = nil }), "granularity"},
		"an unknown granularity":               {dest(func(d *provider.Destination) { d.Granularities[0] = "file" }), "granularity"},
		"no batch":                             {dest(func(d *provider.Destination) { d.Batch = 0 }), "batch"},
		"no target":                            {dest(func(d *provider.Destination) { d.Target = nil }), "target"},
		"no object":                            {dest(func(d *provider.Destination) { d.Object = nil }), "object"},
		"no ReadBack":                          {dest(func(d *provider.Destination) { d.ReadBack = "" }), "a known ReadBack"},
		"ReadBackValue, no Reader":             {dest(func(d *provider.Destination) { d.ReadBack = provider.ReadBackValue }), "must implement Reader if and only if a destination declares it: declared true, implemented false"},
		"Looks, no Looker":                     {dest(func(d *provider.Destination) { d.Looks = true }), "must implement Looker if and only if a destination declares it: declared true, implemented false"},
		"Checks, no Checker":                   {dest(func(d *provider.Destination) { d.Checks = true }), "must implement Checker if and only if a destination declares it: declared true, implemented false"},
		"a name rule without a pattern":        {dest(func(d *provider.Destination) { d.Limits.Name = nil }), "Limits.Name and Limits.NameRule"},
		"a name rule without words":            {dest(func(d *provider.Destination) { d.Limits.NameRule = "" }), "Limits.Name and Limits.NameRule"},
		"a pattern of a part":                  {dest(func(d *provider.Destination) { d.Limits.Name = regexp.MustCompile(`[a-z]+`) }), "whole names"},
		"an empty reserved prefix":             {dest(func(d *provider.Destination) { d.Limits.Reserved = []string{""} }), "that nothing can satisfy"},
		"a destination of the same name twice": {func(d *provider.Declaration) { d.Destinations = append(d.Destinations, d.Destinations[0]) }, "twice"},
	} {
		t.Run(name, func(t *testing.T) {
			d := declaration()
			c.spoil(&d)
			if _, err := provider.NewRegistry(stub{d}); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v; want %q", err, c.want)
			}
		})
	}
}

func TestNewRegistryRejectsDuplicatesAndUndeclaredCapabilities(t *testing.T) {
	other := declaration()
	other.Name = "crate"
	for name, providers := range map[string][]provider.Provider{
		"provider":    {stub{declaration()}, stub{declaration()}},
		"destination": {stub{declaration()}, stub{other}},
		"reader":      {reading{stub{declaration()}}},
		"looker":      {looking{stub{declaration()}}},
		"checker":     {checking{stub{declaration()}}},
		"nil":         {nil},
	} {
		if _, err := provider.NewRegistry(providers...); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
