//go:build race

package vaulttest_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestRaceInThePluginFailsTheStop(t *testing.T) {
	s := launch(t)
	write(t, s.Client(), "test/race", "x")
	s.Eventually(t, 10*time.Second, "the report", func(context.Context) error {
		if !strings.Contains(s.ServerLog(), "DATA RACE") {
			return errors.New("there is none")
		}
		return nil
	})
	if err := s.Stop(); err == nil || !strings.Contains(err.Error(), "DATA RACE") {
		t.Errorf("stopped with %v, and without the report", err)
	}
}
