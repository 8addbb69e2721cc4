package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/integration/weirtest"
)

// embedder is an upstream of OpenAI's dialect whose vectors tell which input
// they are of: the one of `n 7` is [7,0.5]. Each input has three tokens.
type embedder struct {
	*weirtest.Gateway
	up *weirtest.Upstream

	// before may answer a call by itself.
	before func(w http.ResponseWriter, r *weirtest.Request, inputs []string) bool

	mu     sync.Mutex
	tokens int64 // reported in all
}

func newEmbedder(t *testing.T, ai, site string) *embedder {
	t.Helper()
	t.Setenv("UPSTREAM_KEY", "sk-upstream-secret")
	for _, name := range []string{"ONE", "TWO"} {
		t.Setenv(name+"_KEY", "wr-"+strings.Repeat(name, 12))
	}
	e := new(embedder)
	e.up = weirtest.NewUpstream(t, e.answer)
	e.Gateway = weirtest.Start(t, strings.ReplaceAll(embedConfig+ai, "URL", e.up.URL), site)
	return e
}

func (e *embedder) answer(w http.ResponseWriter, r *weirtest.Request) {
	inputs := inputsOf(r)
	if e.before != nil && e.before(w, r, inputs) {
		return
	}
	gemini := strings.HasPrefix(r.Path, "/gem/")
	var data []string
	for i, input := range inputs {
		vector := "[" + strings.TrimPrefix(input, "n ") + ",0.5]"
		if gemini {
			data = append(data, `{"values":`+vector+`}`)
		} else {
			data = append(data, fmt.Sprintf(`{"object":"embedding","index":%d,"embedding":%s}`, i, vector))
		}
	}
	tokens := 3 * len(inputs)
	e.mu.Lock()
	e.tokens += int64(tokens)
	e.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Request-Id", fmt.Sprintf("up-%d", len(e.up.Requests())))
	if gemini {
		_, _ = fmt.Fprintf(w, `{"embeddings":[%s],"usageMetadata":{"promptTokenCount":%d}}`, strings.Join(data, ","), tokens)
		return
	}
	_, _ = fmt.Fprintf(w, `{"object":"list","data":[%s],"model":"text-embedding-3-small","usage":{"prompt_tokens":%d,"total_tokens":%[2]d}}`, strings.Join(data, ","), tokens)
}

// inputsOf are the texts of a request in either dialect.
func inputsOf(r *weirtest.Request) []string {
	var body struct {
		Input    json.RawMessage
		Requests []struct {
			Content struct{ Parts []struct{ Text string } }
		}
	}
	_ = json.Unmarshal(r.Body, &body)
	var list []string
	for _, one := range body.Requests {
		list = append(list, one.Content.Parts[0].Text)
	}
	if body.Input == nil || json.Unmarshal(body.Input, &list) == nil {
		return list
	}
	list = []string{""}
	_ = json.Unmarshal(body.Input, &list[0])
	return list
}

// embedded is what a client got.
type embedded struct {
	status  int
	header  http.Header
	body    string
	vectors []float64 // the first number of each
	err     error
}

// ask sends a request; headers are names and values.
func (e *embedder) ask(ctx context.Context, path, body string, headers ...string) (got embedded) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.URL+path, strings.NewReader(body))
	if err != nil {
		return embedded{err: err}
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return embedded{err: err}
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	got = embedded{status: res.StatusCode, header: res.Header, body: string(data), err: err}
	var answer struct {
		Data []struct {
			Index     int
			Embedding []float64
		}
		Embedding  struct{ Values []float64 }
		Embeddings []struct{ Values []float64 }
	}
	_ = json.Unmarshal(data, &answer)
	for i, v := range answer.Data {
		if v.Index != i {
			got.err = fmt.Errorf("vector %d has the number %d", i, v.Index)
		}
		got.vectors = append(got.vectors, v.Embedding[0])
	}
	for _, v := range answer.Embeddings {
		got.vectors = append(got.vectors, v.Values[0])
	}
	if v := answer.Embedding.Values; len(v) > 0 {
		got.vectors = append(got.vectors, v[0])
	}
	return got
}

