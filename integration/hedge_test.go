package integration

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/gateway"
	tracking "github.com/weirproxy/weir/gateway/health"
	"github.com/weirproxy/weir/integration/weirtest"
)

const (
	firstChunk = "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"x\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n"
	lastChunks = "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"x\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n" +
		"data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"x\",\"choices\":[],\"usage\":{\"prompt_tokens\":8,\"completion_tokens\":2,\"total_tokens\":10}}\n\ndata: [DONE]\n\n"
)

func word(text string) string {
	return "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"x\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" + text + "\"}}]}\n\n"
}

func startStream(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/event-stream")
	_, _ = io.WriteString(w, firstChunk)
	weirtest.Flush(w)
}

// pair is a gateway with two upstreams behind one model.
func pair(t *testing.T, options string, a, b func(http.ResponseWriter, *weirtest.Request)) (g *weirtest.Gateway, ups [2]*weirtest.Upstream) {
	t.Helper()
	t.Setenv("UPSTREAM_KEY", "sk-upstream")
	t.Setenv("CI_KEY", "a-secret-of-ci-0001")
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	ai := ""
	for i, answer := range []func(http.ResponseWriter, *weirtest.Request){a, b} {
		ups[i] = weirtest.NewUpstream(t, answer)
		ai += fmt.Sprintf("provider %c openai_compatible {\nbase_url %s/v1\napi_key {env.UPSTREAM_KEY}\n}\n", 'a'+i, ups[i].URL)
	}
	return weirtest.StartWith(t, "", ai+options, "ai_gateway"), ups
}

