package integration

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/integration/weirtest"
)

// TestChaos sends requests that end in every way, in random order, at once and
// across reloads. Afterwards each has one record, each record is between what
// the client saw and what the upstream sent, and what a limit says is left is
// the limit less the sum of the records.
func TestChaos(t *testing.T) {
	for _, seed := range []uint64{1, 2, 3} {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { chaos(t, seed, 150) })
	}
}

// fates are how the upstream answers; the request's name says which.
var fates = []string{"whole", "stream", "cut", "reset", "refuse", "failed", "slow", "gone"}

func chaos(t *testing.T, seed uint64, n int) {
	const limit = 10_000_000
	config := func(url string) string {
		return fmt.Sprintf("provider openai {\nbase_url %s/v1\napi_key {env.UPSTREAM_KEY}\n}\nmodel * openai/gpt-4o\nprice openai/* input 1 output 1\nkey ci {env.CI_KEY} {\nlimit tokens %d 24h\n}", url, limit)
	}
	t.Setenv("UPSTREAM_KEY", "sk-upstream")
	t.Setenv("CI_KEY", "a-secret-of-ci-0001")
	defer http.DefaultClient.CloseIdleConnections()
	var mu sync.Mutex
	sent := make(map[string]int64) // words that the upstream has sent, by model
	up := weirtest.NewUpstream(t, func(w http.ResponseWriter, r *weirtest.Request) {
		name := nameIn(r.Body)
		fate, _, _ := strings.Cut(name, "-")
		note := func() {
			mu.Lock()
			sent[name]++
			mu.Unlock()
		}
		upstreamFate(w, r, fate, note)
	})
	g := weirtest.StartWith(t, "", config(up.URL), "ai_gateway {\nidle_timeout 300ms\n}")

	random := rand.New(rand.NewPCG(seed, seed))
	models := make([]string, n)
	for i := range models {
		models[i] = fates[random.IntN(len(fates))] + "-" + strconv.Itoa(i)
	}
	var (
		all  sync.WaitGroup
		gate = make(chan struct{}, 16)
		seen = make(map[string]int64) // words that the client has seen
	)
	for i, model := range models {
		if i%50 == 25 {
			if err := g.Load("", config(up.URL), "ai_gateway {\nidle_timeout 300ms\n}"); err != nil {
				t.Fatal(err)
			}
			weirtest.Swapped(g.Addr)
		}
		gate <- struct{}{}
		all.Go(func() {
			defer func() { <-gate }()
			words := clientFate(g, model)
			mu.Lock()
			seen[model] = words
			mu.Unlock()
		})
	}
	all.Wait()

	var total int64
	byModel := make(map[string]*gateway.Record)
	for _, r := range g.Records.Wait(t, n) {
		if byModel[r.Model] != nil {
			t.Errorf("%s has two records", r.Model)
		}
		byModel[r.Model] = r
		total += r.Usage.Input + r.Usage.Output
	}
	for _, model := range models {
		r := byModel[model]
		if r == nil {
			t.Errorf("%s has no record", model)
			continue
		}
		if out := r.Usage.Output; r.UsageSource == gateway.SourceEstimated && (out < seen[model] || out > sent[model]) {
			t.Errorf("%s: %d tokens in the record, %d seen, %d sent", model, out, seen[model], sent[model])
		}
		if r.UsageSource == gateway.SourceProvider && (r.Usage.Input != 10 || r.Usage.Output != 5) {
			t.Errorf("%s: %+v", model, r.Usage)
		}
		if fate, _, _ := strings.Cut(model, "-"); fate == "refuse" && r.Usage.Input+r.Usage.Output != 0 {
			t.Errorf("%s is charged %+v", model, r.Usage)
		}
	}
	// The last call says what is left after it has settled.
	req, _ := http.NewRequest(http.MethodPost, g.URL+"/v1/chat/completions", strings.NewReader(strings.ReplaceAll(strings.Replace(hi, `"m"`, `"whole-last"`, 1), `"hi"`, `"whole-last"`)))
	req.Header.Set("Authorization", "Bearer a-secret-of-ci-0001")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if left, want := res.Header.Get("X-Ratelimit-Remaining-Tokens"), strconv.FormatInt(limit-total-15, 10); left != want {
		t.Errorf("%s left, want %s", left, want)
	}
}

// nameIn is the request's name, which its prompt is.
func nameIn(body []byte) string {
	_, rest, _ := strings.Cut(string(body), `"content":"`)
	name, _, _ := strings.Cut(rest, `"`)
	return name
}

func upstreamFate(w http.ResponseWriter, r *weirtest.Request, fate string, note func()) {
	switch fate {
	case "whole":
		hello(w, r)
		return
	case "refuse":
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, `{"error":{"message":"busy"}}`)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	word := func() {
		note()
		_, _ = io.WriteString(w, `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":" word"},"finish_reason":null}]}`+"\n\n")
		weirtest.Flush(w)
	}
	for range 5 {
		word()
	}
	switch fate {
	case "stream":
		_, _ = io.WriteString(w, `data: {"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`+"\n\n"+`data: {"id":"c","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}`+"\n\ndata: [DONE]\n\n")
	case "cut": // a clean end without an end
	case "reset":
		weirtest.Reset(w)
	case "failed":
		_, _ = io.WriteString(w, `data: {"error":{"message":"it broke","type":"server_error"}}`+"\n\n")
	case "slow", "gone":
		<-r.Gone
	}
}

// clientFate asks and returns how many words it has seen. A request for
// "gone" leaves after the first.
func clientFate(g *weirtest.Gateway, model string) (words int64) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	body := strings.Replace(strings.Replace(hi, `"m"`, strconv.Quote(model), 1), `"hi"`, strconv.Quote(model), 1)
	if !strings.HasPrefix(model, "whole") && !strings.HasPrefix(model, "refuse") {
		body = strings.Replace(body, `{`, `{"stream":true,`, 1)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	var res *http.Response
	for res == nil {
		req, _ := http.NewRequestWithContext(ctx, http.MethodPost, g.URL+"/v1/chat/completions", strings.NewReader(body))
		req.Header.Set("Authorization", "Bearer a-secret-of-ci-0001")
		var err error
		if res, err = transport.RoundTrip(req); err != nil && ctx.Err() != nil {
			return 0
		}
		// Else Caddy has reset a connection that it had not accepted yet, as it
		// may when it swaps listeners; no handler has seen the request.
	}
	defer res.Body.Close()
	var all strings.Builder
	buf := make([]byte, 256)
	for {
		n, err := res.Body.Read(buf)
		all.Write(buf[:n])
		words = int64(strings.Count(all.String(), `"content":" word"`))
		if strings.HasPrefix(model, "gone") && words > 0 {
			cancel()
		}
		if err != nil {
			return words
		}
	}
}
