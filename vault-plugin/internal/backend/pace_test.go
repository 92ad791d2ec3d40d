package backend_test

import (
	"strings"
	"testing"
	"time"
)

func TestARewrapReportsItsPace(t *testing.T) {
	m := populated(t)
	m.Write("import/"+dev, data{"secrets": data{"A": "1", "B": "2", "C": "3", "D": "4"}})
	m.Settle()
	m.Storage.Hook(func(op, key string) {
		if op == "put" && strings.HasPrefix(key, "sec/") {
			m.Clock.Advance(time.Second)
		}
	})
	m.Write("keys/acme/rotate", nil)
	m.Settle()
	m.Storage.Hook(nil)
	rewrap := object(t, m.Read("keys/acme"), "rewrap")
	has(t, rewrap, data{"state": "done", "done": 4, "rate": 1, "eta": nil})
}
