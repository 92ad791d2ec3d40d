package activity

import "github.com/hashicorp/go-hclog"

// toLog writes one structured line for each event.
type toLog struct{ logger hclog.Logger }

// ToLog returns a sink that writes events to the server log. An event that needs a person has the
// level WARN, and any other event has the level INFO.
func ToLog(logger hclog.Logger) Sink { return toLog{logger} }

// Record implements Sink.
func (l toLog) Record(e Event) {
	pairs := []any{"event", string(e.kind)}
	for _, f := range e.fields {
		pairs = append(pairs, f.name, f.value)
	}
	if e.urgent {
		l.logger.Warn(e.text, pairs...)
		return
	}
	l.logger.Info(e.text, pairs...)
}
