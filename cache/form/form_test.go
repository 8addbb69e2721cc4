package form_test

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/weirproxy/weir/cache"
	"github.com/weirproxy/weir/cache/form"
	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/doors"
	"github.com/weirproxy/weir/wire/wiretest"
	"github.com/weirproxy/weir/wire/wiretest/recorded"
)

// clients are the conversations that clients may hold.
var clients = []*wire.Operation{wire.Chat, wire.Completions, wire.Responses, wire.Messages, wire.GeminiGenerate}

func isClient(op *wire.Operation) bool {
	for _, c := range clients {
		if c == op {
			return true
		}
	}
	return false
}

func recordings(t testing.TB) []*recorded.Recording {
	return recorded.All(t, filepath.Join("..", "..", "integration", "testdata", "fixtures"))
}

// kept is a recording as the cache keeps it, of an upstream whose client spoke
// its dialect.
func kept(rec *recorded.Recording) *cache.Answer {
	return &cache.Answer{
		Model: "m", Usage: usageOf(rec), Form: cache.Form{Operation: rec.Op, Stream: rec.Stream, Usage: true, Body: rec.Answer},
	}
}

func usageOf(rec *recorded.Recording) wire.Usage {
	res, _ := rec.Decode(0)
	if res == nil {
		return wire.Usage{}
	}
	return res.Usage.Usage
}

// complete are the recordings that are good answers.
func complete(t *testing.T) (list []*recorded.Recording) {
	for _, rec := range recordings(t) {
		res, err := rec.Decode(0)
		if err != nil || res.Failure != nil || len(res.Choices) == 0 || res.Choices[0].Finish == wire.FinishNone {
			continue
		}
		list = append(list, rec)
	}
	return list
}

func want(op *wire.Operation, stream bool) form.Want {
	return form.Want{Operation: op, Stream: stream, Usage: true, ID: "abc", Created: 1700000000}
}

func read(t *testing.T, f cache.Form) *wire.Response {
	t.Helper()
	codec := doors.Codec(f.Operation)
	if !f.Stream {
		res, err := codec.DecodeResponse(f.Body)
		if err != nil {
			t.Fatalf("%v in %s", err, f.Body)
		}
		return res
	}
	res, _, err := wiretest.Collect(codec.StreamDecoder(), f.Body, 0)
	if err != nil {
		t.Fatalf("%v in %s", err, f.Body)
	}
	return res
}

// same compares canonical answers of one dialect. Which texts are one block, and
// how JSON is spelled, means nothing.
func same(op *wire.Operation, first, second *wire.Response) string {
	return cmp.Diff(plain(op, first), plain(op, second), cmpopts.EquateEmpty())
}

func plain(op *wire.Operation, res *wire.Response) *wire.Response {
	p := *res
	p.Fingerprint = "" // chunks have none
	p.Choices = nil
	p.ServiceTier, p.Usage.ServiceTier = "", "" // a default is named where the vendor names none
	// What the vendor's own report says besides the counters that Weir keeps.
	p.Usage.Reported = false
	p.Usage.CacheWrite5m, p.Usage.WebSearches, p.Usage.WebFetches = 0, 0, 0
	if p.Created == 0 {
		p.Created = 1700000000
	}
	if op == wire.Messages || op == wire.GeminiGenerate {
		p.Created = 0
	}
	for _, c := range res.Choices {
		c.LogProbs = canonicalProbs(c.LogProbs)
		var blocks []wire.Block
		for _, b := range c.Blocks {
			if b.Call != nil {
				call := *b.Call
				call.ID, _, _ = strings.Cut(call.ID, "__thought__")
				if call.ID == "" || strings.HasPrefix(call.ID, "call_abc_") {
					call.ID = "made"
				}
				if !call.Custom {
					call.Arguments = recorded.CanonicalJSON(call.Arguments)
				}
				b.Call = &call
			}
			switch {
			case op != wire.Responses || b.Signature == "":
			case b.Type == wire.ThinkingBlock && b.ID == "text", b.Type == wire.TextBlock:
				// A stream's reader has no text left that an item of its own signs.
				if b.Signature, b.Vendor = "", ""; b.Type == wire.ThinkingBlock {
					continue
				}
			default:
				b.ID = ""
				b.Signature = "encrypted anew in every event"
			}
			if b.Raw != "" {
				b.Raw = recorded.CanonicalJSON(b.Raw)
			}
			if n := len(blocks); n > 0 && blocks[n-1].Type == b.Type && (b.Type == wire.TextBlock || b.Type == wire.ThinkingBlock || b.Type == wire.RefusalBlock) && blocks[n-1].Signature == "" {
				last := &blocks[n-1]
				last.Text += b.Text
				last.Citations = append(last.Citations, b.Citations...)
				last.Signature, last.Vendor, last.ID = b.Signature, b.Vendor, b.ID
				continue
			}
			blocks = append(blocks, b)
		}
		if op == wire.Chat { // a whole message has its thinking in one place
			slices.SortStableFunc(blocks, func(a, b wire.Block) int { return thinks(b) - thinks(a) })
		}
		c.Blocks = blocks
		p.Choices = append(p.Choices, c)
	}
	return &p
}

func thinks(b wire.Block) int {
	if b.Type == wire.ThinkingBlock || b.Type == wire.RedactedBlock {
		return 1
	}
	return 0
}

func canonicalProbs(raw string) string {
	if raw == "" {
		return ""
	}
	return strings.ReplaceAll(recorded.CanonicalJSON(raw), `,"refusal":null`, "")
}