// askAll sends requests at once and returns the answers in their order.
func (e *embedder) askAll(bodies []string, headers func(i int) []string) []embedded {
	got := make([]embedded, len(bodies))
	var wg sync.WaitGroup
	for i, body := range bodies {
		wg.Go(func() {
			path := "/v1/embeddings"
			if at := strings.IndexByte(body, ' '); body[0] == '/' {
				path, body = body[:at], body[at+1:]
			}
			var h []string
			if headers != nil {
				h = headers(i)
			}
			got[i] = e.ask(context.Background(), path, body, h...)
		})
	}
	wg.Wait()
	http.DefaultClient.CloseIdleConnections()
	return got
}

func (e *embedder) recorded(t *testing.T, n int) (sum int64) {
	t.Helper()
	for _, r := range e.Records.Wait(t, n) {
		sum += r.Usage.Input
	}
	return sum
}

const batching = "ai_gateway {\nbatch_embeddings {\nwait 10s\nmax %d\n%s\n}\n}"

func one(n int) string { return fmt.Sprintf(`{"model":"on-openai","input":"n %d"}`, n) }

// TestBatchedEmbeddings asks by a hundred clients at once: each gets its own
// vectors, and what the upstream reports is shared out to the last token.
func TestBatchedEmbeddings(t *testing.T) {
	e := newEmbedder(t, "key one {env.ONE_KEY} {\nlimit tokens 20000 1h\n}\n", fmt.Sprintf(batching, 50, ""))
	bodies := make([]string, 100)
	for i := range bodies {
		// Of different lengths, so that the shares differ.
		bodies[i] = fmt.Sprintf(`{"model":"on-openai","input":["n %d"]}`, i)
		if i%2 == 1 {
			bodies[i] = fmt.Sprintf(`{"input": "n %d", "model": "on-openai"}`, i*1_000_003)
		}
	}
	key := func(int) []string { return []string{"Authorization", "Bearer wr-" + strings.Repeat("ONE", 12)} }
	for i, got := range e.askAll(bodies, key) {
		want := float64(i)
		if i%2 == 1 {
			want = float64(i * 1_000_003)
		}
		if got.err != nil || got.status != 200 || len(got.vectors) != 1 || got.vectors[0] != want {
			t.Fatalf("client %d: %+v", i, got)
		}
		if id := got.header.Get("X-Upstream-Request-Id"); id != "" {
			t.Errorf("the upstream's name of the call is shown: %s", id)
		}
		if !strings.Contains(got.body, `"prompt_tokens":`+got.header.Get("X-AI-Input-Tokens")+",") {
			t.Errorf("usage %s, header %s", got.body, got.header.Get("X-AI-Input-Tokens"))
		}
	}
	if n := len(e.up.Requests()); n != 2 {
		t.Errorf("%d upstream calls", n)
	}
	if sum := e.recorded(t, 100); sum != e.tokens || sum != 300 {
		t.Errorf("%d tokens are recorded, %d reported", sum, e.tokens)
	}
	for _, r := range e.Records.All() {
		if r.UsageSource != gateway.SourceProvider || r.Attempts != 1 || r.UpstreamID == "" {
			t.Errorf("record %+v", ledgerOf(r))
		}
	}
	// What limits hold is what was used, once the last has been settled.
	big := `{"model":"on-openai","input":"` + strings.Repeat("n ", 19_900) + `"}`
	for deadline := time.Now().Add(patience); ; {
		got := e.ask(t.Context(), "/v1/embeddings", big, key(0)...)
		if got.status != 429 {
			t.Fatalf("%+v", got)
		}
		if strings.Contains(got.body, "used 300, left 19700") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the limit is never settled: %s", got.body)
		}
	}
}