// stream asks for a stream and returns its header and the text in it.
func stream(t *testing.T, g *weirtest.Gateway, header map[string]string) (http.Header, string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, g.URL+"/v1/chat/completions", strings.NewReader(`{"model":"m","stream":true,"max_tokens":20,"messages":[{"role":"user","content":"hi"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var text strings.Builder
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		var chunk struct {
			Choices []struct{ Delta struct{ Content string } }
			Error   *struct{ Message string }
		}
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok || json.Unmarshal([]byte(data), &chunk) != nil {
			continue
		}
		for _, choice := range chunk.Choices {
			text.WriteString(choice.Delta.Content)
		}
		if chunk.Error != nil {
			text.WriteString("[" + chunk.Error.Message + "]")
		}
	}
	if err := lines.Err(); err != nil {
		text.WriteString("[" + err.Error() + "]")
	}
	return res.Header, text.String()
}

// steps are the record's attempts, without times.
func steps(r *gateway.Record) (list []string) {
	for _, s := range r.Trail {
		step := s.Provider + " " + s.Reason
		if s.Error != "" {
			step += " " + s.Error
		}
		list = append(list, step)
	}
	return list
}

// TestHedge sends a second call when the first is slow. The first content wins,
// the loser is cancelled, and its cost is told apart.
func TestHedge(t *testing.T) {
	silent := func(gone chan<- struct{}) func(http.ResponseWriter, *weirtest.Request) {
		return func(w http.ResponseWriter, r *weirtest.Request) {
			startStream(w) // the role is no content
			<-r.Gone
			close(gone)
		}
	}
	const model = "price a/* input 10 output 10\nprice b/* input 10 output 10\nmodel m a/x b/y {\nhedge 20ms\n}\n"
	t.Run("the second is faster", func(t *testing.T) {
		gone := make(chan struct{})
		g, ups := pair(t, model, silent(gone), func(w http.ResponseWriter, _ *weirtest.Request) {
			startStream(w)
			_, _ = io.WriteString(w, word("from b")+lastChunks)
		})
		header, text := stream(t, g, nil)
		if text != "from b" || header.Get("X-AI-Provider") != "b" || header.Get("X-AI-Model") != "y" || header.Get("X-AI-Attempts") != "2" {
			t.Errorf("%q of %v", text, header)
		}
		if !weirtest.Within(gone) {
			t.Error("the loser was not cancelled")
		}
		record := g.Records.Wait(t, 1)[0]
		if diff := cmp.Diff([]string{"a first lost", "b hedge"}, steps(record)); diff != "" {
			t.Errorf("trail (-want +got)\n%s", diff)
		}
		// The prompt of the loser has been spent, and nobody is charged for it.
		if record.Usage.Input != 8 || record.Usage.Output != 2 || record.Cost.Total != 100_000 || record.Overhead == 0 {
			t.Errorf("usage %+v, cost %+v, overhead %d", record.Usage, record.Cost, record.Overhead)
		}
		if len(ups[0].Requests()) != 1 || len(ups[1].Requests()) != 1 {
			t.Error("not one call to each")
		}
	})
	t.Run("the first is faster after all", func(t *testing.T) {
		asked, gone := make(chan struct{}), make(chan struct{})
		g, _ := pair(t, model, func(w http.ResponseWriter, _ *weirtest.Request) {
			startStream(w)
			<-asked
			_, _ = io.WriteString(w, word("from a")+lastChunks)
		}, func(w http.ResponseWriter, r *weirtest.Request) {
			close(asked)
			silent(gone)(w, r)
		})
		header, text := stream(t, g, nil)
		if text != "from a" || header.Get("X-AI-Provider") != "a" || header.Get("X-AI-Attempts") != "2" || !weirtest.Within(gone) {
			t.Errorf("%q of %v", text, header)
		}
		if diff := cmp.Diff([]string{"a first", "b hedge lost"}, steps(g.Records.Wait(t, 1)[0])); diff != "" {
			t.Errorf("trail (-want +got)\n%s", diff)
		}
	})
	t.Run("one fails, the other goes on", func(t *testing.T) {
		g, _ := pair(t, model, func(w http.ResponseWriter, _ *weirtest.Request) {
			startStream(w)
			eventually(t, "the failure of b", func() bool {
				return tracker(t).Look(tracking.Target{Provider: "b", Model: "y"}).Failures == 1
			})
			_, _ = io.WriteString(w, word("from a")+lastChunks)
		}, func(w http.ResponseWriter, _ *weirtest.Request) {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, `{"error":{"message":"full"}}`)
		})
		if _, text := stream(t, g, nil); text != "from a" {
			t.Errorf("%q", text)
		}
		if diff := cmp.Diff([]string{"a first", "b hedge overloaded"}, steps(g.Records.Wait(t, 1)[0])); diff != "" {
			t.Errorf("trail (-want +got)\n%s", diff)
		}
	})
	t.Run("both fail", func(t *testing.T) {
		asked := make(chan struct{})
		broken := func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, `{"error":{"message":"full"}}`)
		}
		g, ups := pair(t, model, func(w http.ResponseWriter, _ *weirtest.Request) {
			<-asked
			broken(w)
		}, func(w http.ResponseWriter, _ *weirtest.Request) {
			close(asked)
			broken(w)
		})
		_, _ = stream(t, g, nil)
		record := g.Records.Wait(t, 1)[0]
		if record.Status != 503 || record.Attempts != 2 || record.UsageSource != gateway.SourceNone || record.Overhead != 0 {
			t.Errorf("%+v", record)
		}
		if len(ups[0].Requests()) != 1 || len(ups[1].Requests()) != 1 {
			t.Error("not one call to each")
		}
	})
	t.Run("both fail, the second last", func(t *testing.T) {
		asked := make(chan struct{})
		g, _ := pair(t, model, func(w http.ResponseWriter, _ *weirtest.Request) {
			<-asked
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, `{"error":{"message":"full"}}`)
		}, func(w http.ResponseWriter, _ *weirtest.Request) {
			close(asked)
			eventually(t, "the failure of a", func() bool {
				return tracker(t).Look(tracking.Target{Provider: "a", Model: "x"}).Failures == 1
			})
			w.WriteHeader(http.StatusTooManyRequests)
			_, _ = io.WriteString(w, `{"error":{"message":"too fast"}}`)
		})
		header, _ := stream(t, g, nil)
		record := g.Records.Wait(t, 1)[0]
		if header.Get("X-AI-Provider") != "b" || header.Get("X-AI-Model") != "y" || record.Provider != "b" || record.UpstreamModel != "y" || record.Status != 429 {
			t.Errorf("%v, %+v", header, record)
		}
		if diff := cmp.Diff([]string{"a first overloaded", "b hedge rate_limit"}, steps(record)); diff != "" {
			t.Errorf("trail (-want +got)\n%s", diff)
		}
	})
	t.Run("the client leaves", func(t *testing.T) {
		goneA, goneB, asked := make(chan struct{}), make(chan struct{}), make(chan struct{})
		g, _ := pair(t, model, silent(goneA), func(w http.ResponseWriter, r *weirtest.Request) {
			close(asked)
			silent(goneB)(w, r)
		})
		c := dial(t, strings.TrimPrefix(g.URL, "http://"))
		c.post(t, "/v1/chat/completions", `{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}`)
		<-asked
		c.leave(true)
		if !weirtest.Within(goneA) || !weirtest.Within(goneB) {
			t.Error("an upstream works on for nobody")
		}
		g.Records.Wait(t, 1)
	})
	t.Run("limits are held for both and settled for one", func(t *testing.T) {
		gone := make(chan struct{})
		g, _ := pair(t, "key ci {env.CI_KEY} {\nlimit tokens 1000 1h\nlimit requests 10 1h\nlimit concurrency 5\n}\n"+model, silent(gone), func(w http.ResponseWriter, _ *weirtest.Request) {
			startStream(w)
			_, _ = io.WriteString(w, word("from b")+lastChunks)
		})
		key := map[string]string{"Authorization": "Bearer a-secret-of-ci-0001"}
		if _, text := stream(t, g, key); text != "from b" {
			t.Fatalf("%q", text)
		}
		g.Records.Wait(t, 1)
		status, header, body := askWith(t, g, "/v1/chat/completions", "a-secret-of-ci-0001", `{"model":"b/y","max_tokens":2000,"messages":[{"role":"user","content":"hi"}]}`)
		if status != 429 || header.Get("X-Ratelimit-Remaining-Tokens") != "990" || header.Get("X-Ratelimit-Remaining-Requests") != "9" {
			t.Errorf("%d %s left %s tokens, %s requests", status, body, header.Get("X-Ratelimit-Remaining-Tokens"), header.Get("X-Ratelimit-Remaining-Requests"))
		}
	})
}

// TestExplain asks for the decisions about a request.
func TestExplain(t *testing.T) {
	var calls atomic.Int32
	g, _ := pair(t, "key ci {env.CI_KEY} {\nlimit requests 10 1h\n}\nmodel m a/x b/y\n", func(w http.ResponseWriter, _ *weirtest.Request) {
		calls.Add(1)
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, `{"error":{"message":"full"}}`)
	}, hello)
	ask := func(explain string) (http.Header, map[string]any) {
		req, err := http.NewRequest(http.MethodPost, g.URL+"/v1/chat/completions", strings.NewReader(hi))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer a-secret-of-ci-0001")
		req.Header.Set("X-AI-Explain", explain)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		_, _ = io.Copy(io.Discard, res.Body)
		var told map[string]any
		_ = json.Unmarshal([]byte(res.Header.Get("X-AI-Explain")), &told)
		return res.Header, told
	}
	header, told := ask("on")
	if header.Get("X-AI-Provider") != "b" || header.Get("X-AI-Attempts") != "2" {
		t.Errorf("%v", header)
	}
	for _, attempt := range told["attempts"].([]any) {
		if ms, ok := attempt.(map[string]any)["ms"].(float64); !ok || ms < 0 {
			t.Errorf("ms of %v", attempt)
		}
		delete(attempt.(map[string]any), "ms")
	}
	want := map[string]any{
		"model":  "m",
		"limits": []any{map[string]any{"of": "key 'ci'", "limit": "requests 10 1h", "asked": "1", "used": "1", "remaining": "9"}},
		"attempts": []any{
			map[string]any{"target": "a/x", "reason": "first", "status": 503.0, "error": "overloaded", "phase": "status"},
			map[string]any{"target": "b/y", "reason": "failover", "status": 200.0},
		},
	}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for range 2 {
		if header, _ := ask("off"); header.Get("X-AI-Explain") != "" {
			t.Error("told without being asked")
		}
	}
	// The first is down by now, and passed over.
	_, told = ask("on")
	if attempts := told["attempts"].([]any); len(attempts) != 1 || fmt.Sprint(attempts[0].(map[string]any)["skipped"]) != "[a/x: open]" {
		t.Errorf("%v", told)
	}
	if calls.Load() != 3 {
		t.Errorf("%d calls to the target that is down", calls.Load())
	}
	record := g.Records.Wait(t, 4)[0]
	if diff := cmp.Diff([]string{"a first overloaded", "b failover"}, steps(record)); diff != "" {
		t.Errorf("trail (-want +got)\n%s", diff)
	}
}

// TestExplainKeepsOthers does not tell the bearer of a key what others spend of a
// budget that all share, nor how many of its places they have.
func TestExplainKeepsOthers(t *testing.T) {
	s := newStage(t, "model m one/gpt-4o\nprice one/* input 1 output 1\nlimit usd 5 1M\nlimit concurrency 9\nlimit requests 100 1h\nlimit provider one usd 6 1M\nkey ci {env.CI_KEY} {\nlimit usd 3 1M\n}", "")
	got := s.ask(t, "m", append(as(keyOfCI), "X-AI-Explain", "on")...)
	var told struct{ Limits []map[string]string }
	if err := json.Unmarshal([]byte(got.header.Get("X-AI-Explain")), &told); err != nil || got.status != 200 {
		t.Fatalf("%d %v %s", got.status, err, got.body)
	}
	state := map[string]bool{}
	for _, l := range told.Limits {
		state[l["of"]+" "+l["limit"]] = l["used"]+l["remaining"] != ""
	}
	want := map[string]bool{
		"the gateway usd 5 1M": false, "the gateway concurrency 9": false, "the gateway requests 100 1h": true,
		"provider 'one' usd 6 1M": false, "key 'ci' usd 3 1M": true,
	}
	if diff := cmp.Diff(want, state); diff != "" {
		t.Errorf("who is told how much is used (-want +got)\n%s", diff)
	}
}

// TestHedgeLost gives back what was taken for a hedge when the first attempt is the
// first with content after all, which then is whose answer it was.
func TestHedgeLost(t *testing.T) {
	s := newStage(t, "model m one/gpt-4o {\nfallback two/gpt-4o-mini\nhedge 10ms\n}\nlimit provider one tokens 400 1h\nlimit provider two tokens 400 1h\nlimit provider two concurrency 1", "")
	called := make(chan struct{})
	s.plays("one", func(w http.ResponseWriter, r *weirtest.Request) {
		<-called
		fine("one")(w, r)
	})
	s.plays("two", func(_ http.ResponseWriter, r *weirtest.Request) {
		close(called)
		<-r.Gone
	})
	chat := doors[0]
	body := with1(chat.body, `"max_completion_tokens":300`)
	if got := s.post(t, chat.path, body); got.status != 200 || got.cut || !strings.Contains(got.body, "by one") || got.header.Get("X-AI-Provider") != "one" || got.header.Get("X-AI-Model") != "gpt-4o" {
		t.Fatalf("%d %v %s", got.status, got.header, got.body)
	}
	r := s.Records.Wait(t, 1)[0]
	if r.Provider != "one" || r.UpstreamModel != "gpt-4o" || r.Error != "" || r.UsageSource != gateway.SourceProvider {
		t.Errorf("record %+v", r)
	}
	checkTrail(t, r, "first one/gpt-4o", "hedge two/gpt-4o-mini lost")
	s.plays("two", fine("two"))
	for _, provider := range []string{"one", "two"} {
		if got := s.post(t, chat.path, strings.Replace(body, `"m"`, `"`+provider+`/gpt-4o"`, 1)); got.status != 200 {
			t.Errorf("%s: %d %s", provider, got.status, got.body)
		}
	}
}
