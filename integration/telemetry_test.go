package integration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/integration/weirtest"
)

// recordMembers are the members of a usage record, which scripts rely on.
// `cost_usd` is null as long as there is no price list.
var recordMembers = []string{
	"request_id", "time", "key", "principal", "dialect", "operation", "model", "provider", "upstream_model", "stream", "status",
	"error", "finish_reason", "input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens",
	"usage_source", "cost_usd", "cache", "attempts", "trail", "bytes_out", "client_gone",
	"auth_ms", "queue_ms", "limit_ms", "cache_ms", "route_ms", "upstream_ms", "ttft_ms", "total_ms",
}

// occasional are members that only some records have.
var occasional = map[string]bool{"error_phase": true, "upstream_request_id": true}

// caddyMembers are what Caddy's logger puts into every line.
var caddyMembers = map[string]bool{"level": true, "ts": true, "logger": true, "msg": true}

func memberNames(t *testing.T, object json.RawMessage) []string {
	t.Helper()
	var m map[string]json.RawMessage
	if err := json.Unmarshal(object, &m); err != nil {
		t.Fatalf("%s: %v", object, err)
	}
	var names []string
	for name := range m {
		if !occasional[name] && !caddyMembers[name] {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names
}

// logLines returns the lines of a log file that one of Caddy's loggers wrote.
func logLines(t *testing.T, file, logger string) []json.RawMessage {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var lines []json.RawMessage
	for line := range bytes.Lines(data) {
		var head struct {
			Logger string `json:"logger"`
		}
		if err := json.Unmarshal(line, &head); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if head.Logger == logger || strings.HasPrefix(head.Logger, logger+".") {
			lines = append(lines, json.RawMessage(line))
		}
	}
	return lines
}

func logTo(file string) string {
	return fmt.Sprintf("debug\n\tlog {\n\t\toutput file %s\n\t\tformat json\n\t\tlevel DEBUG\n\t}", file)
}

func post(t testing.TB, client *http.Client, url, body string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	data, _ := io.ReadAll(res.Body)
	return res, string(data)
}

const ask = `{"model":"%s","messages":[{"role":"user","content":"hi"}]}`

func asks(model string) string { return fmt.Sprintf(ask, model) }

func TestLogs(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log")
	site := "log\n\tlog_append ai_model {http.ai.model}\n\tlog_append ai_in {http.ai.usage.input_tokens}\n\tlog_append ai_target {http.ai.target.model}\n\theader >X-Test-Model {http.ai.model}\n\tai_gateway"
	g := weirtest.StartWith(t, logTo(file), "provider sim simulator\nmodel chat sim/tokens-5\nusage log", site)
	client := newClient(t)
	res, _ := post(t, client, g.URL+"/v1/chat/completions", asks("chat"), "X-Request-Id", "mine-1")
	if got := res.Header.Get("X-Test-Model"); got != "chat" {
		t.Errorf("the header made of a placeholder is %q", got)
	}
	post(t, client, g.URL+"/v1/chat/completions", `{"model":"chat","stream":true,"messages":[{"role":"user"}]}`, "X-Request-Id", "mine-2")
	post(t, client, g.URL+"/v1/chat/completions", asks("chart"), "X-Request-Id", "mine-3")
	g.Records.Wait(t, 3)

	want := append([]string(nil), recordMembers...)
	sort.Strings(want)
	var usage, access []json.RawMessage
	eventually(t, "all lines", func() bool {
		usage, access = logLines(t, file, "ai.usage"), nil
		for _, line := range logLines(t, file, "http.log.access") {
			// Probes of the harness are no exchanges.
			if !strings.Contains(string(line), `"method":"HEAD"`) {
				access = append(access, line)
			}
		}
		return len(usage) >= 3 && len(access) >= 3
	})
	if len(usage) != 3 {
		t.Fatalf("%d usage lines, want 3", len(usage))
	}
	type record struct {
		RequestID string   `json:"request_id"`
		Model     string   `json:"model"`
		Provider  string   `json:"provider"`
		Upstream  string   `json:"upstream_model"`
		Status    int      `json:"status"`
		Error     string   `json:"error"`
		Stream    bool     `json:"stream"`
		Output    int      `json:"output_tokens"`
		Source    string   `json:"usage_source"`
		Cost      *float64 `json:"cost_usd"`
	}
	nothing := 0.0 // the simulator is free
	wantRecords := []record{
		{RequestID: "mine-1", Model: "chat", Provider: "sim", Upstream: "tokens-5", Status: 200, Output: 5, Source: "provider", Cost: &nothing},
		{RequestID: "mine-2", Model: "chat", Provider: "sim", Upstream: "tokens-5", Status: 200, Output: 5, Source: "provider", Stream: true, Cost: &nothing},
		{RequestID: "mine-3", Model: "chart", Status: 404, Error: "model_not_found", Source: "none", Cost: &nothing},
	}
	byID := make(map[string]json.RawMessage)
	for i, line := range usage {
		if diff := cmp.Diff(want, memberNames(t, line)); diff != "" {
			t.Errorf("usage line %d (-want +got)\n%s", i, diff)
		}
		var r record
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatal(err)
		}
		byID[r.RequestID] = line
		if diff := cmp.Diff(wantRecords[i], r); diff != "" {
			t.Errorf("usage line %d (-want +got)\n%s", i, diff)
		}
	}
	for i, line := range access {
		var l struct {
			AI       json.RawMessage `json:"ai"`
			Model    string          `json:"ai_model"`
			In       any             `json:"ai_in"`
			Provider string          `json:"ai_provider"`
			Target   string          `json:"ai_target"`
		}
		if err := json.Unmarshal(line, &l); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, memberNames(t, l.AI)); diff != "" {
			t.Errorf("access line %d (-want +got)\n%s", i, diff)
		}
		var r record
		if err := json.Unmarshal(l.AI, &r); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(wantRecords[i], r); diff != "" {
			t.Errorf("access line %d (-want +got)\n%s", i, diff)
		}
		if l.Model != r.Model || l.Target != r.Upstream || l.In == nil {
			t.Errorf("placeholders in access line %d: model %q, target %q, input %v; want those of %+v", i, l.Model, l.Target, l.In, r)
		}
		if strings.Contains(string(line), `"content":"hi"`) {
			t.Errorf("the prompt is in the access log: %s", line)
		}
	}
}

