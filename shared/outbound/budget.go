package outbound

import "time"

// Budget is how many requests a party allows in a span of time. It is kept, not only obeyed once refused.
type Budget struct {
	Requests int // 0 for a Spacing alone
	Per      time.Duration
	Writes   bool          // only requests that change something count
	Spacing  time.Duration // at least this long between the beginnings of two of them
}

// window is a sliding window over the requests that count against a budget.
//
// A request is counted by the party at some moment between its beginning, as we see it, and its end. It therefore leaves the window Per
// after its end: the next that takes its place begins later than that, so that the party counts the two more than Per apart, however
// long each was on its way. What that costs is the time of one request in each window.
type window struct {
	Budget
	running int
	ended   []time.Time // those in the window, the oldest first
	begun   time.Time   // the latest
}

func (w *window) counts(write bool) bool { return write || !w.Writes }

// until answers how long a request must wait; known is false where that depends on when one that is running ends.
func (w *window) until(now time.Time) (wait time.Duration, known bool) {
	if w.Spacing > 0 && !w.begun.IsZero() {
		wait = max(0, w.Spacing-now.Sub(w.begun))
	}
	if w.Requests == 0 {
		return wait, true
	}
	gone := 0
	for gone < len(w.ended) && now.Sub(w.ended[gone]) > w.Per {
		gone++
	}
	w.ended = w.ended[gone:]
	over := w.running + len(w.ended) - w.Requests // how many must leave, less one
	switch {
	case over < 0:
		return wait, true
	case over >= len(w.ended):
		return 0, false
	}
	return max(wait, w.Per-now.Sub(w.ended[over])+time.Nanosecond), true
}

func (w *window) begin(now time.Time) {
	w.running++
	w.begun = now
}

func (w *window) end(now time.Time) {
	w.running--
	if w.Requests > 0 {
		w.ended = append(w.ended, now)
	}
}
