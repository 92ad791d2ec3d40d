package crashtest

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/enginetest"
)

// TestModel sends random requests, restarts, crashes and outages to an engine, and compares every
// response with a plain model. MODEL_DURATION sets the duration. MODEL_SEED repeats the run of a
// reported failure.
func TestModel(t *testing.T) {
	length := 8 * time.Second
	if given, err := time.ParseDuration(os.Getenv("MODEL_DURATION")); err == nil {
		length = given
	}
	seed, err := strconv.ParseUint(os.Getenv("MODEL_SEED"), 10, 64)
	repeat := err == nil
	total := 0
	for end := time.Now().Add(length); time.Now().Before(end) && !t.Failed(); {
		if !repeat {
			seed = rand.Uint64()
		}
		// The length of a run is bounded, so that a seed reproduces its failure within seconds.
		t.Run(fmt.Sprint(seed), func(t *testing.T) { total += modelRun(t, seed, 1500) })
		if repeat {
			break
		}
	}
	t.Logf("%d steps", total)
}

// run is one run of the model.
type run struct {
	t     *testing.T
	steps *steps
	mount *mount
	model *model
	log   []string
}

func modelRun(t *testing.T, seed uint64, length int) (made int) {
	r := &run{t: t, steps: &steps{Rand: rand.New(rand.NewPCG(seed, 0))}, mount: enginetest.New(t), model: newModel()}
	defer func() {
		if t.Failed() {
			t.Logf("MODEL_SEED=%d; the last steps:\n%s", seed, strings.Join(r.log[max(0, len(r.log)-25):], "\n"))
		}
	}()
	r.pass(1) // time 0 means never
	r.populate()
	for made = range length {
		if r.step(); t.Failed() {
			return made
		}
		if made%40 == 0 {
			r.check()
		}
	}
	for w, ws := range r.model.Workspaces {
		if ws.Locked {
			r.mount.Write("workspaces/"+w+"/unlock", nil)
			ws.Locked = false
		}
	}
	r.mount.Settle()
	r.restart("at the end")
	r.check()
	r.clean()
	end(r.mount)
	return made
}

// populate creates what most steps need.
func (r *run) populate() {
	for _, s := range []step{
		{request: request{Op: write, Path: "workspaces/acme"}, apply: func(m *model) want { return m.putWorkspace("acme", "first", modelWorkspace{}) }},
		{request: request{Op: write, Path: "projects/acme/api"}, apply: func(m *model) want { return m.putProject("acme", "api") }},
		{request: request{Op: write, Path: "projects/acme/web"}, apply: func(m *model) want { return m.putProject("acme", "web") }},
		r.steps.environmentStep("acme", "api", "dev"),
		r.steps.environmentStep("acme", "api", "qa"),
		r.steps.environmentStep("acme", "web", "dev"),
	} {
		s.apply(r.model)
		r.do(s)
	}
}

func (r *run) say(format string, args ...any) {
	r.log = append(r.log, fmt.Sprintf("%.300s", fmt.Sprintf(format, args...)))
}

func (r *run) step() {
	r.pass(r.steps.IntN(3)) // possibly 0, so that several changes fall into one second
	switch n := r.steps.IntN(100); {
	case n < 2:
		r.restart("restart")
	case n < 4:
		r.mount.Settle()
	case n < 6:
		r.pass(r.steps.IntN(2 * day))
		r.tick(r.model)
	case n < 14:
		r.interrupted()
	default:
		s := r.next()
		got, status := r.do(s)
		expected := s.apply(r.model)
		if how := expected.differs(got, status, s.all); how != "" {
			r.t.Errorf("%s %s: %s (%.300v)", s.request.Op, s.request.Path, how, got)
		}
		if status == 0 && s.onSuccess != nil {
			s.onSuccess(got)
		}
		if status == 0 && s.replayed() && r.steps.IntN(6) == 0 {
			r.replay(s, expected)
		}
	}
}

// replay sends a request again under its id, as Vault does when the process of the plugin is gone.
// The response must be the same, and nothing may be done twice.
func (r *run) replay(s step, expected want) {
	if r.steps.IntN(2) == 0 {
		r.restart("restart before a replay")
	}
	got, status := r.do(s)
	if how := expected.differs(got, status, s.all); how != "" {
		r.t.Errorf("the replay of %s %s: %s (%.300v)", s.request.Op, s.request.Path, how, got)
	}
}

// pass advances the time.
func (r *run) pass(seconds int) {
	r.model.Now += seconds
	r.mount.Clock.Advance(time.Duration(seconds) * time.Second)
	if seconds > 10 {
		r.say("%d s pass", seconds)
	}
}

// tick makes the periodic calls. The first call determines the outcome of interrupted writes, and
// the second call uses it.
func (r *run) tick(models ...*model) {
	r.say("tick")
	for range 2 {
		tick(r.t, r.mount)
		r.mount.Settle()
	}
	for _, m := range models {
		m.tick()
	}
}

func (r *run) next() step {
	s := r.steps.next(r.model)
	if s.rewrapped != "" {
		r.rewrap(s.rewrapped)
	}
	return s
}

func (r *run) do(s step) (data, int) {
	got, err := r.mount.Do(s.request)
	status := 0
	var refused *enginetest.Refused
	if errors.As(err, &refused) {
		status = refused.Status
	}
	r.say("%s %s %.120v -> %d %.80v", s.request.Op, s.request.Path, s.request.Data, status, err)
	return got, status
}

