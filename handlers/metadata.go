package handlers

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"github.com/weirproxy/weir/gateway/prices"
	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/openai"
)

// headerMetadata asks for the metadata event.
const headerMetadata = "X-Ai-Metadata"

func (c *call) wantsMetadata() bool {
	return c.proxy.StreamMetadata || strings.EqualFold(c.r.Header.Get(headerMetadata), "on")
}

// metadata is the event before a stream's terminator that tells what the
// stream was: for clients that cannot read headers that are not yet known
// when they are sent.
func (s *stream) metadata() []byte {
	c := s.call
	seen := s.told.Answer()
	if s.conversation != nil {
		wire.Identify(s.conversation.encoder, &seen)
	}
	now := c.proxy.gateway.Now()
	meta := append([]byte(nil), `{"request_id":`...)
	meta = jsonscan.AppendString(meta, c.id)
	meta = append(meta, `,"provider":`...)
	meta = jsonscan.AppendString(meta, c.x.Target.Provider)
	meta = append(meta, `,"model":`...)
	meta = jsonscan.AppendString(meta, c.x.Target.Model)
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
		{"continued", int64(s.told.Continued())},
	} {
		if n.name == "continued" && n.value == 0 {
			continue
		}
		meta = append(meta, `,"`...)
		meta = append(meta, n.name...)
		meta = append(meta, `":`...)
		meta = strconv.AppendInt(meta, n.value, 10)
	}
	if nano, ok := c.x.CostOf(seen.Usage); ok {
		meta = append(meta, `,"cost_usd":`...)
		meta = append(meta, prices.FormatUSD(nano)...)
	}
	meta = append(meta, '}')
	return c.door.AppendMetadata(nil, meta, &seen)
}

// eventEnd is what every event ends with that Weir itself has written.
var eventEnd = []byte("\n\n")

// withMetadata puts the metadata event before the last of events, the client's
// terminator; a translation may bring others with it. Gemini's has none.
func (s *stream) withMetadata(events []byte) []byte {
	at := 0
	switch {
	case s.call.route.Dialect == wire.Gemini:
		at = len(events)
	case s.conversation != nil, s.cut:
		if i := bytes.LastIndex(bytes.TrimRight(events, "\n"), eventEnd); i >= 0 {
			at = i + len(eventEnd)
		}
	}
	return slices.Concat(events[:at], s.metadata(), events[at:])
}

// cleanData is an event's data without padding around the end marker, which
// Node's SDK compares to the letter.
func cleanData(data []byte) []byte {
	if openai.IsDone(data) {
		return []byte("[DONE]")
	}
	return bytes.TrimRight(data, "\r")
}
