package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"slices"
	"time"

	"github.com/weirproxy/weir/bench/load"
	"github.com/weirproxy/weir/bench/mock"
	"github.com/weirproxy/weir/bench/report"
	"github.com/weirproxy/weir/bench/targets"
)

// broken begins the reason of a target that is installed and not measured.
const broken = "does not work: "

// runner measures.
type runner struct {
	env     targets.Env
	profile Profile
	pprof   string
	has     func(target string) bool // whether it is measured
	harness []int                    // processes of the benchmark: this one, the upstream, Redis
	running map[string]*targets.Process
	rep     *report.Report
	end     time.Time
	noted   map[string]bool
}

func (r *runner) note(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if !r.noted[text] {
		r.noted[text] = true
		r.rep.Notes = append(r.rep.Notes, text)
		log.Print(text)
	}
}

// play sets the upstream's script.
func (r *runner) play(s mock.Script) error {
	raw, err := json.Marshal(s)
	if err != nil {
		return err
	}
	res, err := http.Post("http://"+r.env.Upstream+"/_bench/script", "application/json", bytes.NewReader(raw))
	if err != nil {
		return fmt.Errorf("setting the script: %w", err)
	}
	return res.Body.Close()
}

func (r *runner) stats() (s mock.Stats, err error) {
	res, err := http.Post("http://"+r.env.Upstream+"/_bench/stats", "application/json", nil)
	if err != nil {
		return s, fmt.Errorf("asking the upstream: %w", err)
	}
	defer res.Body.Close()
	return s, json.NewDecoder(res.Body).Decode(&s)
}

// wanted are the entries of c that can be measured.
func (r *runner) wanted(c *Case) (out []entry) {
	list := c.entries
	if c.peers {
		list = append(slices.Clone(list), plain(peers...)...)
	}
	for _, e := range list {
		if r.has(e.target) && r.target(e.target) != nil {
			out = append(out, e)
		}
	}
	return out
}

// target starts a target at its first use; nil when it cannot be had.
func (r *runner) target(name string) *targets.Process {
	if p, ok := r.running[name]; ok {
		return p
	}
	spec, ok := targets.Find(name)
	if !ok {
		log.Fatalf("no target %s", name)
	}
	p, err := r.start(spec)
	if err != nil {
		reason := err.Error()
		if !errors.Is(err, targets.ErrAbsent) {
			reason = broken + reason
		}
		r.rep.Absent[spec.Name] = reason
		log.Printf("%s: %s", name, reason)
	}
	r.running[name] = p
	return p
}

// start starts a target and asks it something.
func (r *runner) start(spec targets.Spec) (*targets.Process, error) {
	p, err := r.env.Start(spec)
	if err != nil {
		return nil, err
	}
	if err := r.play(whole); err != nil {
		p.Stop()
		return nil, err
	}
	q := kb1
	q.Header, q.Model = p.Header, p.Prefix+q.Model
	a, err := load.Once(p.Addr, q, 0)
	for end := time.Now().Add(20 * time.Second); (err != nil || a.Status != 200) && time.Now().Before(end); a, err = load.Once(p.Addr, q, 0) {
		time.Sleep(200 * time.Millisecond)
	}
	if err == nil && (a.Status != 200 || a.Chunks == 0) {
		err = fmt.Errorf("its answer has status %d", a.Status)
	}
	if err != nil {
		p.Stop()
		return nil, err
	}
	p.Refresh()
	return p, nil
}

// rounds measures all cases again and again: what is compared is measured one
// right after the other, and drift meets all rounds alike.
func (r *runner) rounds(list []*Case) error {
	for round := range r.profile.Rounds {
		begun := time.Now()
		for _, c := range list {
			if c.once && round > 0 {
				continue
			}
			if err := r.play(c.script); err != nil {
				return err
			}
			for _, e := range r.wanted(c) {
				if err := r.measure(c, e, round); err != nil {
					return fmt.Errorf("%s, %s: %w", c.name, e.label, err)
				}
			}
		}
		took := time.Since(begun)
		log.Printf("round %d of %d took %.0f s", round+1, r.profile.Rounds, took.Seconds())
		r.rep.Rounds = round + 1
		if round+1 < r.profile.Rounds && time.Until(r.end) < took {
			r.note("the time allows %d rounds of %d", round+1, r.profile.Rounds)
			return nil
		}
	}
	return nil
}
