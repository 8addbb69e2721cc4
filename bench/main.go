// Command bench measures Weir beside Caddy's reverse_proxy, nginx and whichever
// other gateways are installed, in one run. See README.md.
//
//	go run . -profile quick -name quick
package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/weirproxy/weir/bench/proc"
	"github.com/weirproxy/weir/bench/report"
	"github.com/weirproxy/weir/bench/targets"
)

const page = "../docs/performance.md"

func main() {
	log.SetFlags(log.Ltime)
	var o options
	flag.StringVar(&o.profile, "profile", "full", "how much is measured: full, quick or smoke")
	flag.StringVar(&o.name, "name", "", "results/NAME.json and its plots are written; none when empty")
	flag.StringVar(&o.only, "only", "", "cases, with commas between them; hold for open streams")
	flag.StringVar(&o.targets, "targets", "", "targets, with commas between them, of those that a case has")
	flag.Float64Var(&o.allocs, "allocs", 0, "fail if a full request of 1 KB allocates more objects; 0: do not")
	flag.IntVar(&o.rounds, "rounds", 0, "rounds, instead of the profile's")
	flag.DurationVar(&o.each, "for", 0, "how long each sample takes, instead of the profile's")
	flag.StringVar(&o.pprof, "pprof", "", "a folder for profiles of each sample: CPU meanwhile, and allocations since the start; the figures then count for less")
	flag.DurationVar(&o.soak, "soak", 0, "put a mixed load on Weir for so long, look whether it grows, and measure nothing else; results/NAME-soak.json is written")
	flag.StringVar(&o.env.Caddy, "caddy", "../bin/caddy-plain", "Caddy without modules")
	flag.StringVar(&o.env.Weir, "weir", "../bin/caddy", "Caddy with Weir")
	flag.StringVar(&o.env.Peers, "peers", "../bin/peers", "where scripts/peers has installed other gateways")
	flag.StringVar(&o.page, "page", "", "write a report, results/FILE.json, into "+page+" and measure nothing")
	upstream := flag.String("upstream", "", "be the upstream, at this address")
	flag.Parse()
	var err error
	switch {
	case *upstream != "":
		err = beUpstream(*upstream)
	case o.page != "":
		err = writePage(o.page)
	default:
		err = o.run()
	}
	if err != nil {
		log.Fatal(err)
	}
}

type options struct {
	profile, name, only, page string
	targets                   string
	rounds                    int
	each                      time.Duration
	pprof                     string
	soak                      time.Duration
	allocs                    float64
	env                       targets.Env
}

func writePage(path string) error {
	r, err := report.Read(path)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	if text, err = report.Splice(text, r.Markdown("../bench/results")); err != nil {
		return err
	}
	return os.WriteFile(page, text, 0o644)
}

func (o *options) run() error {
	i := slices.IndexFunc(profiles, func(p Profile) bool { return p.Name == o.profile })
	if i < 0 {
		return fmt.Errorf("no profile '%s'", o.profile)
	}
	profile := profiles[i]
	profile.Rounds = cmp.Or(o.rounds, profile.Rounds)
	profile.For = cmp.Or(o.each, profile.For)
	if o.pprof != "" {
		if err := os.MkdirAll(o.pprof, 0o755); err != nil {
			return err
		}
	}
	pinned, err := pin()
	if err != nil {
		return err
	}
	for _, path := range []*string{&o.env.Caddy, &o.env.Weir, &o.env.Peers} {
		if *path, err = filepath.Abs(*path); err != nil {
			return err
		}
	}
	if o.env.CPU = -1; pinned {
		o.env.CPU = targetCPU
	}
	if o.env.Dir, err = os.MkdirTemp("", "weir-bench-"); err != nil {
		return err
	}
	r := &runner{
		env: o.env, profile: profile, pprof: o.pprof, running: make(map[string]*targets.Process), noted: make(map[string]bool),
		end: time.Now().Add(profile.Budget),
		has: func(name string) bool {
			return !slices.Contains(profile.Without, name) && (o.targets == "" || slices.Contains(strings.Split(o.targets, ","), name))
		},
		rep: &report.Report{Name: o.name, Command: o.command(), Pinned: pinned, Titles: make(map[string]string), Absent: make(map[string]string)},
	}
	if !pinned {
		r.note("nothing is pinned: taskset or a second processor is missing")
	}
	var cleanup []func()
	defer func() {
		for _, p := range r.running {
			if p != nil {
				p.Stop()
			}
		}
		for _, f := range slices.Backward(cleanup) {
			f()
		}
		_ = os.RemoveAll(o.env.Dir)
	}()
	// After an interrupt the run ends with what it has.
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, syscall.SIGTERM)
	failed := make(chan error, 1)
	stop, err := r.beginUpstream()
	if err != nil {
		return err
	}
	cleanup = append(cleanup, stop)
	if stop, err = r.beginRedis(); err != nil {
		r.note("Redis: %v", err)
	} else if stop != nil {
		cleanup = append(cleanup, stop)
	}
	go func() {
		if o.soak > 0 {
			failed <- o.soakFor(r)
			return
		}
		failed <- r.all(o.only)
	}()
	select {
	case err = <-failed:
	case <-interrupted:
		return errors.New("interrupted")
	}
	if err != nil || o.soak > 0 {
		return err
	}
	return o.finish(r.rep)
}