func texts(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf(`"n %d"`, i)
	}
	return "[" + strings.Join(list, ",") + "]"
}

// TestBatchedMisfortunes holds that one caller's trouble is not another's.
func TestBatchedMisfortunes(t *testing.T) {
	start := func(t *testing.T) *embedder {
		t.Helper()
		return newEmbedder(t, "model strict oa/text-embedding-3-small {\nlb_retries 0\nmax_fails 2\n}\n", fmt.Sprintf(batching, 3, ""))
	}
	strict := func(list ...string) (bodies []string) {
		for _, s := range list {
			bodies = append(bodies, `{"model":"strict","input":"`+s+`"}`)
		}
		return bodies
	}
	fail := func(status int, body string) func(http.ResponseWriter, *weirtest.Request, []string) bool {
		return func(w http.ResponseWriter, r *weirtest.Request, _ []string) bool {
			if !strings.Contains(string(r.Body), "n 13") {
				return false
			}
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
			return true
		}
	}
	const words = `{"error":{"message":"Requested 4321 tokens: n 13","type":"x","code":null}}`
	t.Run("an invalid input", func(t *testing.T) {
		e := start(t)
		e.before = fail(400, words)
		for i, got := range e.askAll(strict("n 1", "n 13", "n 2"), nil) {
			switch {
			case i == 1 && (got.status != 400 || got.body != words):
				t.Errorf("%+v", got)
			case i != 1 && (got.status != 200 || len(got.vectors) != 1 || int(got.vectors[0]) != (i+2)/2):
				t.Errorf("%d: %+v", i, got)
			}
		}
		if n := len(e.up.Requests()); n != 4 {
			t.Errorf("%d calls", n)
		}
		if sum := e.recorded(t, 3); sum != 6 {
			t.Errorf("%d tokens", sum)
		}
	})
	for _, status := range []int{429, 500} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			e := start(t)
			e.before = fail(status, words)
			for i, got := range e.askAll(strict("n 1", "n 13", "n 2"), nil) {
				if got.status != status || strings.Contains(got.body, "4321") || got.header.Get("Retry-After") == "" || got.header.Get("X-Upstream-Request-Id") != "" {
					t.Errorf("%d: %+v", i, got)
				}
			}
			if n := len(e.up.Requests()); n != 1 {
				t.Errorf("%d calls", n)
			}
			if sum := e.recorded(t, 3); sum != 0 {
				t.Errorf("%d tokens are charged for", sum)
			}
			if status == 500 {
				// Three have failed by one call, which max_fails counts once.
				for _, got := range e.askAll(strict("n 1", "n 2", "n 3"), nil) {
					if got.status != 200 {
						t.Errorf("afterwards: %+v", got)
					}
				}
			}
		})
	}
	t.Run("one leaves before it is sent", func(t *testing.T) {
		e := start(t)
		c := dial(t, e.Addr)
		c.post(t, "/v1/embeddings", one(99))
		_ = c.conn.Close()
		e.Records.Wait(t, 1)
		for i, got := range e.askAll([]string{one(1), one(2), one(3)}, nil) {
			if got.status != 200 || got.vectors[0] != float64(i+1) {
				t.Errorf("%d: %+v", i, got)
			}
		}
		for _, r := range e.up.Requests() {
			if strings.Contains(string(r.Body), "n 99") {
				t.Error("what nobody waits for was asked")
			}
		}
		for _, r := range e.Records.All() {
			if r.ClientGone && r.Usage.Input > 0 {
				t.Errorf("what was not sent is charged: %+v", ledgerOf(r))
			}
		}
	})
	t.Run("one leaves afterwards", func(t *testing.T) {
		e := start(t)
		came, answer := make(chan struct{}), make(chan struct{})
		var ended <-chan struct{}
		e.before = func(_ http.ResponseWriter, r *weirtest.Request, _ []string) bool {
			ended = r.Gone
			close(came)
			<-answer
			return false
		}
		ctx, cancel := context.WithCancel(t.Context())
		gone := make(chan embedded)
		go func() { gone <- e.ask(ctx, "/v1/embeddings", one(99)) }()
		stay := make(chan []embedded)
		go func() { stay <- e.askAll([]string{one(1), one(2)}, nil) }()
		<-came
		cancel()
		<-gone
		left := e.Records.Wait(t, 1)[0]
		select {
		case <-ended:
			t.Error("the call has ended with the client that left")
		default:
		}
		close(answer)
		for i, got := range <-stay {
			if got.status != 200 || got.vectors[0] != float64(i+1) {
				t.Errorf("%d: %+v", i, got)
			}
		}
		if !left.ClientGone || left.Usage.Input == 0 || left.UsageSource != gateway.SourceEstimated {
			t.Errorf("record %+v", ledgerOf(left))
		}
	})
}

