package prices

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/weirproxy/weir/wire"
)

// some draws counts of all magnitudes, wrong ones too.
func some(r *rand.Rand) int64 {
	switch r.IntN(12) {
	case 0:
		return 0
	case 1:
		return math.MaxInt64
	case 2:
		return -r.Int64()
	case 3:
		return math.MinInt64
	}
	return r.Int64() >> r.IntN(63)
}

func anyUsage(r *rand.Rand) Usage {
	u := Usage{Service: []string{"", "batch", "flex", "priority", "default", "nonsense"}[r.IntN(6)]}
	for _, n := range counts(&u) {
		if r.IntN(2) == 0 {
			*n = some(r)
		}
	}
	return u
}

func counts(u *Usage) []*int64 {
	return []*int64{
		&u.Input, &u.Output, &u.CacheRead, &u.CacheWrite, &u.CacheWrite1h, &u.Reasoning, &u.AudioInput, &u.AudioOutput,
		&u.ImageInput, &u.ImageOutput, &u.Requests, &u.Images, &u.Milliseconds, &u.Characters, &u.Searches,
	}
}

func parts(c Cost) []int64 {
	return []int64{c.Input, c.Output, c.CacheRead, c.CacheWrite, c.Reasoning, c.Audio, c.Image, c.Other}
}

// anyPrice draws from the catalogue.
func anyPrice(r *rand.Rand, all []*Price) *Price { return all[r.IntN(len(all))] }

func TestCostIsTheSumOfItsParts(t *testing.T) {
	r, all := rand.New(rand.NewPCG(1, 2)), Default().All()
	for range 20_000 {
		p, u := anyPrice(r, all), anyUsage(r)
		c := p.Cost(u)
		sum := int64(0)
		for _, part := range parts(c) {
			if part < 0 {
				t.Fatalf("%s, %+v: a negative part in %+v", p.Name, u, c)
			}
			if sum += part; sum < 0 {
				sum = math.MaxInt64
				break
			}
		}
		if c.Total != sum {
			t.Fatalf("%s, %+v: total %d, want %d", p.Name, u, c.Total, sum)
		}
	}
}

// TestCostIsMonotone uses more of one thing and must not pay less. Prompt and
// answer are grown, not the parts that make them cheaper.
func TestCostIsMonotone(t *testing.T) {
	r, all := rand.New(rand.NewPCG(3, 4)), Default().All()
	for range 20_000 {
		p, u := anyPrice(r, all), anyUsage(r)
		for i, grow := range []func(*Usage, int64){
			func(u *Usage, by int64) { u.Input = add(max(u.Input, 0), by) },
			func(u *Usage, by int64) { u.Output = add(max(u.Output, 0), by) },
			func(u *Usage, by int64) { u.Requests = add(max(u.Requests, 0), by) },
			func(u *Usage, by int64) { u.Milliseconds = add(max(u.Milliseconds, 0), by) },
			func(u *Usage, by int64) { u.Searches = add(max(u.Searches, 0), by) },
		} {
			more := u
			// Audio and pictures are cut to what is not cached: as that grows,
			// what was cut comes back at its own, maybe lower, price.
			more.AudioInput, more.ImageInput, more.AudioOutput, more.ImageOutput = 0, 0, 0, 0
			less := more
			grow(&more, max(some(r), 0))
			if a, b := p.Cost(less).Total, p.Cost(more).Total; b < a {
				t.Fatalf("%s, growth %d: %+v costs %d, %+v costs %d", p.Name, i, less, a, more, b)
			}
		}
	}
}

// TestCostIsAdditive charges two requests of one tier and both at once: but
// for the rounding of each part they cost the same.
func TestCostIsAdditive(t *testing.T) {
	r, all := rand.New(rand.NewPCG(5, 6)), Default().All()
	for range 20_000 {
		p := anyPrice(r, all)
		draw := func() Usage {
			n := func(limit int64) int64 { return r.Int64N(limit) }
			u := Usage{CacheRead: n(1000), CacheWrite: n(1000), CacheWrite1h: n(1000), Reasoning: n(1000), Searches: n(3)}
			u.Input = u.CacheRead + u.CacheWrite + u.CacheWrite1h + n(10_000)
			u.Output = u.Reasoning + n(10_000)
			return u
		}
		a, b := draw(), draw()
		both := Usage{}
		for i, n := range counts(&both) {
			*n = *counts(&a)[i] + *counts(&b)[i]
		}
		apart := p.Cost(a).Total + p.Cost(b).Total
		together := p.Cost(both).Total
		if apart < together || apart > together+int64(items) {
			t.Fatalf("%s: apart %d, together %d", p.Name, apart, together)
		}
	}
}

