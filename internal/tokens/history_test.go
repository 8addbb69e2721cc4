package tokens

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/weirproxy/weir/wire"
)

// history is a chat of 200 KB in 51 turns, the last of which changes with each
// call of next.
type history struct {
	body []byte
	at   int // where the last message's text begins
	n    uint64
	env  wire.Envelope
}

func newHistory(tb testing.TB) *history {
	tb.Helper()
	words := strings.Fields(`the of and to a in is it that for was on are as with they at be this have from or had by not but some what there
		gateway request response configuration latency func() return err != nil 2026 3.14 café naïve`)
	rng := rand.New(rand.NewPCG(1, 2))
	h := new(history)
	h.body = append(h.body, `{"model":"gpt-4o","max_tokens":512,"messages":[`...)
	for i := range 51 {
		if i > 0 {
			h.body = append(h.body, ',')
		}
		h.body = fmt.Appendf(h.body, `{"role":"%s","content":"`, [...]string{"user", "assistant"}[i%2])
		h.at = len(h.body)
		for len(h.body) < h.at+4000 {
			h.body = append(h.body, words[rng.IntN(len(words))]...)
			h.body = append(h.body, [...]string{" ", " ", " ", " ", " ", " ", ", ", ". ", " (", `\n`}[rng.IntN(10)]...)
		}
		h.body = append(h.body, `"}`...)
	}
	h.body = append(h.body, `]}`...)
	if err := h.env.Decode(wire.Chat, h.body); err != nil {
		tb.Fatal(err)
	}
	return h
}

// next writes eight letters at the beginning of the last message.
func (h *history) next() {
	h.n++
	binary.BigEndian.PutUint64(h.body[h.at:], h.n*0x9e3779b97f4a7c15&0x0f0f0f0f0f0f0f0f|0x6060606060606060)
}

// TestHistoryAllocates holds that a turn is counted in the memory that the turn
// before it was counted in.
func TestHistoryAllocates(t *testing.T) {
	if raceEnabled {
		return // the race detector has pools forget; scripts/go-test runs this without it
	}
	h, c := newHistory(t), new(Counter)
	if n := testing.AllocsPerRun(50, func() { h.next(); c.Count("gpt-4o", wire.Chat, &h.env) }); n > 0 {
		t.Errorf("%v allocations for a turn", n)
	}
}

func BenchmarkHistory(b *testing.B) {
	h, c := newHistory(b), new(Counter)
	c.Count("gpt-4o", wire.Chat, &h.env)
	for name, next := range map[string]func(){"a turn": h.next, "again": func() {}} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(h.body)))
			b.ReportAllocs()
			for b.Loop() {
				next()
				c.Count("gpt-4o", wire.Chat, &h.env)
			}
		})
	}
}