// TestAccessFormat holds that the format `ai` writes what Caddy's access log has of a
// request, its record and placeholders, without the client's keys.
func TestAccessFormat(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log")
	site := "log {\n\t\toutput file " + file + "\n\t\tformat ai {\n\t\t\ttime_format rfc3339\n\t\t}\n\t}\n\tlog_append ai_model {http.ai.model}\n\tai_gateway"
	g := weirtest.StartWith(t, "", "provider sim simulator\nmodel chat sim/tokens-5", site)
	res, _ := post(t, newClient(t), g.URL+"/v1/chat/completions?a=b&key=sk-mine", asks("chat"), "X-Api-Key", "sk-mine", "Authorization", "Bearer sk-mine")
	want := append([]string(nil), recordMembers...)
	sort.Strings(want)
	var line json.RawMessage
	eventually(t, "the line", func() bool {
		for _, l := range logLines(t, file, "http.log.access") {
			if strings.Contains(string(l), `"method":"POST"`) {
				line = l
			}
		}
		return line != nil
	})
	var l struct {
		TS      time.Time `json:"ts"`
		Status  int
		Model   string `json:"ai_model"`
		Request struct {
			URI     string
			Headers http.Header
		}
		Headers http.Header `json:"resp_headers"`
		AI      json.RawMessage
	}
	if err := json.Unmarshal(line, &l); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	if l.TS.IsZero() || l.Status != http.StatusOK || l.Model != "chat" || l.Headers.Get("X-Request-Id") != res.Header.Get("X-Request-Id") {
		t.Errorf("the line is %s", line)
	}
	if l.Request.URI != "/v1/chat/completions?a=b&key=REDACTED" || l.Request.Headers.Get("X-Api-Key") != "REDACTED" || l.Request.Headers.Get("Content-Type") != "application/json" || strings.Contains(string(line), "sk-") {
		t.Errorf("the request is %+v", l.Request)
	}
	if diff := cmp.Diff(want, memberNames(t, l.AI)); diff != "" {
		t.Errorf("its record (-want +got)\n%s", diff)
	}
}

// TestUsageReachesLogOfBefore holds that the record of a stream which outlives
// its configuration is not lost with that configuration's log file.
func TestUsageReachesLogOfBefore(t *testing.T) {
	up := newGated(t)
	file := filepath.Join(t.TempDir(), "log")
	ai := fmt.Sprintf("provider up openai_compatible {\n base_url %s\n}\nmodel chat up/m1\nusage log", up.URL)
	g := weirtest.StartWith(t, logTo(file), ai, "ai_gateway")
	streams := openStreams(t, newClient(t), g.URL, "chat", 3)
	if err := g.Load("", ai, "ai_gateway"); err != nil {
		t.Fatal(err)
	}
	close(up.release)
	finish(t, streams)
	eventually(t, "three usage lines", func() bool { return len(logLines(t, file, "ai.usage")) == 3 })
}

