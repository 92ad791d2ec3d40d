package base

import "testing"

func TestChoicesAreListedUnlessTheHelpExplainsThem(t *testing.T) {
	cases := []struct {
		name, help string
		values     []string
		want       string
	}{
		{"none", "A text.", nil, "A text."},
		{"not explained", "The region.", []string{"eu", "us"}, "The region. One of: `eu`, `us`."},
		{"explained", "What to do. `fail`: nothing; `retain`: keep it.", []string{"fail", "retain"}, "What to do. `fail`: nothing; `retain`: keep it."},
		{"one is missing", "What to do. `fail`: nothing.", []string{"fail", "retain"}, "What to do. `fail`: nothing. One of: `fail`, `retain`."},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := WithChoices(c.help, c.values...); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}