// command is how the run can be repeated.
func (o *options) command() string {
	if made := map[string]string{"full": "make bench", "quick": "make bench-quick"}[o.profile]; made != "" && o.only == "" && o.targets == "" && o.rounds == 0 && o.each == 0 {
		return made
	}
	parts := []string{"cd bench && go run .", "-profile " + o.profile}
	if o.only != "" {
		parts = append(parts, "-only "+o.only)
	}
	if o.targets != "" {
		parts = append(parts, "-targets "+o.targets)
	}
	if o.each != 0 {
		parts = append(parts, fmt.Sprintf("-for %v", o.each))
	}
	if o.rounds != 0 {
		parts = append(parts, fmt.Sprintf("-rounds %d", o.rounds))
	}
	return strings.Join(parts, " ")
}

// all measures what is asked for.
func (r *runner) all(only string) error {
	r.describe()
	before, err := proc.Root.Load()
	if err != nil {
		return err
	}
	list := cases()
	wants := func(name string) bool { return only == "" || slices.Contains(strings.Split(only, ","), name) }
	list = slices.DeleteFunc(list, func(c *Case) bool { return !wants(c.name) || only == "" && slices.Contains(r.profile.Skip, c.name) })
	for _, t := range targets.All {
		r.rep.Titles[t.Name] = t.Title
	}
	for _, c := range list {
		r.rep.Titles[c.name] = c.title
		r.wanted(c) // starts them
	}
	log.Printf("%d targets run; at most %v", len(r.running), r.profile.Budget)
	// Open streams come first: rounds can be left out when time runs short.
	if wants("hold") {
		for _, name := range r.profile.Held {
			if r.has(name) {
				r.target(name)
			}
		}
		if err := r.hold(); err != nil {
			return err
		}
	}
	if err := r.rounds(list); err != nil {
		return err
	}
	for _, s := range r.rep.Samples {
		if !slices.Contains(r.rep.Cases, s.Case) {
			r.rep.Cases = append(r.rep.Cases, s.Case)
		}
	}
	after, err := proc.Root.Load()
	r.rep.Load = []float64{before, after}
	return err
}

// finish shows the report and writes it where that is asked for.
func (o *options) finish(rep *report.Report) error {
	fmt.Print(rep.Terminal())
	if _, _, quiet := rep.Noise(); !quiet {
		log.Print("the machine was NOT quiet: do not publish these figures")
	}
	if o.name != "" {
		if err := o.keep(rep); err != nil {
			return err
		}
	}
	if o.profile == "smoke" {
		if err := works(rep); err != nil {
			return err
		}
	}
	if got := rep.Span("chat-1k", "weir", report.Objects); o.allocs > 0 && (got.N == 0 || got.Median > o.allocs) {
		return fmt.Errorf("a full request of 1 KB allocates %.0f objects; %.0f are allowed", got.Median, o.allocs)
	}
	return nil
}

// works tells whether everything that is installed did what it should.
func works(rep *report.Report) error {
	for name, why := range rep.Absent {
		if strings.HasPrefix(why, broken) {
			return fmt.Errorf("%s %s", name, why)
		}
	}
	for _, value := range []string{report.Failed, report.Lost, report.Doubled, report.Reordered, report.Foreign, report.Broken} {
		if n, _ := rep.Total(value, func(string) bool { return true }); n > 0 {
			return fmt.Errorf("%s: %.0f", value, n)
		}
	}
	return nil
}

// keep writes the report and its plots.
func (o *options) keep(rep *report.Report) error {
	if err := os.MkdirAll("results", 0o755); err != nil {
		return err
	}
	base := filepath.Join("results", o.name)
	for _, p := range rep.Plots() {
		if err := os.WriteFile(base+"-"+p.Name+".svg", []byte(p.SVG()), 0o644); err != nil {
			return err
		}
	}
	log.Printf("written: %s.json and its plots", base)
	return rep.Write(base + ".json")
}
