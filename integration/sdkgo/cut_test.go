package sdkgo

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/weirproxy/weir/integration/weirtest"
	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/doors"
)

// endless is an upstream of op that ignores every cap: a text, or a call whose
// arguments never end. Where calls come whole, they never end.
func endless(op *wire.Operation, call bool) func(http.ResponseWriter, *weirtest.Request) {
	encoder := doors.Codec(op).StreamEncoder(&wire.Reply{ID: "x", Model: "m", Created: 1, InputTokens: 9})
	return func(w http.ResponseWriter, r *weirtest.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		send := func(events ...wire.Event) {
			var out []byte
			for i := range events {
				out = encoder.Encode(out, &events[i])
			}
			_, _ = w.Write(out)
			weirtest.Flush(w)
		}
		begin := func(i int) wire.Event {
			if !call {
				return wire.Event{Kind: wire.EventBlock, Index: i, Block: wire.TextBlock}
			}
			return wire.Event{Kind: wire.EventBlock, Index: i, Block: wire.CallBlock, ID: "call_" + strconv.Itoa(i), Name: "weather"}
		}
		send(wire.Event{Kind: wire.EventStart, ID: "id-1", Model: "m", Created: 1})
		whole := call && op == wire.GeminiGenerate
		if !whole {
			send(begin(0))
		}
		for i := range 2000 {
			switch {
			case whole:
				send(begin(i), wire.Event{Kind: wire.EventDelta, Index: i, Text: []byte(`{"city":"Kyiv"}`)}, wire.Event{Kind: wire.EventBlockEnd, Index: i})
			case call && i == 0:
				send(wire.Event{Kind: wire.EventDelta, Text: []byte(`{"city":"`)})
			default:
				send(wire.Event{Kind: wire.EventDelta, Text: []byte(" word" + strconv.Itoa(i))})
			}
		}
		<-r.Gone
	}
}

// TestCutThroughSDKs ends endless streams of every dialect at their cap, and
// lets the SDK of every dialect read what its client gets.
func TestCutThroughSDKs(t *testing.T) {
	t.Setenv("UPSTREAM_KEY", "sk-upstream")
	var answer func(http.ResponseWriter, *weirtest.Request)
	up := weirtest.NewUpstream(t, func(w http.ResponseWriter, r *weirtest.Request) { answer(w, r) })
	g := weirtest.Start(t, providers(up.URL), "ai_gateway {\nmax_output_tokens 1000\non_exceed cut\n}")
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	for _, client := range clients {
		for _, op := range []*wire.Operation{wire.Chat, wire.Responses, wire.Messages, wire.GeminiGenerate, wire.CohereChat} {
			for _, call := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%s/call=%v", client.op.Name, op.Name, call), func(t *testing.T) {
					answer = endless(op, call)
					got, err := client.ask(g, op.Name+"/"+modelOf(op), true)
					if err != nil {
						t.Fatal(err)
					}
					if call && len(got.Calls) == 0 || !call && (got.Finish != "length" || !strings.HasPrefix(got.Text, " word0 word1 word2")) {
						t.Errorf("finish %s, calls %q, text %q", got.Finish, got.Calls, got.Text)
					}
					if got.Usage.Input == 0 || got.Usage.Output <= 1000 || got.Usage.Output > 1500 {
						t.Errorf("usage %+v", got.Usage)
					}
				})
			}
		}
	}
}