// TestBatchScopes holds whose calls are made as one.
func TestBatchScopes(t *testing.T) {
	keys := "key one {env.ONE_KEY} {\nteam x\n}\nkey two {env.TWO_KEY} {\nteam x\n}\n"
	for scope, calls := range map[string]int{"": 2, "scope key": 2, "scope team": 1, "scope global": 1} {
		t.Run(scope, func(t *testing.T) {
			e := newEmbedder(t, keys, fmt.Sprintf(batching, 2*(3-calls), scope))
			key := func(i int) []string {
				return []string{"X-Api-Key", "wr-" + strings.Repeat([]string{"ONE", "TWO"}[i%2], 12)}
			}
			bodies := []string{one(0), one(1), one(2), one(3)}
			for i, got := range e.askAll(bodies, key) {
				if got.status != 200 || len(got.vectors) != 1 || got.vectors[0] != float64(i) {
					t.Errorf("%d: %+v", i, got)
				}
			}
			for _, r := range e.up.Requests() {
				inputs := inputsOf(r)
				if calls == 2 && (len(inputs) != 2 || (inputs[0][2]-inputs[1][2])%2 != 0) {
					t.Errorf("keys share %v", inputs)
				}
			}
			if n := len(e.up.Requests()); n != calls {
				t.Errorf("%d calls, want %d", n, calls)
			}
		})
	}
}

// TestBatchedTranslations makes one call of clients of several dialects.
func TestBatchedTranslations(t *testing.T) {
	e := newEmbedder(t, "", fmt.Sprintf(batching, 4, ""))
	e.before = func(w http.ResponseWriter, r *weirtest.Request, _ []string) bool {
		if strings.HasPrefix(r.Path, "/gem/") && !strings.HasSuffix(r.Path, ":batchEmbedContents") {
			w.WriteHeader(http.StatusTeapot)
			return true
		}
		return false
	}
	gemini := func(n int) string { return fmt.Sprintf(`{"content":{"parts":[{"text":"n %d"}]}}`, n) }
	for model, openai := range map[string]string{"on-openai": `{"model":"on-openai","input":"n 3","encoding_format":"float"}`, "on-gemini": `{"model":"on-gemini","input":"n 3"}`} {
		before := len(e.up.Requests())
		got := e.askAll([]string{
			"/v1beta/models/" + model + ":embedContent " + gemini(0),
			"/v1beta/models/" + model + ":batchEmbedContents " + `{"requests":[` + gemini(1) + "," + gemini(2) + `]}`,
			openai,
		}, nil)
		for i, want := range [][]float64{{0}, {1, 2}, {3}} {
			if diff := cmp.Diff(want, got[i].vectors); diff != "" || got[i].status != 200 {
				t.Errorf("%s, client %d: %+v", model, i, got[i])
			}
		}
		if n := len(e.up.Requests()) - before; n != 1 {
			t.Errorf("%s: %d calls", model, n)
		}
	}
	if sum := e.recorded(t, 6); sum != e.tokens || sum != 24 {
		t.Errorf("%d tokens are recorded, %d reported", sum, e.tokens)
	}
}