// TestThereAndBack makes streams of whole answers, and whole answers of streams,
// and the reverse of that: it is the same answer all the time.
func TestThereAndBack(t *testing.T) {
	done := 0
	for _, rec := range complete(t) {
		if !isClient(rec.Op) || strings.Contains(rec.Name, "mcp-list-tools") { // whose events are not what its end says
			continue
		}
		t.Run(rec.Name, func(t *testing.T) {
			first := read(t, kept(rec).Form)
			other, err := form.Convert(kept(rec), want(rec.Op, !rec.Stream))
			if errors.Is(err, form.ErrLoses) {
				t.Log(err) // which is what it is to say
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if other.Operation != rec.Op || other.Stream == rec.Stream {
				t.Fatalf("got %v, stream %t", other.Operation, other.Stream)
			}
			done++
			checkForm(t, other)
			if diff := same(rec.Op, first, read(t, other)); diff != "" {
				t.Errorf("there: %s\n%s", diff, other.Body)
			}
			a := *kept(rec)
			a.Form = other
			back, err := form.Convert(&a, want(rec.Op, rec.Stream))
			if err != nil {
				t.Fatal(err)
			}
			checkForm(t, back)
			if rec.Op == wire.Responses && !rec.Stream && nobodys(t, back.Body) != nobodys(t, rec.Answer) {
				t.Errorf("back: %s\nnot %s", back.Body, rec.Answer)
			}
			if diff := same(rec.Op, first, read(t, back)); diff != "" {
				t.Errorf("back: %s\n%s", diff, back.Body)
			}
		})
	}
	if done < 180 {
		t.Errorf("only %d answers", done)
	}
}

// nobodys is a response without what repeats the request.
func nobodys(t *testing.T, body []byte) string {
	t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"metadata", "user", "safety_identifier", "prompt_cache_key", "instructions"} {
		delete(members, name)
	}
	out, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// TestAcrossDialects compares what is made of kept answers with what the
// translation of the upstream's answer gives.
func TestAcrossDialects(t *testing.T) {
	done := 0
	for _, rec := range complete(t) {
		res, err := rec.Decode(0)
		if err != nil {
			t.Fatal(err)
		}
		for _, client := range clients {
			if client == rec.Op {
				continue
			}
			t.Run(rec.Name+"/"+client.Name, func(t *testing.T) {
				a := kept(rec)
				if !isClient(rec.Op) { // its client got it translated
					a.Form = cache.Form{Operation: wire.Chat, Body: []byte(`{}`)}
					if client == wire.Chat {
						a.Form.Operation = wire.Messages
					}
					a.Canonical = form.Marshal(res)
				}
				whole, err := form.Convert(a, want(client, false))
				if errors.Is(err, form.ErrLoses) {
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				done++
				codec := doors.Codec(client)
				reply := &wire.Reply{Request: &wire.Request{IncludeUsage: true}, ID: "abc", Created: 1700000000, Model: "m", InputTokens: res.Usage.Input}
				if live := codec.EncodeResponse(nil, res, reply); string(live) != string(whole.Body) {
					t.Errorf("whole: %s\nlive: %s", whole.Body, live)
				}
				checkForm(t, whole)
				stream, err := form.Convert(a, want(client, true))
				if errors.Is(err, form.ErrLoses) {
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				checkForm(t, stream)
				if diff := same(client, uncited(read(t, liveStream(t, rec, client, whole, reply))), uncited(read(t, stream))); diff != "" {
					t.Errorf("stream: %s\n%s", diff, stream.Body)
				}
				if diff := recorded.MeaningOf(res, 0).Diff(recorded.MeaningOf(read(t, stream), 0)); diff != "" && client != wire.Completions {
					t.Errorf("meaning: %s\n%s", diff, stream.Body)
				}
			})
		}
	}
	if done < 600 {
		t.Errorf("only %d translations", done)
	}
}

// uncited leaves out sources, which a live stream may give before there is a
// text that they could stand behind.
func uncited(res *wire.Response) *wire.Response {
	for i := range res.Choices {
		for j := range res.Choices[i].Blocks {
			res.Choices[i].Blocks[j].Citations = nil
		}
	}
	return res
}

// liveStream is what the client would have got of a streamed answer, or what it
// would have got whole.
func liveStream(t *testing.T, rec *recorded.Recording, client *wire.Operation, whole cache.Form, reply *wire.Reply) cache.Form {
	if !rec.Stream {
		return whole
	}
	live := cache.Form{Operation: client, Stream: true}
	encoder := doors.Codec(client).StreamEncoder(reply)
	if err := wiretest.Feed(doors.Codec(rec.Op).StreamDecoder(), rec.Answer, 0, func(ev *wire.Event) { live.Body = encoder.Encode(live.Body, ev) }); err != nil {
		t.Fatal(err)
	}
	return live
}

// checkForm checks what Check does, and the framing and numbering that official
// SDKs break on.
func checkForm(t *testing.T, f cache.Form) {
	t.Helper()
	if _, err := form.Check(f, nil); err != nil {
		t.Fatalf("%v in %s", err, f.Body)
	}
	if !f.Stream {
		return
	}
	s := shape{t: t, op: f.Operation, indexes: make(map[string]int64)}
	reader := sse.NewReader(strings.NewReader(string(f.Body)), 0)
	var ev sse.Event
	for reader.Next(&ev) == nil {
		s.event(&ev)
	}
	s.end()
	if s.bad {
		t.Fatalf("in %s", f.Body)
	}
}