func TestCostSaturates(t *testing.T) {
	p := parsed(t, "input", "1000", "output", "1000", "request", "1000", "search", "1000")
	u := Usage{}
	for _, n := range counts(&u) {
		*n = math.MaxInt64
	}
	if c := p.Cost(u); c.Total != math.MaxInt64 {
		t.Errorf("got %+v", c)
	}
	if got := p.UpperBound(math.MaxInt64, math.MaxInt64, math.MaxInt64); got != math.MaxInt64 {
		t.Errorf("bound %d", got)
	}
	for _, n := range counts(&u) {
		*n = math.MinInt64
	}
	if c := p.Cost(u); c.Total != 0 {
		t.Errorf("less than nothing: %+v", c)
	}
}

// TestUpperBoundHolds spends within a reservation in every way and must not
// pay more.
func TestUpperBoundHolds(t *testing.T) {
	r, all := rand.New(rand.NewPCG(7, 8)), Default().All()
	up := func(limit int64) int64 { return r.Int64N(limit + 1) }
	for range 50_000 {
		p := anyPrice(r, all)
		input, outputCap, n := up(500_000), up(50_000), 1+up(4)
		bound := p.UpperBoundAt("flex", input, outputCap, n)
		u := Usage{Input: up(input), Output: up(outputCap * n), Requests: up(1), Images: up(n)}
		u.CacheRead = up(u.Input)
		u.CacheWrite = up(u.Input - u.CacheRead)
		u.CacheWrite1h = up(u.Input - u.CacheRead - u.CacheWrite)
		u.AudioInput, u.ImageInput = up(u.Input), up(u.Input)
		u.Reasoning, u.AudioOutput, u.ImageOutput = up(u.Output), up(u.Output), up(u.Output)
		u.Service = []string{"", "flex"}[r.IntN(2)]
		if c := p.Cost(u); c.Total > bound {
			t.Fatalf("%s: bound %d, cost %+v of %+v", p.Name, bound, c, u)
		}
	}
}

// TestUpperBoundIsTight holds that a reservation is what its tokens cost, so that a
// budget for a hundred requests has room for a hundred.
func TestUpperBoundIsTight(t *testing.T) {
	for _, tt := range []struct {
		price               string
		input, outputCap, n int64
		want                int64 // nano-dollars
	}{
		{"input 2.50 output 10", 8, 20, 1, 8*2500 + 20*10_000},
		{"input 2.50 output 10 cache_read 1.25", 8, 20, 3, 8*2500 + 60*10_000},
		{"input 0.15 output 0.6 request 0.01 image 0.02", 1, 1, 2, 150 + 2*600 + 10_000_000 + 2*20_000_000},
		{"input 0.0375 output 0.15", 3, 1, 1, 113 + 5 + 150},            // any of six parts may be rounded up
		{"input 0.15 output 0.6 cache_read 0.0375", 1, 1, 1, 150 + 600}, // one at most
		{"input 0.15 output 0.6 reasoning 0.0001 cache_read 0.0001", 1, 1, 1, 150 + 600},
		{"input 1 output 10", 3, 2, 0, 3000 + 20_000}, // one choice
		{"input 1 output 10", -3, -2, 1, 0},
		{"free", 1000, 1000, 4, 0},
	} {
		p := parsed(t, strings.Fields(tt.price)...)
		if got := p.UpperBound(tt.input, tt.outputCap, tt.n); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.price, got, tt.want)
		}
	}
}

// TestUpperBoundOfServices holds that a reservation counts the tiers that the prompt
// reaches and the service that was asked for, and no others.
func TestUpperBoundOfServices(t *testing.T) {
	p := parsed(t, strings.Fields("input 1 output 10 above 100 input 2 output 20 service priority input 3 output 30 service batch input 0.5 output 5")...)
	for _, tt := range []struct {
		service string
		input   int64
		want    int64 // nano-dollars
	}{
		{"", 100, 100 * 1000},
		{"", 101, 101 * 2000},
		{"auto", 100, 100 * 1000},
		{"priority", 100, 100 * 3000},
		{"ON_DEMAND_PRIORITY", 100, 100 * 3000},
		{"batch", 100, 100 * 1000}, // it may be served at the standard one
		{"flex", 100, 100 * 1000},
	} {
		if got := p.UpperBoundAt(tt.service, tt.input, 0, 1); got != tt.want {
			t.Errorf("%d tokens at '%s': %d, want %d", tt.input, tt.service, got, tt.want)
		}
	}
}

