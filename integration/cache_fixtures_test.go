package integration

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/cache"
	forms "github.com/weirproxy/weir/cache/form"
	"github.com/weirproxy/weir/integration/weirtest"
	"github.com/weirproxy/weir/wire"
	codecs "github.com/weirproxy/weir/wire/doors"
	"github.com/weirproxy/weir/wire/wiretest"
)

// keptOps are the operations of recordings whose answers can be kept.
var keptOps = map[string]*wire.Operation{"chat": wire.Chat, "completions": wire.Completions, "responses": wire.Responses, "messages": wire.Messages, "embeddings": wire.Embeddings}

// neverKept are the reasons for which a recorded answer must not be kept, as
// docs/cache.md has them, told from the recording alone.
func neverKept(rec *recording) string {
	said := string(rec.Body)
	switch {
	case rec.Status != http.StatusOK:
		return "status"
	case strings.Contains(said, "content_filter") || strings.Contains(said, `"refusal":"`) || strings.Contains(said, `"refusal": "`) || strings.Contains(said, `"stop_reason":"refusal"`):
		return "refused"
	case strings.Contains(said, `"pause_turn"`), strings.Contains(said, `"incomplete"`):
		return "not finished"
	case strings.Contains(said, `"error":{`), strings.Contains(said, "event: error"):
		return "error"
	}
	return ""
}

// TestKeptRecordings asks for every recorded answer twice, and then in all other
// forms: what comes from the cache is what came from the vendor, to the byte, and in
// other forms the same answer.
func TestKeptRecordings(t *testing.T) {
	t.Setenv("UPSTREAM_KEY", "sk-upstream")
	dir := "testdata/fixtures"
	if more := os.Getenv("WEIR_FIXTURES"); more != "" {
		dir = more
	}
	r := &replay{plain: make(map[string]string), alias: make(map[string]string)}
	var calls atomic.Int64
	r.upstream = weirtest.NewUpstream(t, func(w http.ResponseWriter, req *weirtest.Request) {
		calls.Add(1)
		r.play(w, req)
	})
	var ai strings.Builder
	providers := make(map[string]bool)
	var recordings []*recording
	for _, rec := range loadRecordings(t, dir) {
		if keptOps[rec.API] == nil || rec.Status != http.StatusOK {
			continue
		}
		recordings = append(recordings, rec)
		if !providers[rec.Provider] {
			providers[rec.Provider] = true
			fmt.Fprintf(&ai, "provider up-%s %s {\nbase_url %s\napi_key {env.UPSTREAM_KEY}\n}\n", rec.Provider, rec.module(), r.base(rec))
		}
	}
	for i, rec := range recordings {
		fmt.Fprintf(&ai, "model rec-%d %q {\nlb_retries 0\nmax_fails 1000000\nfail_duration 1ms\n}\n", i, "up-"+rec.Provider+"/"+rec.model())
	}
	s := &stage{client: newClient(t)}
	s.Gateway = weirtest.Start(t, ai.String(), "ai_gateway {\ncache exact {\ntools on\nlength on\nmax_temperature 2\n}\n}")
	why := make(map[string]int)
	for i, rec := range recordings {
		t.Run(rec.Name, func(t *testing.T) {
			r.playing.Store(rec)
			op := keptOps[rec.API]
			body, _ := rec.requestBody(fmt.Sprintf("rec-%d", i))
			path := "/v1" + rec.path()
			before := calls.Load()
			first := s.post(t, path, string(body))
			if first.status != 200 || first.cut {
				why["failed"]++ // and is answered as badly the second time
				return
			}
			second := s.post(t, path, string(body))
			if op == wire.Responses { // what some send behind the end of a stream is not kept
				first.body = strings.TrimSuffix(first.body, done)
			}
			if n := calls.Load() - before; n != 1 {
				reason := second.header.Get("Cache-Status")
				if strings.Contains(reason, "fwd=miss") {
					reason = "not kept: " + notKept(op, rec, first)
				}
				why[reason]++
				if reason == "not kept: " || second.header.Get("X-AI-Cache") == "hit" {
					t.Errorf("%d calls, %s\nasked %s\ngot %s", n, second.header.Get("Cache-Status"), clip(string(body)), clip(first.body))
				}
				return
			}
			why["kept"]++
			same := second.body == first.body
			if form := (cache.Form{Operation: op, Stream: strings.HasPrefix(first.header.Get("Content-Type"), "text/event-stream"), Body: []byte(first.body)}); !same {
				// A vendor that does not repeat what was asked is put right.
				told, err := forms.Echo(form, body)
				same = err == nil && string(told.Body) == second.body
				why["put right"]++
			}
			if second.status != 200 || !same || second.header.Get("X-AI-Cache") != "hit" {
				t.Errorf("%d %s\n%s", second.status, second.header.Get("Cache-Status"), cmp.Diff(first.body, second.body))
			}
			if op == wire.Embeddings || op == wire.Completions {
				return
			}
			stream := strings.HasPrefix(second.header.Get("Content-Type"), "text/event-stream")
			want := readAs(t, op, stream, first.body)
			other := setMember(body, "stream", fmt.Sprint(!stream))
			got := s.post(t, path, string(other))
			if got.header.Get("X-AI-Cache") != "hit" {
				why["not in the other form"]++
				return
			}
			why["in the other form"]++
			if g := readAs(t, op, !stream, got.body); g != want {
				t.Errorf("in the other form\n%s\nwant\n%s", g, want)
			}
		})
	}
	t.Logf("%v", why)
	if why["kept"] < len(recordings)/3 || why["in the other form"] < why["kept"]/3 {
		t.Errorf("of %d recordings", len(recordings))
	}
	http.DefaultClient.CloseIdleConnections()
}

