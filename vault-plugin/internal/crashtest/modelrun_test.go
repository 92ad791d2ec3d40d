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

// TestModel sends random requests, restarts, crashes and outages to an engine, and holds every answer against a plain model.
// MODEL_DURATION is how long it goes on, MODEL_SEED repeats the run that a failure names.
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
		// A run is bounded, so that a seed leads to its failure in seconds.
		t.Run(fmt.Sprint(seed), func(t *testing.T) { total += modelRun(t, seed, 1500) })
		if repeat {
			break
		}
	}
	t.Logf("%d steps", total)
}

// run is one model run.
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

func (r *run) say(format string, args ...any) {
	r.log = append(r.log, fmt.Sprintf("%.300s", fmt.Sprintf(format, args...)))
}

func (r *run) step() {
	switch n := r.steps.IntN(100); {
	case n < 2:
		r.restart("restart")
	case n < 4:
		r.mount.Settle()
	case n < 12:
		r.interrupted()
	default:
		s := r.next()
		got, status := r.do(s)
		if how := s.apply(r.model).differs(got, status, s.all); how != "" {
			r.t.Errorf("%s %s: %s (%.300v)", s.request.Op, s.request.Path, how, got)
		}
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

// interrupted sends a request during which, or soon after which, storage goes down. Then the process is another, or the same
// once storage is up again. An answer of success binds; without one, the request has been carried out or not.
func (r *run) interrupted() {
	at, stored, restart := 1+r.steps.IntN(12)*(1+r.steps.IntN(4)), r.steps.IntN(2) == 0, r.steps.IntN(2) == 0
	s := r.next()
	r.say("storage goes down at call %d, stored %v, restart %v", at, stored, restart)
	r.mount.Storage.FailFrom(at, stored)
	got, status := r.do(s)
	if r.steps.IntN(2) == 0 {
		r.mount.Settle()
	}
	if restart {
		r.mount = r.mount.Restart()
	} else {
		r.mount.Storage.Reset()
		tick(r.t, r.mount)
		r.mount.Settle() // the tick's work in the background asks how things ended
	}
	after := r.model.clone()
	expected := s.apply(after)
	if status < 500 {
		if how := expected.differs(got, status, s.all); how != "" {
			r.t.Errorf("%s %s: %s", s.request.Op, s.request.Path, how)
		}
		r.model = after
		r.check()
		return
	}
	asBefore, asAfter := r.compare(r.model), r.compare(after)
	if asAfter == "" {
		r.model = after
	} else if asBefore != "" {
		r.t.Errorf("interrupted %s %s has been done by half. Against before: %s. Against after: %s", s.request.Op, s.request.Path, asBefore, asAfter)
	}
}

func (r *run) check() {
	if how := r.compare(r.model); how != "" {
		r.t.Errorf("the engine and the model differ: %s", how)
	}
}

// compare tells the first thing in which the engine and a model differ.
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
		return ask(request{Op: list, Path: path + "/"}, w, false)
	}
	found := listed("workspaces", slices.Sorted(maps.Keys(m.Workspaces)))
	note := func(how string) { found += how }
	note(ask(request{Op: read, Path: "config"}, want{data: data{"max_versions": m.MaxVersions}}, false))
	note(ask(request{Op: read, Path: "master-key"}, want{data: data{"latest_version": m.Master}}, false))
	for w, ws := range m.Workspaces {
		note(ask(request{Op: read, Path: "workspaces/" + w}, want{data: data{"max_versions": ws.MaxVersions, "deletion_allowed": ws.DeletionAllowed, "locked": ws.Locked}}, false))
		if ws.Locked {
			note(ask(request{Op: read, Path: "keys/" + w}, refuse(409), false))
			continue
		}
		note(listed("projects/"+w, slices.Sorted(maps.Keys(ws.Projects))))
		for p, environments := range ws.Projects {
			note(listed("environments/"+w+"/"+p, slices.Sorted(maps.Keys(environments))))
			for e, env := range environments {
				place := w + "/" + p + "/" + e
				note(ask(request{Op: read, Path: "load/" + place}, m.load(w, p, e), true))
				note(listed("secrets/"+place, slices.Sorted(maps.Keys(env.Secrets))))
				for name, s := range env.Secrets {
					note(ask(request{Op: read, Path: "metadata/" + place + "/" + name},
						want{data: data{"version": s.newest().Number, "oldest_version": s.Versions[0].Number, "max_versions": s.MaxVersions}}, false))
					for _, v := range s.Versions {
						note(ask(request{Op: read, Path: "secrets/" + place + "/" + name, Data: data{"version": strconv.Itoa(v.Number)}}, m.read(w, p, e, name, v.Number), false))
					}
				}
				note(ask(request{Op: read, Path: "environments/" + place}, want{data: data{"locked": env.Locked, "secrets": len(env.Secrets)}}, false))
			}
		}
		note(ask(request{Op: read, Path: "keys/" + w}, want{data: data{"latest_version": ws.Key, "min_decryption_version": ws.Minimum}}, false))
	}
	return found
}

// clean holds storage against what it should hold when all background work is done after a restart.
func (r *run) clean() {
	r.mount.Settle()
	checkClean(r.t, r.mount.Storage)
}
