package schedule

import (
	"math/rand/v2"
	"time"
)

// Backoff is how long to wait after failures in a row: exponential, with full jitter.
type Backoff struct{ Base, Max time.Duration }

// After answers the wait after the n-th failure, n being at least 1. It is anywhere between zero and the ceiling, which doubles each
// time: those who have failed together do not come back together.
func (b Backoff) After(n int) time.Duration {
	ceiling := b.Max
	if shift := n - 1; shift < 32 && b.Base<<shift > 0 && b.Base<<shift < b.Max {
		ceiling = b.Base << shift
	}
	return time.Duration(rand.Int64N(int64(ceiling) + 1)) //nolint:gosec // It spreads attempts, and keeps no secret.
}
