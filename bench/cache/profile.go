package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// profile loads one way to get an answer and writes the CPU profile meanwhile.
func (r *rig) profile(name, file string, clients int, up *upstream) error {
	for _, kind := range fanouts {
		if "fan-"+kind.ask.site != name || kind.one {
			continue
		}
		failed := make(chan error, 1)
		go func() { failed <- r.fetch(kind.ask.site, "profile?seconds=7", file) }()
		f, err := r.fan(kind, clients, up)
		if err != nil {
			return err
		}
		fmt.Println(f.row())
		return <-failed
	}
	for _, c := range comparisons {
		for _, side := range []ask{c.a, c.b} {
			if id := side.id(); id != name {
				continue
			}
			if side.cache == "hit" {
				side.cache = "miss"
				_, _ = closedLoop(side, r.of(side.site).sites[side.site], time.Now())
				side.cache = "hit"
			}
			failed := make(chan error, 1)
			go func() { failed <- r.fetch(side.site, "profile?seconds=6", file) }()
			s, err := r.load(side, busy, 7*time.Second)
			if err != nil {
				return err
			}
			fmt.Printf("%s: %v of CPU for each request, p50 %v\n", name, s.cpu, s.p50)
			if err := <-failed; err != nil {
				return err
			}
			return r.fetch(side.site, "allocs", "allocs."+file)
		}
	}
	return fmt.Errorf("nothing is called %s", name)
}

// id names an ask: respond, cached-hit-stream and the like.
func (a ask) id() string {
	id := a.site
	if a.cache != "" {
		id += "-" + a.cache
	}
	if a.stream {
		id += "-stream"
	}
	return id
}

func (r *rig) fetch(site, what, file string) error {
	res, err := http.Get("http://" + r.of(site).admin + "/debug/pprof/" + what)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, res.Body); err != nil {
		return err
	}
	return out.Close()
}