// TestCutEmbeddings asks for more vectors than the upstream gives in one call,
// where nothing is configured.
func TestCutEmbeddings(t *testing.T) {
	e := newEmbedder(t, "provider tei openai_compatible {\nbase_url URL/tei/v1\nmax_inputs 2\nmax_in_flight 5\n}\nmodel small tei/x {\nlb_retries 0\n}\n", "ai_gateway")
	got := e.ask(t.Context(), "/v1/embeddings", `{"model":"on-openai","input":`+texts(5000)+`}`)
	if got.err != nil || got.status != 200 || len(got.vectors) != 5000 {
		t.Fatalf("status %d, %d vectors, %v", got.status, len(got.vectors), got.err)
	}
	for i, v := range got.vectors {
		if v != float64(i) {
			t.Fatalf("vector %d is %v", i, v)
		}
	}
	for _, r := range e.up.Requests() {
		if n := len(inputsOf(r)); n > 2048 {
			t.Errorf("a call with %d inputs", n)
		}
	}
	if sum := e.recorded(t, 1); len(e.up.Requests()) != 3 || sum != 15000 {
		t.Errorf("%d calls, %d tokens", len(e.up.Requests()), sum)
	}
	t.Run("one part fails", func(t *testing.T) {
		e.before = func(w http.ResponseWriter, _ *weirtest.Request, inputs []string) bool {
			if inputs[0] != "n 2" {
				return false
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"error":{"message":"n 2 is bad"}}`)
			return true
		}
		before := len(e.up.Requests())
		got := e.ask(t.Context(), "/v1/embeddings", `{"model":"small","input":`+texts(6)+`}`)
		if got.status != 400 || !strings.Contains(got.body, "n 2 is bad") {
			t.Errorf("%+v", got)
		}
		record := e.Records.Wait(t, 2)[1]
		if n := len(e.up.Requests()) - before; n != 2 || record.Usage.Input != 6 || record.UsageSource != gateway.SourceProvider || record.Status != 400 {
			t.Errorf("%d calls, record %+v", n, ledgerOf(record))
		}
	})
	t.Run("more than may be asked for", func(t *testing.T) {
		before := len(e.up.Requests())
		got := e.ask(t.Context(), "/v1/embeddings", `{"model":"small","input":`+texts(513)+`}`)
		if got.status != 400 || !strings.Contains(got.body, "at most 512") {
			t.Errorf("%+v", got)
		}
		record := e.Records.Wait(t, 3)[2]
		if n := len(e.up.Requests()) - before; n != 0 || record.Usage.Input != 0 || record.UsageSource != gateway.SourceNone || record.Cost.Total != 0 {
			t.Errorf("%d calls, record %+v", n, ledgerOf(record))
		}
	})
	http.DefaultClient.CloseIdleConnections()
}

// TestBatchSurvivesReload holds that calls which wait for each other when the
// configuration changes are made.
func TestBatchSurvivesReload(t *testing.T) {
	site := "ai_gateway {\nbatch_embeddings {\nwait 1s\n}\n}"
	e := newEmbedder(t, "", site)
	came, answer := make(chan struct{}), make(chan struct{})
	e.before = func(http.ResponseWriter, *weirtest.Request, []string) bool {
		close(came)
		<-answer
		return false
	}
	stay := make(chan []embedded)
	go func() { stay <- e.askAll([]string{one(1), one(2), one(3)}, nil) }()
	<-came
	if err := e.Load("", strings.ReplaceAll(embedConfig, "URL", e.up.URL), "ai_gateway"); err != nil {
		t.Fatal(err)
	}
	close(answer)
	for i, got := range <-stay {
		if got.status != 200 || len(got.vectors) != 1 || got.vectors[0] != float64(i+1) {
			t.Errorf("%d: %+v", i, got)
		}
	}
}
