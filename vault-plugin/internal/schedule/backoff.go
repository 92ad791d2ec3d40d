package schedule

import (
	"math/rand/v2"
	"time"
)

// Backoff computes the delay after consecutive failures: exponential, with full jitter.
type Backoff struct{ Base, Max time.Duration }

// After returns the delay after the n-th consecutive failure; n is at least 1. The delay is random
// between zero and a ceiling that doubles with each failure, up to Max. The randomness keeps tasks
// that failed together from retrying together.
func (b Backoff) After(n int) time.Duration {
	ceiling := b.Max
	if shift := n - 1; shift < 32 && b.Base<<shift > 0 && b.Base<<shift < b.Max {
		ceiling = b.Base << shift
	}
	return time.Duration(rand.Int64N(int64(ceiling) + 1)) //nolint:gosec // The number spreads retries; it protects nothing.
}