func TestTiers(t *testing.T) {
	p := parsed(t, "input", "1", "output", "10", "cache_read", "0.1", "reasoning", "20",
		"above", "1000", "input", "2", "output", "15", "above", "2000", "input", "4",
		"service", "batch", "input", "0.5", "output", "5", "above", "1000", "input", "1",
		"service", "priority", "above", "1000", "input", "9")
	for _, tt := range []struct {
		name  string
		usage Usage
		want  int64 // nano-dollars
	}{
		{"below", Usage{Input: 1000}, 1000 * 1000},
		{"above", Usage{Input: 1001}, 1001 * 2000},
		{"the whole prompt counts", Usage{Input: 1001, CacheRead: 1001}, 1001 * 200},
		{"what was cached is a part of the prompt", Usage{Input: 1, CacheRead: 500, CacheWrite: 300, CacheWrite1h: 201}, 500*200 + 501*2000},
		{"output of a tier", Usage{Input: 1001, Output: 1}, 1001*2000 + 15_000},
		{"reasoning in proportion", Usage{Input: 1001, Output: 1, Reasoning: 1}, 1001*2000 + 30_000},
		{"highest tier", Usage{Input: 3000}, 3000 * 4000},
		{"output that a tier does not name, in proportion", Usage{Input: 3000, Output: 1}, 3000*4000 + 40_000},
		{"batch", Usage{Input: 1000, Output: 1, Service: "batch"}, 1000*500 + 5000},
		{"batch, cached in proportion", Usage{Input: 1000, CacheRead: 1000, Service: "batch"}, 1000 * 50},
		{"batch, above", Usage{Input: 1001, Service: "BATCH"}, 1001 * 1000},
		{"flex is not priced apart", Usage{Input: 1000, Service: "flex"}, 1000 * 1000},
		{"priority, above only", Usage{Input: 1000, Service: "priority"}, 1000 * 1000},
		{"priority, above", Usage{Input: 1001, Service: "priority"}, 1001 * 9000},
		{"auto", Usage{Input: 1000, Service: "auto"}, 1000 * 1000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if c := p.Cost(tt.usage); c.Total != tt.want {
				t.Errorf("got %+v, want %d", c, tt.want)
			}
		})
	}
}

func TestPartsBeyondTheirWhole(t *testing.T) {
	p := parsed(t, "input", "1", "output", "10", "cache_read", "0.1", "audio_input", "5")
	for _, tt := range []struct {
		name  string
		usage Usage
		want  int64
	}{
		{"cache beyond input is charged", Usage{Input: 10, CacheRead: 100}, 100 * 100},
		{"reasoning beyond output is charged", Usage{Output: 1, Reasoning: 100}, 100 * 10_000},
		{"audio in the cache is not charged twice", Usage{Input: 100, CacheRead: 100, AudioInput: 100}, 100 * 100},
		{"a fraction is rounded up", Usage{Input: 0, CacheRead: 1}, 100},
	} {
		if c := p.Cost(tt.usage); c.Total != tt.want {
			t.Errorf("%s: got %+v, want %d", tt.name, c, tt.want)
		}
	}
	for _, tt := range []struct {
		price string
		usage Usage
		want  int64
	}{
		{"input 1 image 0.04", Usage{Input: 1, Output: 5}, 1000}, // output is no kind of input
		{"input 0 output 10 cache_read 0.1 above 1000 output 15", Usage{Input: 1001, CacheRead: 1001}, 1001 * 100},
		{"input 0.004 output 0", Usage{Input: 1 << 62}, math.MaxInt64},
	} {
		if c := parsed(t, strings.Fields(tt.price)...).Cost(tt.usage); c.Total != tt.want {
			t.Errorf("%s: got %+v, want %d", tt.price, c, tt.want)
		}
	}
	tiny := parsed(t, "input", "0.0000001", "output", "0")
	if c := tiny.Cost(Usage{Input: 1}); c.Total != 1 {
		t.Errorf("less than a nano-dollar: %+v", c)
	}
}

func TestFromReport(t *testing.T) {
	got := FromReport(&wire.Report{
		Usage: wire.Usage{Input: 100, Output: 50, CacheRead: 10, CacheWrite: 30, Reasoning: 5},
		Details: wire.Details{
			InputAudio: 1, OutputAudio: 2, InputImage: 3, OutputImage: 6, CacheWrite5m: 10, CacheWrite1h: 20, WebSearches: 4, Milliseconds: 7, ServiceTier: "flex",
		},
	})
	want := Usage{
		Input: 100, Output: 50, CacheRead: 10, CacheWrite: 10, CacheWrite1h: 20, Reasoning: 5,
		AudioInput: 1, AudioOutput: 2, ImageInput: 3, ImageOutput: 6, Searches: 4, Milliseconds: 7, Service: "flex",
	}
	if got != want {
		t.Errorf("got %+v", got)
	}
}

func BenchmarkCost(b *testing.B) {
	price, _ := Default().Find("anthropic", "claude-sonnet-4-5", now)
	u := Usage{Input: 66_000, CacheRead: 50_000, CacheWrite: 10_000, Output: 2000}
	b.ReportAllocs()
	for b.Loop() {
		_ = price.Cost(u)
	}
}

func BenchmarkFind(b *testing.B) {
	c := Default()
	b.ReportAllocs()
	for b.Loop() {
		_, _ = c.Find("openai", "gpt-4o-mini", now)
	}
}

func BenchmarkRead(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Read(embedded); err != nil {
			b.Fatal(err)
		}
	}
}
