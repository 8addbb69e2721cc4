package handlers

import (
	"strconv"
	"strings"

	"github.com/weirproxy/weir/gateway/prices"
	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/internal/replay"
	"github.com/weirproxy/weir/wire"
)

// headerMetadata asks for the metadata event.
const headerMetadata = "X-Ai-Metadata"

func (c *call) wantsMetadata() bool {
	return c.proxy.StreamMetadata || strings.EqualFold(c.r.Header.Get(headerMetadata), "on")
}

// metadata is the event before a stream's terminator that tells what the
// stream was.
func (s *stream) metadata() []byte {
	seen := s.told.Answer()
	if s.conversation != nil {
		wire.Identify(s.conversation.encoder, &seen)
	}
	cost, priced := s.call.x.CostOf(seen.Usage)
	if !priced {
		cost = -1
	}
	return s.call.metadata(&seen, cost, s.told.Continued())
}

// metadata is for clients that cannot read headers that are not yet known when
// they are sent. cost is in nano-dollars, -1 when it is not known.
func (c *call) metadata(seen *wire.Seen, cost int64, continued int) []byte {
	now := c.proxy.gateway.Now()
	meta := append([]byte(nil), `{"request_id":`...)
	meta = jsonscan.AppendString(meta, c.id)
	meta = append(meta, `,"provider":`...)
	meta = jsonscan.AppendString(meta, c.x.Target.Provider)
	meta = append(meta, `,"model":`...)
	meta = jsonscan.AppendString(meta, c.x.Target.Model)
	if c.x.Cache != "" {
		meta = append(meta, `,"cache":`...)
		meta = jsonscan.AppendString(meta, c.x.Cache)
	}
	for _, n := range []struct {
		name  string
		value int64
	}{
		{"attempts", int64(c.x.Attempts)},
		{"input_tokens", seen.Usage.Input},
		{"output_tokens", seen.Usage.Output},
		{"cached_tokens", seen.Usage.CacheRead},
		{"reasoning_tokens", seen.Usage.Reasoning},
		{"ttft_ms", c.x.Timings.FirstToken.Milliseconds()},
		{"total_ms", now.Sub(c.x.Start).Milliseconds()},
		{"continued", int64(continued)},
	} {
		if n.name == "continued" && n.value == 0 {
			continue
		}
		meta = append(meta, `,"`...)
		meta = append(meta, n.name...)
		meta = append(meta, `":`...)
		meta = strconv.AppendInt(meta, n.value, 10)
	}
	if cost >= 0 {
		meta = append(meta, `,"cost_usd":`...)
		meta = append(meta, prices.FormatUSD(cost)...)
	}
	meta = append(meta, '}')
	return c.door.AppendMetadata(nil, meta, seen)
}

// lastOf is where in events, which end a stream, the client's terminator begins; a
// translation may bring others with it.
func (s *stream) lastOf(events []byte) int {
	if s.conversation == nil && !s.cut && s.call.route.Dialect != wire.Gemini {
		return 0
	}
	return s.call.terminator(events)
}

// terminator is where the last of events, the client's terminator, begins.
// Gemini's streams have none.
func (c *call) terminator(events []byte) (at int) {
	if c.route.Dialect == wire.Gemini {
		return len(events)
	}
	for rest := events; len(rest) > 0; {
		var event []byte
		if event, rest = replay.Cut(rest); replay.HasData(event) {
			at = len(events) - len(rest) - len(event)
		}
	}
	return at
}
