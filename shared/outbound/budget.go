package outbound

import "time"

// Budget is the number of requests that a service allows within a period. The limiter stays below
// it instead of waiting for a rejection.
type Budget struct {
	Requests int // 0 if only Spacing applies
	Per      time.Duration
	Writes   bool          // counts only requests that change something
	Spacing  time.Duration // minimum time between the starts of two requests
}

// window is a sliding window over the requests that count against a budget.
//
// The service counts a request at some moment between its start and its end, as measured here. A
// request therefore leaves the window Per after its end. The request that takes its place starts
// later, so the service counts the two more than Per apart, however long each was in transit. The
// cost is the duration of one request per window.
type window struct {
	Budget
	running int
	ended   []time.Time // ends of the requests in the window, oldest first
	begun   time.Time   // start of the latest request
}

func (w *window) counts(write bool) bool { return write || !w.Writes }

// until returns how long a request must wait. known is false if that depends on the end of a
// running request.
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
	over := w.running + len(w.ended) - w.Requests // index of the request whose end frees a slot
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
