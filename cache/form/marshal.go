package form

import (
	"encoding/binary"

	"github.com/weirproxy/weir/wire"
)

// version is the first byte of every encoding. Another one is another cache's,
// and its answers are misses.
const version = 2

// Marshal encodes a canonical answer with all that it holds. Every structure is
// a mask of the members that are not zero, the low bit first, and then those
// members: numbers as varints, texts and lists with their length before them.
func Marshal(res *wire.Response) []byte {
	w := writer{b: make([]byte, 0, 512)}
	w.b = append(w.b, version)
	w.response(res)
	return w.b
}

// writer appends an encoding.
type writer struct{ b []byte }

func (w *writer) uint(n uint64) { w.b = binary.AppendUvarint(w.b, n) }
func (w *writer) int(n int64)   { w.b = binary.AppendVarint(w.b, n) }
func (w *writer) text(s string) { w.uint(uint64(len(s))); w.b = append(w.b, s...) }
func has(bit int, yes bool) uint64 { // a mask of one bit
	if yes {
		return 1 << bit
	}
	return 0
}

// texts writes those that are not empty, behind a mask of them and of more.
func (w *writer) texts(more uint64, texts ...string) {
	mask := more << len(texts)
	for i, s := range texts {
		mask |= has(i, s != "")
	}
	w.uint(mask)
	for _, s := range texts {
		if s != "" {
			w.text(s)
		}
	}
}

// ints writes those that are not 0, behind a mask of them and of more.
func (w *writer) ints(more uint64, ints ...int64) {
	mask := more << len(ints)
	for i, n := range ints {
		mask |= has(i, n != 0)
	}
	w.uint(mask)
	for _, n := range ints {
		if n != 0 {
			w.int(n)
		}
	}
}

func (w *writer) response(res *wire.Response) {
	w.texts(has(0, res.Created != 0)|has(1, res.Failure != nil), res.ID, res.Model, res.ServiceTier, res.Fingerprint)
	if res.Created != 0 {
		w.int(res.Created)
	}
	if res.Failure != nil {
		w.failure(res.Failure)
	}
	w.report(&res.Usage)
	w.uint(uint64(len(res.Choices)))
	for i := range res.Choices {
		w.choice(&res.Choices[i])
	}
}

func (w *writer) failure(f *wire.Failure) {
	w.uint(uint64(f.Kind))
	w.texts(0, f.Message, f.Param, f.Details, f.RequestID)
	w.int(int64(f.RetryAfter))
}

func (w *writer) report(r *wire.Report) {
	var counts [counters]int64
	for i, n := range countersOf(r) {
		counts[i] = *n
	}
	w.ints(has(0, r.Reported)|has(1, r.ServiceTier != ""), counts[:]...)
	if r.ServiceTier != "" {
		w.text(r.ServiceTier)
	}
}

// counters is the number of counters of a report.
const counters = 17

// countersOf are the counters of a report, in the order of the encoding.
func countersOf(r *wire.Report) [counters]*int64 {
	return [...]*int64{
		&r.Input, &r.Output, &r.CacheRead, &r.CacheWrite, &r.Reasoning,
		&r.InputAudio, &r.OutputAudio, &r.InputImage, &r.CacheWrite5m, &r.CacheWrite1h,
		&r.AcceptedPrediction, &r.RejectedPrediction, &r.ToolInput, &r.WebSearches, &r.WebFetches,
		&r.OutputImage, &r.Milliseconds,
	}
}

func (w *writer) choice(c *wire.Choice) {
	w.texts(0, c.Native, c.StopString, c.Explanation, c.LogProbs)
	w.int(int64(c.Index))
	w.uint(uint64(c.Finish))
	w.blocks(c.Blocks)
}

func (w *writer) blocks(list []wire.Block) {
	w.uint(uint64(len(list)))
	for i := range list {
		w.block(&list[i])
	}
}

func (w *writer) block(b *wire.Block) {
	w.uint(uint64(b.Type))
	w.texts(
		has(0, b.Media != nil)|has(1, b.Call != nil)|has(2, b.Result != nil)|has(3, b.Cache != nil)|has(4, len(b.Citations) > 0),
		b.Text, b.Signature, string(b.Vendor), b.ID, b.Raw,
	)
	if m := b.Media; m != nil {
		w.texts(has(0, m.Cite), m.MIME, m.Data, m.URL, m.FileID, m.Name, m.Detail, m.Text)
	}
	if c := b.Call; c != nil {
		w.texts(has(0, c.Custom), c.ID, c.Name, c.Arguments)
	}
	if r := b.Result; r != nil {
		w.texts(has(0, r.IsError)|has(1, r.Custom), r.CallID, r.Name)
		w.blocks(r.Content)
	}
	if b.Cache != nil {
		w.text(b.Cache.TTL)
	}
	if len(b.Citations) > 0 {
		w.uint(uint64(len(b.Citations)))
		for i := range b.Citations {
			c := &b.Citations[i]
			w.texts(0, c.URL, c.Title, c.Text)
			w.ints(0, c.Start, c.End)
		}
	}
}
