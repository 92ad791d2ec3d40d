package main

import (
	"bytes"
	"fmt"
	"slices"
)

// edit inserts text at an offset of a source file, after it has removed cut bytes there.
type edit struct {
	at, cut int
	text    string
	before  bool // the text opens something that ends later
	order   int
}

// instrument returns a source with the edits of faults. Edits at one offset nest: what opens later
// in the list is inside, and what closes is in the opposite order.
func instrument(source []byte, faults []fault) []byte {
	var all []edit
	for i, f := range faults {
		for _, e := range f.edits {
			e.order = i
			all = append(all, e)
		}
	}
	slices.SortStableFunc(all, func(a, b edit) int {
		switch {
		case a.at != b.at:
			return a.at - b.at
		case a.before != b.before: // what ends here closes before anything opens
			if a.before {
				return 1
			}
			return -1
		case a.before:
			return a.order - b.order
		}
		return b.order - a.order
	})
	var out bytes.Buffer
	from := 0
	for _, e := range all {
		out.Write(source[from:e.at])
		out.WriteString(e.text)
		from = e.at + e.cut
	}
	out.Write(source[from:])
	return out.Bytes()
}

// switches returns the source of the file that the instrumented package gets: the switch of each
// fault, and what needs it. The switch MUTANT turns one fault on. MUTANT_REACHED names a file, to
// which the number of each fault that is reached is appended once.
func switches(pkg string, count int) []byte {
	return fmt.Appendf(nil, `package %s

import (
	"cmp"
	"os"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
)

var (
	mutantOn__, _  = strconv.Atoi(os.Getenv("MUTANT"))
	mutantLog__    = os.Getenv("MUTANT_REACHED")
	mutantSeen__   [%d]atomic.Bool
	mutantWrite__  sync.Mutex
	mutantLimit__  = debug.SetMaxStack(64 << 20)
)

func mutant__(n int) bool {
	if mutantLog__ != "" && !mutantSeen__[n].Swap(true) {
		mutantWrite__.Lock()
		defer mutantWrite__.Unlock()
		if f, err := os.OpenFile(mutantLog__, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err == nil {
			f.WriteString(strconv.Itoa(n) + "\n")
			f.Close()
		}
	}
	return n == mutantOn__
}

func less__[T cmp.Ordered](n int, a, b T) bool {
	if mutant__(n) {
		return a <= b
	}
	return a < b
}

func lessEqual__[T cmp.Ordered](n int, a, b T) bool {
	if mutant__(n) {
		return a < b
	}
	return a <= b
}

func greater__[T cmp.Ordered](n int, a, b T) bool { return less__(n, b, a) }

func greaterEqual__[T cmp.Ordered](n int, a, b T) bool { return lessEqual__(n, b, a) }

func number__[T ~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~uintptr](n int, v T) T {
	if mutant__(n) {
		return v - 1
	}
	return v
}
`, pkg, count+1)
}
