package report

import (
	"fmt"

	"github.com/weirproxy/weir/bench/load"
)

// Gate is one row of what the benchmark is to show.
type Gate struct {
	Row       string
	Figure    string
	Gate, Aim float64
	Unit      string // "×" is of Caddy's reverse_proxy in the same round
	Got       float64
	Min, Max  float64 // over rounds
	Known     bool    // measured in this run
	Why       string  // why not
	Aside     string  // what else is to be known
}

// Passes tells whether the figure is within the gate.
func (g *Gate) Passes() bool { return g.Known && g.Got <= g.Gate }

// Reaches tells whether the figure is what is aimed for.
func (g *Gate) Reaches() bool { return g.Known && g.Got <= g.Aim }

const missing = "not measured in this run"

// Gates are all rows with what this run has found.
func (r *Report) Gates() []Gate {
	x := func(row, figure string, gate, aim float64, name, entry, value string) Gate {
		s := r.Ratio(name, entry, value)
		return Gate{row, figure, gate, aim, "×", s.Median, s.Min, s.Max, s.N > 0, missing, ""}
	}
	abs := func(row, figure string, gate, aim float64, unit, name, entry, value string, scale float64) Gate {
		s := r.Span(name, entry, value)
		return Gate{row, figure, gate, aim, unit, s.Median * scale, s.Min * scale, s.Max * scale, s.N > 0, missing, ""}
	}
	// more is by how much one entry's ratio exceeds another's.
	more := func(row, figure string, gate, aim float64, name, entry, than string) Gate {
		a, b := r.Ratio(name, entry, CPU), r.Ratio(name, than, CPU)
		return Gate{row, figure, gate, aim, "× more", a.Median - b.Median, a.Min - b.Max, a.Max - b.Min, a.N > 0 && b.N > 0, missing, ""}
	}
	gates := []Gate{
		x("1", "CPU per request, chat 1 KB, full", 0.80, 0.65, "chat-1k", "weir", CPU),
		x("2", "… with usage journal and access log", 1.00, 0.80, "chat-1k", "weir-records", CPU),
		x("3", "CPU per request, 20 KB, full", 0.85, 0.70, "chat-20k", "weir", CPU),
		x("3", "CPU per request, 200 KB, full", 1.05, 0.80, "chat-200k", "weir", CPU),
		x("4", "translated, 1 KB", 1.3, 1.0, "translated-1k", "weir translated", CPU),
		x("4", "translated, 20 KB", 2, 1.5, "chat-20k", "weir translated", CPU),
		x("4", "translated, 200 KB", 5, 3, "chat-200k", "weir translated", CPU),
		more("5", "exact count of 200 KB, all but the last turn seen", 0.15, 0.05, "history", "weir-exact", "weir-count"),
		x("6", "CPU per chunk, full", 1.10, 0.90, "chunks", "weir", ChunkCPU),
		x("6", "CPU per chunk, translated", 1.6, 1.3, "chunks", "weir translated", ChunkCPU),
		x("7", "chunk delay at 10,000 chunks/s, p50", 1.2, 1.2, "chunks", "weir", Delay50),
		x("7", "chunk delay at 10,000 chunks/s, p99", 1.2, 0.5, "chunks", "weir", Delay99),
		r.addedFirst(),
		x("9", "kept answer, 1 KB", 0.45, 0.35, "cached-1k", "weir hit", CPU),
		x("9", "kept answer, 20 KB", 0.45, 0.35, "cached-20k", "weir hit", CPU),
		abs("10", "memory per open stream at 5,000", 80, 60, " KB", "hold-5000", "weir", PerStream, 1),
		abs("11", "9,500 streams: broken", 0, 0, "", "hold-9500", "weir", Broken, 1),
		abs("11", "9,500 streams: memory", 800, 600, " MB", "hold-9500", "weir", RSS, 1.0/1024),
		abs("12", "5,000 clients hang up: the upstream sees the last go after", 0.5, 0.2, " s", "hang-up-5000", "weir", GoneAfter, 1e-6),
		abs("13", "allocations per request, full, 1 KB", 180, 130, "", "chat-1k", "weir", Objects, 1),
		abs("13", "bytes allocated per request, full, 1 KB", 22, 15, " KB", "chat-1k", "weir", Bytes, 1.0/1024),
		x("14", "refused: bad key", 0.35, 0.30, "refused", "bad key", CPU),
		x("14", "refused: over a limit", 0.35, 0.30, "refused", "over limit", CPU),
		more("15", "limits in Redis", 0.35, 0.2, "chat-1k", "weir-redis", "weir"),
		more("15", "limits leased from Redis", 0.35, 0.2, "chat-1k", "weir-leased", "weir"),
	}
	gates = append(gates, r.integrity()...)
	return append(gates, r.Soak.gate())
}

// addedFirst is what Weir adds to the time to the first token, divided by what
// Caddy adds, both to that without a gateway in the same round.
func (r *Report) addedFirst() Gate {
	g := Gate{Row: "8", Figure: "added time to first token, p50, 50 streams", Gate: 1.0, Aim: 0.5, Unit: "×", Why: missing}
	direct, caddy, weir := r.byRound("chunks", "direct", First50), r.byRound("chunks", Baseline, First50), r.byRound("chunks", "weir", First50)
	added := func(of map[int]float64) map[int]float64 {
		out := make(map[int]float64)
		for round, v := range of {
			if own, ok := direct[round]; ok {
				out[round] = v - own
			}
		}
		return out
	}
	base := added(caddy)
	for round, v := range base {
		if v <= 0 {
			g.Why = fmt.Sprintf("Caddy added nothing measurable (%.0f µs beside %.0f µs)", caddy[round], direct[round])
			delete(base, round)
		}
	}
	if s := load.SpanOf(load.Ratios(added(weir), base)); s.N > 0 {
		g.Got, g.Min, g.Max, g.Known = s.Median, s.Min, s.Max, true
	}
	return g
}

// integrity adds up what was wrong with Weir's streams.
func (r *Report) integrity() []Gate {
	weir := func(entry string) bool { return len(entry) >= 4 && entry[:4] == "weir" }
	var gates []Gate
	for _, v := range []struct{ figure, value string }{
		{"chunks lost", Lost},
		{"chunks doubled", Doubled},
		{"chunks reordered", Reordered},
		{"chunks of other streams", Foreign},
		{"chunks held back for longer than the gap between two", Late},
	} {
		sum, found := r.Total(v.value, weir)
		aside := ""
		if own, _ := r.Total(v.value, func(entry string) bool { return entry == "direct" }); own > 0 {
			aside = fmt.Sprintf("without a gateway: %.0f", own)
		}
		gates = append(gates, Gate{"16", v.figure, 0, 0, "", sum, sum, sum, found, missing, aside})
	}
	return gates
}
