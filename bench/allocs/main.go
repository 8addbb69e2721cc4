// Command allocs runs the benchmarks of packages and holds their allocations to
// those in baseline.txt: figures that are the same on every machine. It never
// looks at times. Run it in bench:
//
//	go run ./allocs            compares; the output is also for benchstat
//	go run ./allocs -update    writes baseline.txt
package main

import (
	"bytes"
	"flag"
	"fmt"
	"log"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

const baseline = "allocs/baseline.txt"

// packages have benchmarks of what each request or event passes, whose
// allocations do not depend on luck.
var packages = []string{
	"./internal/sse", "./internal/jsonscan", "./internal/eventstream", "./internal/seam",
	"./wire/doors", "./wire/openai", "./wire/anthropic", "./wire/responses", "./wire/gemini", "./wire/bedrock", "./wire/cohere",
	"./gateway/balance", "./gateway/keys", "./gateway/prices", "./stores/memory", "./cache/form",
}

// figures are what one benchmark allocates in an operation.
type figures struct {
	objects, bytes int64
}

func main() {
	log.SetFlags(0)
	update := flag.Bool("update", false, "write "+baseline)
	flag.Parse()
	args := append([]string{"-C", "..", "test", "-run", "^$", "-bench", ".", "-benchmem", "-benchtime", "100x"}, packages...)
	cmd := exec.Command("go", args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		_, _ = os.Stdout.Write(out)
		log.Fatalf("running the benchmarks: %v", err)
	}
	now := parse(out)
	if len(now) == 0 {
		log.Fatal("no benchmark ran")
	}
	if *update {
		if err := os.WriteFile(baseline, write(now), 0o644); err != nil {
			log.Fatal(err)
		}
		return
	}
	raw, err := os.ReadFile(baseline)
	if err != nil {
		log.Fatal(err)
	}
	_, _ = os.Stdout.Write(write(now))
	if worse := compare(parse(raw), now); len(worse) > 0 {
		log.Fatalf("\n%s\nif that is meant: go run ./allocs -update", strings.Join(worse, "\n"))
	}
}

// parse reads the output of go test; names are those of packages and benchmarks,
// without the number of processors.
func parse(out []byte) map[string]figures {
	found := make(map[string]figures)
	pkg := ""
	for line := range bytes.Lines(out) {
		f := strings.Fields(string(line))
		if len(f) == 2 && f[0] == "pkg:" {
			pkg = f[1]
		}
		if len(f) < 4 || !strings.HasPrefix(f[0], "Benchmark") {
			continue
		}
		name := f[0]
		if i := strings.LastIndexByte(name, '-'); i > 0 {
			if _, err := strconv.Atoi(name[i+1:]); err == nil {
				name = name[:i]
			}
		}
		var g figures
		has := false
		for i := 3; i < len(f); i += 2 {
			n, err := strconv.ParseInt(f[i-1], 10, 64)
			if err != nil {
				continue
			}
			switch f[i] {
			case "allocs/op":
				g.objects, has = n, true
			case "B/op":
				g.bytes = n
			}
		}
		if has {
			found[pkg+" "+name] = g
		}
	}
	return found
}

// write is a file that parse and benchstat read.
func write(all map[string]figures) []byte {
	var b bytes.Buffer
	last := ""
	for _, name := range slices.Sorted(maps.Keys(all)) {
		pkg, bench, _ := strings.Cut(name, " ")
		if pkg != last {
			fmt.Fprintf(&b, "pkg: %s\n", pkg)
			last = pkg
		}
		fmt.Fprintf(&b, "%s 1 %d B/op %d allocs/op\n", bench, all[name].bytes, all[name].objects)
	}
	return b.Bytes()
}

// compare names what allocates more than it did. Pools and maps that grow make
// the number of bytes differ a little from run to run.
func compare(before, now map[string]figures) (worse []string) {
	for _, name := range slices.Sorted(maps.Keys(before)) {
		was := before[name]
		is, ok := now[name]
		switch {
		case !ok:
			worse = append(worse, name+" is gone")
		case is.objects > was.objects+was.objects/50:
			worse = append(worse, fmt.Sprintf("%s: %d allocations, not %d", name, is.objects, was.objects))
		case is.bytes > was.bytes+was.bytes/4+256:
			worse = append(worse, fmt.Sprintf("%s: %d bytes, not %d", name, is.bytes, was.bytes))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if _, ok := before[name]; !ok {
			worse = append(worse, name+" is not in "+baseline)
		}
	}
	return worse
}
