// Command routing simulates the policies of `lb_policy` over targets whose
// latency and quotas move, and writes the results into docs/routing.md and
// docs/routing.svg. It uses no clock and no network: the same seed gives the
// same pages. Run it in bench:
//
//	go run ./routing
package main

import (
	"bytes"
	"flag"
	"fmt"
	"log"
	"os"
	"strings"
)

const (
	page    = "../docs/routing.md"
	plot    = "../docs/routing.svg"
	seedOf  = 1 // the pages'
	opening = "<!-- the table below is written by bench/routing -->\n"
	closing = "<!-- the end of the table -->\n"
)

func main() {
	seed := flag.Uint64("seed", seedOf, "seed of the simulation")
	print := flag.Bool("print", false, "print the table and write no files")
	flag.Parse()
	results := runAll(*seed)
	if *print {
		fmt.Print(table(results))
		return
	}
	text, err := os.ReadFile(page)
	if err != nil {
		log.Fatal(err)
	}
	if text, err = splice(text, table(results)); err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(page, text, 0o644); err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(plot, []byte(drawing(results)), 0o644); err != nil {
		log.Fatal(err)
	}
}

func runAll(seed uint64) []Result {
	results := make([]Result, 0, len(contestants))
	for _, c := range contestants {
		results = append(results, Run(c, seed))
	}
	return results
}

// table renders results in Markdown.
func table(results []Result) string {
	var b strings.Builder
	b.WriteString("| Policy | p50 first token | p99 first token | 429s per 1,000 requests | failed | $ per 1,000 answers | warm prompt cache |\n")
	b.WriteString("|---|---:|---:|---:|---:|---:|---:|\n")
	for _, r := range results {
		fmt.Fprintf(&b, "| %s | %.2f s | %.2f s | %.1f | %.2f %% | %.2f | %.0f %% |\n",
			r.Name, r.P50.Seconds(), r.P99.Seconds(), 1000*r.Refused, 100*r.Failed, r.Cost, 100*r.Cached)
	}
	return b.String()
}

// splice puts the table into the page, between its marks.
func splice(text []byte, table string) ([]byte, error) {
	before, rest, ok1 := bytes.Cut(text, []byte(opening))
	_, after, ok2 := bytes.Cut(rest, []byte(closing))
	if !ok1 || !ok2 {
		return nil, fmt.Errorf("%s has no place for the table", page)
	}
	return bytes.Join([][]byte{before, []byte(opening), []byte("\n"), []byte(table), []byte("\n"), []byte(closing), after}, nil), nil
}
