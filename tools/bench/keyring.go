package main

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"flag"
	"testing"
	"time"

	"github.com/stashbase/vault-stashbase/shared/keyring"
	"github.com/stashbase/vault-stashbase/tools/bench/measure"
)

// message is the size of the sealed and opened messages.
const message = 1 << 10

// keyring compares sealing and opening with the bare cipher: both derive a key and a commitment for
// each message.
func (b *bench) keyring(ctx context.Context) error {
	testing.Init()
	if err := flag.Set("test.benchtime", b.spin.String()); err != nil {
		return err
	}
	ring, bare, err := sealers()
	if err != nil {
		return err
	}
	allocations := make(map[string]int64)
	subject := func(name string, op func() error) measure.Subject {
		return measure.Subject{Name: name, Round: func(context.Context) ([]time.Duration, error) {
			took, allocated, err := spin(op)
			allocations[name] = allocated
			return []time.Duration{took}, err
		}}
	}
	took, err := measure.TakeTurns(ctx, b.keyrings,
		subject("seal", ring.seal), subject("bare seal", bare.seal), subject("open", ring.open), subject("bare open", bare.open))
	if err != nil {
		return err
	}
	b.add(
		nanoseconds(measure.Times("seal 1 KiB", "AES-256-GCM with a key kept ready", took[0], took[1])).AtMost(5.5),
		measure.Row{What: "seal 1 KiB", Unit: "allocations", Ours: float64(allocations["seal"])}.Below(23),
		nanoseconds(measure.Times("open 1 KiB", "AES-256-GCM with a key kept ready", took[2], took[3])).AtMost(5.5),
		measure.Row{What: "open 1 KiB", Unit: "allocations", Ours: float64(allocations["open"])}.Below(23),
	)
	return nil
}

func nanoseconds(r measure.Row) measure.Row {
	r.Unit, r.Ours, r.Other = "ns", r.Ours*1e6, r.Other*1e6
	return r
}

func spin(op func() error) (time.Duration, int64, error) {
	var failed error
	r := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if failed = op(); failed != nil {
				return
			}
		}
	})
	return time.Duration(r.NsPerOp()), r.AllocsPerOp(), failed
}

type sealer struct{ seal, open func() error }

func sealers() (ring, bare sealer, err error) {
	plaintext, key := make([]byte, message), make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		return ring, bare, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return ring, bare, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return ring, bare, err
	}
	sealed := aead.Seal(nil, nil, plaintext, nil)
	bare = sealer{
		seal: func() error { aead.Seal(nil, nil, plaintext, nil); return nil },
		open: func() error { _, err := aead.Open(nil, nil, sealed, nil); return err },
	}
	secrets, err := secretsContext()
	if err != nil {
		return ring, bare, err
	}
	at := keyring.SecretLocation{Name: "DATABASE_URL", Version: 1}
	ciphertext, err := secrets.Seal(at, plaintext)
	ring = sealer{
		seal: func() error { _, err := secrets.Seal(at, plaintext); return err },
		open: func() error { _, err := secrets.Open(at, ciphertext); return err },
	}
	return ring, bare, err
}

func secretsContext() (*keyring.Context[keyring.SecretLocation], error) {
	master, err := keyring.NewMaster(time.Now())
	if err != nil {
		return nil, err
	}
	workspace, err := master.NewWorkspace(keyring.WorkspaceScope{Name: "acme", ID: keyring.NewID()}, time.Now())
	if err != nil {
		return nil, err
	}
	return workspace.Secrets(keyring.EnvironmentScope{Project: "shop", Environment: "production", ID: keyring.NewID()})
}
