package anthropic

import (
	"strings"

	"github.com/weirproxy/weir/wire"
)

// maxMarks is how many cache_control marks the vendor takes in a request.
const maxMarks = 4

// marks is which of the request's cache marks are sent. The last ones are,
// since they keep the longest prefixes. In the vendor's order, tools before
// system before messages, a mark of an hour must not follow one of five
// minutes; it becomes one of five minutes itself.
type marks map[*wire.CacheMark]string // how long; absent: left out

func planMarks(w *writer) marks {
	var order []*wire.CacheMark
	fixed := 0 // marks inside raw JSON
	for _, t := range w.tools {
		if t.Cache != nil {
			order = append(order, t.Cache)
		}
		fixed += strings.Count(t.Raw, `"cache_control"`)
	}
	walk := func(blocks []wire.Block) {
		for i := range blocks {
			if blocks[i].Cache != nil {
				order = append(order, blocks[i].Cache)
			}
			fixed += strings.Count(blocks[i].Raw, `"cache_control"`)
		}
	}
	for i := range w.req.System {
		if !blank(w.req.System[i].Text) {
			walk(w.req.System[i : i+1])
		}
	}
	for i := range w.messages {
		for j := range w.messages[i].Blocks {
			b := &w.messages[i].Blocks[j]
			if b.Result != nil {
				walk(b.Result.Content)
			}
			walk(w.messages[i].Blocks[j : j+1])
		}
	}
	if w.req.CacheAuto != nil {
		order = append(order, w.req.CacheAuto)
	}
	if len(order) == 0 {
		return nil
	}
	order = order[max(0, len(order)-max(0, maxMarks-fixed)):]
	plan := make(marks, len(order))
	short := false
	for _, mark := range order {
		ttl := mark.TTL
		if ttl != "1h" && ttl != "5m" {
			ttl = ""
		}
		if ttl == "1h" && short {
			ttl = "5m"
		}
		short = short || ttl != "1h"
		plan[mark] = ttl
	}
	return plan
}

// cacheMark writes a block's mark.
func (w *writer) cacheMark(mark *wire.CacheMark) {
	ttl, ok := w.marks[mark]
	if mark == nil || !ok {
		return
	}
	w.Key("cache_control")
	w.Object()
	w.Str("type", "ephemeral")
	w.StrIf("ttl", ttl)
	w.End()
}
