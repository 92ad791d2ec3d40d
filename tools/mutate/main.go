// Command mutate puts single faults into the critical packages, one at a time, and runs the tests
// that cover them. It prints how many faults the tests notice, and which they do not. A fault that
// survives shows a line whose effect no test checks.
//
// A package is compiled once with all its faults behind switches, so each fault costs one run of
// the tests and no compilation. The faults are:
//
//   - a condition, or an operand of one, is always true or never true;
//   - a comparison includes or excludes its bound, and an added number is smaller by 1;
//   - a statement is left out: a call, a wipe, an assignment, a deferred unlock, an early return;
//   - two statements with an effect change places.
//
// The file equivalent.txt lists the faults that change nothing that a test could see, with reasons.
package main

import (
	"cmp"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"
)

//go:embed equivalent.txt
var equivalents string

func main() {
	jobs := flag.Int("j", 2, "number of runs at once")
	budget := flag.Duration("budget", 15*time.Minute, "time for each package; the faults are in random but fixed order, so a part is a sample")
	only := flag.String("only", "", "run only the faults whose key contains this text")
	list := flag.Bool("list", false, "print the faults and run nothing")
	flag.Usage = func() {
		_, _ = fmt.Fprintln(flag.CommandLine.Output(), "usage: mutate [flags] [package ...]\n\nWithout packages, it takes all of targets.go.")
		flag.PrintDefaults()
	}
	flag.Parse()
	if err := run(options{*jobs, *budget, *only, *list}, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

type options struct {
	jobs   int
	budget time.Duration
	only   string
	list   bool
}

// score holds the results of a package.
type score struct {
	path                                                     string
	faults, equivalent, noticed, survived, unreached, notRun int
}

// percent returns the part of the faults that were noticed, of those that were run and change
// something.
func (s score) percent() float64 {
	return 100 * float64(s.noticed) / float64(max(1, s.noticed+s.survived+s.unreached))
}

func run(o options, paths []string) error {
	root, err := filepath.Abs("../..")
	if err != nil {
		return err
	}
	known, err := parseEquivalents(equivalents)
	if err != nil {
		return err
	}
	var scores []score
	for _, t := range targets {
		if len(paths) > 0 && !slices.Contains(paths, t.path) {
			continue
		}
		s, err := t.measure(o, root, known)
		if err != nil {
			return err
		}
		scores = append(scores, s)
	}
	if len(scores) == 0 {
		return fmt.Errorf("no such package; targets.go lists %d", len(targets))
	}
	if o.list {
		return nil
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "package\tfaults\tequivalent\tnoticed\tsurvived\tnot reached\tnot run\tscore")
	for _, s := range scores {
		_, _ = fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%.0f %%\n", s.path, s.faults, s.equivalent, s.noticed, s.survived, s.unreached, s.notRun, s.percent())
	}
	return table.Flush()
}

func (t target) measure(o options, root string, known map[string]string) (score, error) {
	src, err := load(root, t.path)
	if err != nil {
		return score{}, err
	}
	result := score{path: t.path, faults: len(src.faults)}
	var left []fault
	for _, f := range src.faults {
		switch {
		case known[f.key()] != "":
			result.equivalent++
		case strings.Contains(f.key(), o.only):
			left = append(left, f)
		}
	}
	if err := stale(src, known); err != nil || o.list {
		for _, f := range left {
			fmt.Printf("%d %s\n", f.line, f.key())
		}
		return result, err
	}
	slices.SortFunc(left, func(a, b fault) int { return cmp.Compare(random(a), random(b)) })
	tmp, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return result, err
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	overlay, err := src.overlay(root, tmp)
	if err != nil {
		return result, err
	}
	var binaries []*binary
	for _, s := range t.suites {
		b, err := compile(root, tmp, overlay, s)
		if err != nil {
			return result, err
		}
		binaries = append(binaries, b)
	}
	result.take(o, binaries, left)
	return result, nil
}

// random orders the faults in the same way in every run.
func random(f fault) uint64 {
	h := fnv.New64a()
	h.Write([]byte(f.key()))
	return h.Sum64()
}

// take runs the faults within the budget, and prints those that are not noticed.
func (s *score) take(o options, binaries []*binary, left []fault) {
	end := time.Now().Add(o.budget)
	queue := make(chan fault, len(left))
	for _, f := range left {
		queue <- f
	}
	close(queue)
	var mu sync.Mutex
	var group sync.WaitGroup
	for range o.jobs {
		group.Go(func() {
			for f := range queue {
				how := "not run"
				if time.Now().Before(end) {
					how = notice(binaries, f)
				}
				mu.Lock()
				s.count(f, how)
				mu.Unlock()
			}
		})
	}
	group.Wait()
}

func (s *score) count(f fault, how string) {
	switch how {
	case "not run":
		s.notRun++
		return
	case "survived":
		s.survived++
	case "not reached":
		s.unreached++
	default:
		s.noticed++
		return
	}
	fmt.Printf("%s:%d: %s: %s\n", f.file, f.line, how, f.key())
}

// parseEquivalents reads lines of the form `key | reason`. Lines that begin with # are comments.
func parseEquivalents(text string) (map[string]string, error) {
	known := map[string]string{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		at := strings.LastIndex(line, " | ")
		if strings.Count(line, " | ") < 4 {
			return nil, errors.New("equivalent.txt: a line must be: file | function | operator | source | reason; got " + line)
		}
		known[line[:at]] = line[at+3:]
	}
	return known, nil
}

// stale returns an error that names the equivalent faults of a package that do not exist.
func stale(s *source, known map[string]string) error {
	keys := map[string]bool{}
	for _, f := range s.faults {
		keys[f.key()] = true
	}
	var wrong []string
	for key := range known {
		file, _, _ := strings.Cut(key, " | ")
		if filepath.ToSlash(filepath.Dir(file)) == s.path && !keys[key] {
			wrong = append(wrong, key)
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	slices.Sort(wrong)
	return errors.New("equivalent.txt lists faults that do not exist:\n" + strings.Join(wrong, "\n"))
}