// metricLabels are Weir's metrics with their labels: a public shape.
var metricLabels = map[string]string{
	"caddy_ai_requests_total":                     "dialect,model,provider,status,stream",
	"caddy_ai_request_duration_seconds_bucket":    "dialect,le,model,provider",
	"caddy_ai_request_duration_seconds_count":     "dialect,model,provider",
	"caddy_ai_request_duration_seconds_sum":       "dialect,model,provider",
	"caddy_ai_time_to_first_token_seconds_bucket": "dialect,le,model,provider",
	"caddy_ai_time_to_first_token_seconds_count":  "dialect,model,provider",
	"caddy_ai_time_to_first_token_seconds_sum":    "dialect,model,provider",
	"caddy_ai_inter_token_seconds_bucket":         "dialect,le,model,provider",
	"caddy_ai_inter_token_seconds_count":          "dialect,model,provider",
	"caddy_ai_inter_token_seconds_sum":            "dialect,model,provider",
	"caddy_ai_overhead_seconds_bucket":            "dialect,le",
	"caddy_ai_overhead_seconds_count":             "dialect",
	"caddy_ai_overhead_seconds_sum":               "dialect",
	"caddy_ai_tokens_total":                       "direction,source",
	"caddy_ai_in_flight":                          "",
	"caddy_ai_breaker_open":                       "model,provider",
	"caddy_ai_queue_depth":                        "",
	"caddy_ai_provider_in_flight":                 "provider",
	"caddy_ai_provider_queue_depth":               "provider",
	"caddy_ai_shed_total":                         "class,reason",
	"caddy_ai_cost_usd_total":                     "",
	"caddy_ai_unpriced_total":                     "",
	"caddy_ai_limit_decisions_total":              "decision,unit",
	"caddy_ai_ledger_pending":                     "",
	"caddy_ai_store_errors_total":                 "store",
	"caddy_ai_upstream_attempts_total":            "outcome,provider",
	"caddy_ai_fallbacks_total":                    "reason",
	"caddy_ai_cache_lookups_total":                "kind,result",
	"caddy_ai_cache_saved_usd_total":              "",
	"caddy_ai_cache_bytes":                        "",
	"caddy_ai_cache_entries":                      "",
	"caddy_ai_cache_evictions_total":              "",
	"caddy_ai_cache_flights_bytes":                "",
	"caddy_ai_cache_remote_failures_total":        "",
	"caddy_ai_cache_semantic_rows":                "",
	"caddy_ai_token_memo_total":                   "result",
}

var labelName = regexp.MustCompile(`([a-z_]+)="`)

