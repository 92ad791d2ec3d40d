// Bench compares the engine in a real Vault with the alternatives that a team would use: Vault's
// own KV version 2 and Transit, built in and as external plugins. It also compares it with an
// external plugin that does nothing. It prints a table. If $BENCH_JSON names a file, it writes the
// figures to that file. README.md explains each row.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/stashbase/vault-stashbase/tools/bench/measure"
)

func main() {
	if parent := os.Getenv(busyFor); parent != "" {
		keepBusy(parent)
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// report is the content of the file that $BENCH_JSON names.
type report struct {
	Time    time.Time     `json:"time"`
	Cores   int           `json:"cores"`
	System  string        `json:"system"`
	Go      string        `json:"go"`
	Vault   string        `json:"vault"`
	Quick   bool          `json:"quick"`
	Secrets int           `json:"rotated_secrets"`
	Rows    []measure.Row `json:"rows"`
}

func run(ctx context.Context) error {
	size, err := sizeOfRun()
	if err != nil {
		return err
	}
	say("building the plugins for the comparison")
	s, err := launch(ctx)
	if err != nil {
		return err
	}
	b := &bench{stand: s, size: size}
	err = b.all(ctx)
	if stopped := s.stop(); err == nil {
		err = stopped
	}
	if err != nil {
		return err
	}
	if err := measure.Print(os.Stdout, b.rows); err != nil {
		return err
	}
	return write(os.Getenv("BENCH_JSON"), report{
		Time: time.Now().UTC().Truncate(time.Second), Cores: runtime.NumCPU(), System: runtime.GOOS + "/" + runtime.GOARCH,
		Go: runtime.Version(), Vault: s.version, Quick: size.quick, Secrets: size.rotated, Rows: b.rows,
	})
}

func write(file string, r report) error {
	if file == "" {
		return nil
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o600)
}

// size is the extent of a run.
type size struct {
	quick    bool
	rounds   int           // rounds of single operations
	each     int           // operations in a round
	clients  int           // clients that write one key, in a quarter of the rounds
	burst    int           // writes of each client in a round
	bulk     int           // secrets in a load or an import
	bulks    int           // rounds of load, import and rotation
	rotated  int           // secrets in the large workspace of the rotation; the small one has a tenth
	keyrings int           // rounds of keyring
	spin     time.Duration // duration of one keyring benchmark

	workspaces, perWorkspace int           // of the large mount
	still                    time.Duration // time without requests
}

func sizeOfRun() (size, error) {
	z := size{
		rounds: 80, each: 25, clients: 8, burst: 12, bulk: 1000, bulks: 7, rotated: 20_000, keyrings: 9, spin: 200 * time.Millisecond,
		workspaces: 1000, perWorkspace: 100, still: 65 * time.Second, // Vault calls once a minute
	}
	if os.Getenv("BENCH_QUICK") == "1" {
		z.quick, z.rounds, z.bulks, z.rotated, z.keyrings, z.spin = true, 20, 2, 2_000, 3, 50*time.Millisecond
		z.workspaces, z.still = 100, 5*time.Second
	}
	if text := os.Getenv("BENCH_SECRETS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1000 {
			return z, fmt.Errorf("BENCH_SECRETS: must be a whole number from 1000 on")
		}
		z.rotated = n
	}
	return z, nil
}

// bench runs the measurements on a stand and collects the rows.
type bench struct {
	*stand
	size
	rows []measure.Row
}

func (b *bench) all(ctx context.Context) error {
	only := os.Getenv("BENCH_ONLY")
	for _, part := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"keyring", b.keyring},
		{"reading and writing one secret", b.single},
		{"encryption for services", b.application},
		{"load", b.load},
		{"import", b.imports},
		{"rotation", b.rotation},
		{"syncs", b.syncing},
		{"attacks", b.attacks},
		{"many workspaces", b.scale},
		{"terraform", b.terraform},
	} {
		if only != "" && !strings.Contains(part.name, only) {
			continue
		}
		say(part.name)
		if err := part.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return nil
}

func (b *bench) add(rows ...measure.Row) { b.rows = slices.Concat(b.rows, rows) }

// say prints progress to standard error.
func say(what string) { fmt.Fprintln(os.Stderr, "bench:", what) }
