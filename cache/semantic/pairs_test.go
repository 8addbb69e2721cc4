package semantic

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
)

// pair is two texts and whether one answer serves both.
type pair struct {
	same       bool
	category   string
	a, b       string
	similarity float32
}

// readPairs returns the labelled pairs of testdata/name.tsv, with the
// similarities of their vectors by MiniLM.
func readPairs(t testing.TB, name string) []pair {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + name + ".tsv")
	if err != nil {
		t.Fatal(err)
	}
	vectors := readVectors(t, "testdata/"+name+".f16")
	known := map[string][]float32{}
	vector := func(text string) []float32 {
		v, ok := known[text]
		if !ok {
			if len(known) == len(vectors) {
				t.Fatalf("%s has fewer vectors than texts: run scripts/semantic-vectors", name)
			}
			v = vectors[len(known)]
			known[text] = v
		}
		return v
	}
	var pairs []pair
	for line := range strings.Lines(string(raw)) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		f := strings.Split(line, "\t")
		if len(f) != 4 || f[0] != "same" && f[0] != "other" {
			t.Fatalf("%s: %q", name, line)
		}
		a, b := vector(f[2]), vector(f[3])
		pairs = append(pairs, pair{f[0] == "same", f[1], f[2], f[3], dot(a, b)})
	}
	if len(known) != len(vectors) {
		t.Fatalf("%s has %d vectors for %d texts: run scripts/semantic-vectors", name, len(vectors), len(known))
	}
	return pairs
}

func readVectors(t testing.TB, file string) [][]float32 {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, _ := bytes.Cut(raw, []byte("\n"))
	var n, dims int
	if _, err := fmt.Sscan(string(head), &n, &dims); err != nil || len(rest) != 2*n*dims {
		t.Fatalf("%s: head %q, %d bytes, %v", file, head, len(rest), err)
	}
	out := make([][]float32, n)
	for i := range out {
		v := make([]float32, dims)
		for j := range v {
			v[j] = half(binary.LittleEndian.Uint16(rest[2*(i*dims+j):]))
		}
		length := float32(norm(v))
		for j := range v {
			v[j] /= length
		}
		out[i] = v
	}
	return out
}

// half is an IEEE half float.
func half(h uint16) float32 {
	sign := 1 - 2*float64(h>>15)
	exponent, fraction := int(h>>10&31), float64(h&1023)
	if exponent == 0 {
		return float32(sign * math.Ldexp(fraction, -24))
	}
	return float32(sign * math.Ldexp(1024+fraction, exponent-25))
}