func TestMetrics(t *testing.T) {
	ai := "provider sim simulator\nmodel chat sim/tokens-5\nmodel gpt-* sim/tokens-3"
	g := weirtest.Start(t, ai, "ai_gateway")
	admin := weirtest.FreeAddr(t)
	if err := loadConfig(t, administered(g.Caddyfile("", ai, "ai_gateway"), admin)); err != nil {
		t.Fatal(err)
	}
	client := newClient(t)
	var records int
	call := func(path, body string) {
		t.Helper()
		post(t, client, g.URL+path, body)
		records++
		g.Records.Wait(t, records)
	}
	before := scrape(t, client, admin)
	call("/v1/chat/completions", `{"model":"chat","stream":true,"messages":[{"role":"user"}]}`)
	call("/v1/chat/completions", asks("gpt-anything"))
	call("/v1/chat/completions", asks("sim/err-429"))
	call("/v1/chat/completions", asks("sim/invented"))
	call("/v1/chat/completions", asks("invented"))
	call("/v1/tokenize", `{"model":"chat"}`)
	call("/v1/tokenize", `{"model":"chat","input":"hi"}`)
	after := scrape(t, client, admin)

	got := make(map[string]string)
	for series := range after {
		name, labels, _ := strings.Cut(series, "{")
		if !strings.HasPrefix(name, "caddy_ai_") {
			continue
		}
		var names []string
		for _, m := range labelName.FindAllStringSubmatch(labels, -1) {
			names = append(names, m[1])
		}
		sort.Strings(names)
		got[name] = strings.Join(names, ",")
	}
	if diff := cmp.Diff(metricLabels, got); diff != "" {
		t.Errorf("names and labels (-want +got)\n%s", diff)
	}
	for series, want := range map[string]float64{
		`caddy_ai_requests_total{dialect="openai",model="chat",provider="sim",status="200",stream="true"}`:       1,
		`caddy_ai_requests_total{dialect="openai",model="gpt-*",provider="sim",status="200",stream="false"}`:     1,
		`caddy_ai_requests_total{dialect="openai",model="_other",provider="sim",status="429",stream="false"}`:    1,
		`caddy_ai_requests_total{dialect="openai",model="_other",provider="sim",status="200",stream="false"}`:    1,
		`caddy_ai_requests_total{dialect="openai",model="_other",provider="_other",status="404",stream="false"}`: 1,
		`caddy_ai_requests_total{dialect="openai",model="chat",provider="sim",status="400",stream="false"}`:      1,
		`caddy_ai_requests_total{dialect="openai",model="chat",provider="sim",status="200",stream="false"}`:      1,
		`caddy_ai_upstream_attempts_total{outcome="ok",provider="sim"}`:                                          3,
		`caddy_ai_upstream_attempts_total{outcome="rate_limited",provider="sim"}`:                                1,
		`caddy_ai_in_flight`: 0,
	} {
		if got := after[series] - before[series]; got != want {
			t.Errorf("%s rose by %v, want %v", series, got, want)
		}
	}

	// What clients invent makes no series.
	for i := range 500 {
		call("/v1/chat/completions", asks(fmt.Sprintf("invented-%d", i)))
		call("/v1/chat/completions", asks(fmt.Sprintf("sim/invented-%d", i)))
	}
	if grown := len(scrape(t, client, admin)) - len(after); grown != 0 {
		t.Errorf("1,000 invented names made %d series", grown)
	}
}

func TestServerTiming(t *testing.T) {
	g := weirtest.Start(t, "provider sim simulator\nmodel chat sim/tokens-5", "ai_gateway")
	client := newClient(t)
	timing := regexp.MustCompile(`^auth;dur=[\d.]+, route;dur=[\d.]+, upstream;dur=[\d.]+, total;dur=[\d.]+$`)
	for name, body := range map[string]string{
		"whole":          asks("chat"),
		"stream":         `{"model":"chat","stream":true,"messages":[{"role":"user"}]}`,
		"upstream error": asks("sim/err-500"),
		"own error":      asks("unknown"),
	} {
		if res, _ := post(t, client, g.URL+"/v1/chat/completions", body); !timing.MatchString(res.Header.Get("Server-Timing")) {
			t.Errorf("%s: Server-Timing %q", name, res.Header.Get("Server-Timing"))
		}
	}
}

// TestSpans holds that Caddy's `tracing` exports a GenAI span for each call.
func TestSpans(t *testing.T) {
	var mu sync.Mutex
	var exported bytes.Buffer
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		_, _ = io.Copy(&exported, r.Body)
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	defer collector.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
	g := weirtest.Start(t, "provider sim simulator\nmodel chat sim/tokens-5\nmodel raced sim/slow sim/err-503 {\nhedge 10ms\n}\nmodel broken sim/cut-3 {\non_cut continue\nfallback sim/err-429 sim/err-502\n}", "tracing\n\tai_gateway")
	client := newClient(t)
	post(t, client, g.URL+"/v1/chat/completions", `{"model":"chat","stream":true,"temperature":0.5,"max_tokens":50,"messages":[{"role":"user"}]}`)
	post(t, client, g.URL+"/v1/chat/completions", asks("sim/err-500"))
	post(t, client, g.URL+"/v1/chat/completions", `{"model":"raced","stream":true,"max_tokens":2,"messages":[{"role":"user"}]}`)
	post(t, client, g.URL+"/v1/chat/completions", `{"model":"broken","stream":true,"messages":[{"role":"user"}]}`)
	seen := func(text string) bool {
		mu.Lock()
		defer mu.Unlock()
		return bytes.Contains(exported.Bytes(), []byte(text))
	}
	for _, text := range []string{
		"chat tokens-5", "gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model", "gen_ai.request.stream",
		"gen_ai.request.max_tokens", "gen_ai.request.temperature", "gen_ai.response.finish_reasons", "gen_ai.usage.input_tokens",
		"gen_ai.usage.output_tokens", "gen_ai.response.time_to_first_chunk", "chat err-500", "error.type",
		"chat err-503", "chat slow", "chat cut-3", "chat err-429", "chat err-502",
	} {
		eventually(t, "a span with "+text, func() bool { return seen(text) })
	}
}
