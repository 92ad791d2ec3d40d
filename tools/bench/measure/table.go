package measure

import (
	"fmt"
	"io"
	"math"
	"text/tabwriter"
	"time"
)

// Row is one line of the table. Unit is the unit of Ours and Other.
type Row struct {
	What    string  `json:"what"`
	Against string  `json:"against,omitempty"`
	Unit    string  `json:"unit"`
	Ours    float64 `json:"ours"`
	Other   float64 `json:"other,omitempty"`
	Ratio   float64 `json:"ratio,omitempty"` // ours / other: the median of the rounds' ratios
	Target  string  `json:"target,omitempty"`
	Missed  bool    `json:"missed,omitempty"`

	faster bool // the inverse of the ratio is shown
}

// Times returns a row with the medians of two series.
func Times(what, against string, ours, other Series) Row {
	return Quantiles(what, against, ours, other, 0.5)
}

// Quantiles returns a row with the quantile q of two series.
func Quantiles(what, against string, ours, other Series, q float64) Row {
	return Row{
		What: what, Against: against, Unit: "ms", Ours: quantile(ours, q), Other: quantile(other, q), Ratio: Ratio(ours, other, q),
	}
}

func quantile(s Series, q float64) float64 {
	var all []time.Duration
	for _, round := range s {
		all = append(all, round...)
	}
	return Milliseconds(Quantile(all, q))
}

// Milliseconds returns a duration in milliseconds.
func Milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// AtMost sets the target: ours is at most limit times the other.
func (r Row) AtMost(limit float64) Row {
	r.Target, r.Missed = fmt.Sprintf("≤ %g×", limit), r.Ratio > limit
	return r
}

// Faster sets the target: ours takes at most 1/times of the other's time.
func (r Row) Faster(times float64) Row {
	r.Target, r.Missed, r.faster = fmt.Sprintf("≥ %g× faster", times), r.Ratio*times > 1, true
	return r
}

// Below sets the target: ours is less than limit, in the row's unit.
func (r Row) Below(limit float64) Row {
	r.Target, r.Missed = fmt.Sprintf("< %g %s", limit, r.Unit), r.Ours >= limit
	return r
}

// Print writes the table and the number of missed targets.
func Print(w io.Writer, rows []Row) error {
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(cells ...any) { _, _ = fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", cells...) }
	line("what", "against", "ours", "other", "ratio", "target", "")
	missed := 0
	for _, r := range rows {
		verdict := ""
		switch {
		case r.Missed:
			verdict = "missed"
			missed++
		case r.Target != "":
			verdict = "ok"
		}
		ours := number(r.Ours, r.Unit)
		if ours == "" && r.Target != "" {
			ours = "0 " + r.Unit // a measured zero
		}
		line(r.What, r.Against, ours, number(r.Other, r.Unit), r.ratio(), r.Target, verdict)
	}
	if err := out.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%d targets missed\n", missed)
	return err
}

func (r Row) ratio() string {
	switch {
	case r.Ratio == 0:
		return ""
	case r.faster:
		return fmt.Sprintf("%.1f× faster", 1/r.Ratio)
	default:
		return fmt.Sprintf("%.2f×", r.Ratio)
	}
}

// number formats a number with three significant digits.
func number(v float64, unit string) string {
	if v == 0 {
		return ""
	}
	digits := max(0, 2-int(math.Floor(math.Log10(v))))
	return fmt.Sprintf("%.*f %s", digits, v, unit)
}
