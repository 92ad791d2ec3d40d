//go:build race

package keyring

func raceEnabled() bool { return true }