// notKept finds the reason in the answer why it must not be kept; empty for none.
func notKept(op *wire.Operation, rec *recording, got *reply) string {
	if reason := neverKept(rec); reason != "" {
		return reason
	}
	if op == wire.Embeddings {
		if _, err := codecs.Embedder(op).DecodeEmbedResponse([]byte(got.body)); err != nil {
			return "no vectors"
		}
	}
	if op == wire.Embeddings || op == wire.Completions {
		if strings.Contains(got.body, `"length"`) {
			return "length without a cap"
		}
		return ""
	}
	stream := strings.HasPrefix(got.header.Get("Content-Type"), "text/event-stream")
	res, err := read(op, stream, got.body)
	switch {
	case err != nil:
		return "cannot be read"
	case stream && op == wire.Chat && !strings.Contains(got.body, "[DONE]"):
		return "no terminator"
	case len(res.Choices) != 1:
		return "choices"
	case res.Choices[0].Finish == wire.FinishLength:
		return "length without a cap"
	case len(res.Choices[0].Blocks) == 0:
		return "empty"
	case res.Choices[0].Finish != wire.FinishStop && res.Choices[0].Finish != wire.FinishTools && res.Choices[0].Finish != wire.FinishString:
		return fmt.Sprint("finish ", res.Choices[0].Finish)
	}
	text := false
	for _, b := range res.Choices[0].Blocks {
		text = text || b.Text != "" || b.Type != wire.TextBlock
	}
	if !text {
		return "empty"
	}
	return ""
}

func read(op *wire.Operation, stream bool, body string) (*wire.Response, error) {
	if !stream {
		return codecs.Codec(op).DecodeResponse([]byte(body))
	}
	res, _, err := wiretest.Collect(codecs.Codec(op).StreamDecoder(), []byte(body), 0)
	return res, err
}

// readAs is what an answer says: text, calls, how it ended and what it used.
func readAs(t *testing.T, op *wire.Operation, stream bool, body string) string {
	t.Helper()
	res, err := read(op, stream, body)
	if err != nil {
		t.Fatalf("%v in\n%s", err, clip(body))
	}
	var b strings.Builder
	for _, c := range res.Choices {
		fmt.Fprintf(&b, "%v %q\n", c.Finish, wire.JoinText(c.Blocks))
		for _, block := range c.Blocks {
			if block.Call != nil {
				args, _ := json.Marshal([]string{block.Call.Name, block.Call.Arguments})
				fmt.Fprintf(&b, "call %s\n", args)
			}
		}
	}
	return b.String()
}
