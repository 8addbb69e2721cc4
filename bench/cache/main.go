// Command cache measures what a kept answer costs in comparison with Caddy's
// static `respond`, what keeping answers adds to those that are not there yet,
// and what a thousand clients of one stream get. It writes docs/cache-performance.md.
// Caddy runs as separate processes, on a core of its own where taskset is there;
// all traffic stays on loopback. Run it at the top of the repository:
//
//	cd bench && go run ./cache
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/weirproxy/weir"
)

const page = "../docs/cache-performance.md"

// asCaddy, as the first argument, makes this program the Caddy that is measured.
const asCaddy = "caddy"

func main() {
	if len(os.Args) > 1 && os.Args[1] == asCaddy {
		os.Args = os.Args[1:]
		caddycmd.Main()
		return
	}
	if len(os.Args) == 4 && os.Args[1] == asLoop {
		log.Fatal(serveLoop(os.Args[2], os.Args[3]))
	}
	rounds := flag.Int("rounds", 7, "how often each comparison is made")
	slot := flag.Duration("slot", 400*time.Millisecond, "how long a load lasts")
	streams := flag.Int("streams", 1000, "clients of one stream; 0 leaves streams out")
	only := flag.String("only", "", "measure this alone (cached-hit, cached-miss-stream, fan-cached …) and write its profiles in place of the page")
	flag.Parse()
	if err := run(*rounds, *slot, *streams, *only); err != nil {
		log.Fatal(err)
	}
}

func run(rounds int, slot time.Duration, streams int, only string) error {
	dir, err := os.MkdirTemp("", "bench-cache")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	up, err := newUpstream()
	if err != nil {
		return err
	}
	defer up.close()
	rig, err := newRig(dir, up.addr)
	defer rig.stop()
	if err != nil {
		return err
	}
	if only != "" {
		return rig.profile(only, "cpu.prof", streams, up)
	}
	r := &report{machine: machine(), pinned: rig.pinned, rounds: rounds, slot: slot}
	for _, c := range comparisons {
		result, err := rig.compare(c, rounds, slot)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		r.compared = append(r.compared, result)
		fmt.Println(result.row())
	}
	if streams > 0 {
		for _, kind := range fanouts {
			result, err := rig.fan(kind, streams, up)
			if err != nil {
				return fmt.Errorf("%s: %w", kind.name, err)
			}
			r.fans = append(r.fans, result)
			fmt.Println(result.row())
		}
	}
	return os.WriteFile(page, r.page(), 0o644)
}