func (r *run) restart(why string) {
	r.say("%s", why)
	r.mount = r.mount.Restart()
}

// interrupted sends a request and makes storage fail during it or soon after. Then either another
// process starts, or the same process continues with working storage. If the response is a success,
// the request must have happened. Without a response, it has happened completely or not at all.
func (r *run) interrupted() {
	at, stored, restart := 1+r.steps.IntN(12)*(1+r.steps.IntN(4)), r.steps.IntN(2) == 0, r.steps.IntN(2) == 0
	s := r.next()
	r.say("storage fails from call %d on, stored %v, restart %v", at, stored, restart)
	r.mount.Storage.FailFrom(at, stored)
	got, status := r.do(s)
	after := r.model.clone()
	expected := s.apply(after)
	if r.steps.IntN(2) == 0 {
		r.mount.Settle()
	}
	if restart {
		r.mount = r.mount.Restart()
	} else {
		r.mount.Storage.Reset()
		r.tick(r.model, after)
	}
	if status < 500 {
		if how := expected.differs(got, status, s.all); how != "" {
			r.t.Errorf("%s %s: %s", s.request.Op, s.request.Path, how)
		}
		if status == 0 && s.onSuccess != nil {
			s.onSuccess(got)
		}
		r.model = after
		r.check()
		return
	}
	asBefore, asAfter := r.compare(r.model), r.compare(after)
	if asAfter == "" {
		r.model = after
	} else if asBefore != "" {
		r.t.Errorf("interrupted %s %s happened in part. Differences from before: %s. Differences from after: %s", s.request.Op, s.request.Path, asBefore, asAfter)
	}
}

func (r *run) check() {
	if how := r.compare(r.model); how != "" {
		r.t.Errorf("the engine and the model differ: %s", how)
	}
}

// compare describes how the engine differs from a model. The result is empty if it does not.
func (r *run) compare(m *model) string {
	ask := func(op request, w want, all bool) string {
		got, err := r.mount.Do(op)
		status := 0
		var refused *enginetest.Refused
		if errors.As(err, &refused) {
			status = refused.Status
		}
		if how := w.differs(got, status, all); how != "" {
			return fmt.Sprintf("%s %s: %s (%v)", op.Op, op.Path, how, err)
		}
		return ""
	}
	listed := func(path string, names []string) string {
		w := want{data: data{"keys": names}}
		if len(names) == 0 {
			w = want{}
		}
		return ask(request{Op: list, Path: path + "/"}, w, len(names) == 0)
	}
	found := listed("workspaces", slices.Sorted(maps.Keys(m.Workspaces)))
	note := func(how string) { found += how }
	note(ask(request{Op: read, Path: "config"}, want{data: data{"max_versions": m.MaxVersions}}, false))
	note(ask(request{Op: read, Path: "master-key"}, want{data: data{"latest_version": m.Master}}, false))
	for w, ws := range m.Workspaces {
		note(ask(request{Op: read, Path: "workspaces/" + w}, want{data: data{
			"max_versions": ws.MaxVersions, "deletion_allowed": ws.DeletionAllowed, "locked": ws.Locked, "delete_version_after": ws.DeleteAfter, "cas_required": ws.CASRequired,
		}}, false))
		if ws.Locked {
			note(ask(request{Op: read, Path: "keys/" + w}, refuse(409), false))
			continue
		}
		note(listed("projects/"+w, slices.Sorted(maps.Keys(ws.Projects))))
		for p, environments := range ws.Projects {
			note(listed("environments/"+w+"/"+p, slices.Sorted(maps.Keys(environments))))
			for e, env := range environments {
				place := w + "/" + p + "/" + e
				m.compareEnvironment(w, p, e, func(path string, body data, w want, all bool) {
					note(ask(request{Op: read, Path: path, Data: body}, w, all))
				})
				// The outcome of an interrupted write is determined by the first read of the
				// secret. Until then, the secret counts.
				note(listed("secrets/"+place, slices.Sorted(maps.Keys(env.Secrets))))
				note(ask(request{Op: read, Path: "environments/" + place}, want{data: env.describe(e)}, false))
			}
		}
		note(ask(request{Op: read, Path: "keys/" + w}, want{data: data{"latest_version": ws.Key, "min_decryption_version": ws.Minimum, "auto_rotate_period": ws.Period}}, false))
	}
	return found
}

// compareEnvironment reads everything that an environment holds.
func (m *model) compareEnvironment(w, p, e string, ask func(path string, body data, w want, all bool)) {
	place := w + "/" + p + "/" + e
	ask("load/"+place, nil, m.load(w, p, e, 0, nil), true)
	ask("changes/"+place, nil, m.describeChanges(w, p, e), true)
	for name, s := range m.environment(w, p, e).Secrets {
		ask("metadata/"+place+"/"+name, nil, want{data: data{
			"version": s.newest().Number, "oldest_version": s.Versions[0].Number,
			"max_versions": s.MaxVersions, "delete_version_after": s.DeleteAfter, "cas_required": s.CASRequired,
		}}, false)
		for _, v := range s.Versions {
			ask("secrets/"+place+"/"+name, data{"version": strconv.Itoa(v.Number)}, m.read(w, p, e, name, v.Number), false)
		}
	}
}

// clean checks storage after all background work is done.
func (r *run) clean() {
	r.mount.Settle()
	checkClean(r.t, r.mount.Storage)
}
