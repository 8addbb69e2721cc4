package simulator

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func streamOf(model string) string {
	return `{"model":"` + model + `","stream":true,"max_tokens":50,` + hello + `}`
}

// endpoints are the three that stream in their own ways.
var endpoints = []struct{ name, path, content string }{
	{"chat", "/v1/chat/completions", `"delta":{"content":`},
	{"responses", "/v1/responses", `"type":"response.output_text.delta"`},
	{"messages", "/v1/messages", `"text_delta"`},
}

// askStream builds the request in the dialect of the path.
func askStream(path, model string) string {
	if strings.HasSuffix(path, "/responses") {
		return `{"model":"` + model + `","stream":true,"input":"Hello there"}`
	}
	return streamOf(model)
}

func TestCut(t *testing.T) {
	for _, e := range endpoints {
		for _, n := range []int{0, 1, 7} {
			model := map[int]string{0: "cut-0", 1: "cut-1", 7: "cut-7"}[n]
			t.Run(e.name+"/"+model, func(t *testing.T) {
				res := post(t, simulate(Config{}), e.path, askStream(e.path, model))
				body, err := io.ReadAll(res.Body)
				if !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("error %v, want unexpected EOF", err)
				}
				if got := strings.Count(string(body), e.content); got != n {
					t.Errorf("%d tokens before the cut, want %d", got, n)
				}
			})
		}
	}
}

func TestCutBody(t *testing.T) {
	res := post(t, simulate(Config{CutAfter: 5}), "/v1/chat/completions", `{"model":"m",`+hello+`}`)
	body, err := io.ReadAll(res.Body)
	if !errors.Is(err, io.ErrUnexpectedEOF) || int64(len(body)) >= res.ContentLength || len(body) == 0 {
		t.Errorf("%d of %d bytes, error %v", len(body), res.ContentLength, err)
	}
}

func TestCutAfterTheAnswerIsNone(t *testing.T) {
	res := post(t, simulate(Config{}), "/v1/chat/completions", streamOf("cut-20+tokens-5"))
	if body := read(t, res); !strings.HasSuffix(body, "data: [DONE]\n\n") {
		t.Errorf("ends with %q", body[max(0, len(body)-40):])
	}
}

var errCause = errors.New("the test ended it")

func TestStallEndsWithTheContext(t *testing.T) {
	for _, e := range endpoints {
		t.Run(e.name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			res, err := simulate(Config{}).RoundTrip(request(t, ctx, http.MethodPost, e.path, askStream(e.path, "stall-3")))
			if err != nil {
				t.Fatal(err)
			}
			buf, got := make([]byte, 64<<10), ""
			for strings.Count(got, e.content) < 3 {
				n, err := res.Body.Read(buf)
				if err != nil {
					t.Fatalf("after %q: %v", got, err)
				}
				got += string(buf[:n])
			}
			done := make(chan error)
			go func() {
				_, err := res.Body.Read(buf)
				done <- err
			}()
			select {
			case err := <-done:
				t.Fatalf("the stalled stream returned %v", err)
			default:
			}
			cancel(errCause)
			if err := <-done; !errors.Is(err, errCause) {
				t.Errorf("error %v, want the cause", err)
			}
		})
	}
}

func TestCloseUnblocksRead(t *testing.T) {
	clock := newStuckClock()
	res := post(t, simulate(Config{Clock: clock}), "/v1/chat/completions", streamOf("slow"))
	buf := make([]byte, 64<<10)
	if _, err := res.Body.Read(buf); err != nil { // the role chunk waits for nothing
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		_, err := res.Body.Read(buf)
		done <- err
	}()
	select {
	case d := <-clock.waits:
		if d != 2*time.Second {
			t.Errorf("waits %v for the first token, want 2s", d)
		}
	case err := <-done:
		t.Fatalf("read returned %v", err)
	}
	res.Body.Close()
	if err := <-done; !errors.Is(err, http.ErrBodyReadAfterClose) {
		t.Errorf("error %v", err)
	}
}

// TestCancelBeforeHeaders covers every place where RoundTrip waits.
func TestCancelBeforeHeaders(t *testing.T) {
	for _, tt := range []struct{ name, body string }{
		{"hang", `{"model":"hang",` + hello + `}`},
		{"hang+stream", streamOf("hang")},
		{"slow", `{"model":"slow",` + hello + `}`},
		{"stall", `{"model":"stall-2",` + hello + `}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			clock := newStuckClock()
			done := make(chan error)
			go func() {
				_, err := simulate(Config{Clock: clock}).RoundTrip(request(t, ctx, http.MethodPost, "/v1/chat/completions", tt.body))
				done <- err
			}()
			if tt.name == "slow" {
				<-clock.waits
			}
			cancel(errCause)
			if err := <-done; !errors.Is(err, errCause) {
				t.Errorf("error %v, want the cause", err)
			}
		})
	}
}

func TestEndedContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := simulate(Config{}).RoundTrip(request(t, ctx, http.MethodGet, "/v1/models", ""))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestPace(t *testing.T) {
	clock := newJumpClock()
	begin := clock.Now()
	res := post(t, simulate(Config{Clock: clock, TTFT: time.Second, TokensPerSecond: 10}), "/v1/chat/completions", streamOf("tokens-5"))
	buf := make([]byte, 64<<10)
	var at []time.Duration
	for {
		_, err := res.Body.Read(buf)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		at = append(at, clock.Now().Sub(begin))
	}
	want := []time.Duration{0, 1000, 1100, 1200, 1300, 1400}
	for i := range want {
		want[i] *= time.Millisecond
	}
	if len(at) != len(want) {
		t.Fatalf("reads at %v, want %v", at, want)
	}
	for i := range want {
		if at[i] != want[i] {
			t.Fatalf("reads at %v, want %v", at, want)
		}
	}
}

func TestPaceOfWholeAnswer(t *testing.T) {
	clock := newJumpClock()
	begin := clock.Now()
	post(t, simulate(Config{Clock: clock}), "/v1/messages", `{"model":"slow+tokens-11","max_tokens":50,`+hello+`}`)
	if got := clock.Now().Sub(begin); got != 4*time.Second {
		t.Errorf("after %v, want 2s and ten tokens at 5 a second", got)
	}
}

// TestSmallReads: events survive a reader that takes a byte at a time.
func TestSmallReads(t *testing.T) {
	s := simulate(Config{})
	want := read(t, post(t, s, "/v1/messages", streamOf("tokens-9")))
	s = simulate(Config{})
	res := post(t, s, "/v1/messages", streamOf("tokens-9"))
	var got []byte
	one := make([]byte, 1)
	for {
		n, err := res.Body.Read(one)
		got = append(got, one[:n]...)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if string(got) != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestErrorRate(t *testing.T) {
	next := 0.0
	s := simulate(Config{ErrorRate: 0.5, ErrorStatus: 503, Rand: func() float64 { next += 0.3; return next - 0.3 }})
	for i, want := range []int{503, 503, 200, 200} {
		if res := post(t, s, "/v1/chat/completions", `{"model":"m",`+hello+`}`); res.StatusCode != want {
			t.Errorf("request %d: status %d, want %d", i, res.StatusCode, want)
		}
	}
	if res := post(t, simulate(Config{ErrorRate: 1}), "/v1/messages/count_tokens", `{"model":"m",`+hello+`}`); res.StatusCode != 200 {
		t.Errorf("counting failed with %d", res.StatusCode)
	}
	if res := post(t, simulate(Config{ErrorRate: 1}), "/v1/embeddings", `{"model":"m","input":"a"}`); res.StatusCode != 500 {
		t.Errorf("status %d, want 500 for certain", res.StatusCode)
	}
}

func TestGarbageBody(t *testing.T) {
	body := read(t, post(t, simulate(Config{}), "/v1/chat/completions", `{"model":"garbage",`+hello+`}`))
	if json.Valid([]byte(body)) {
		t.Errorf("valid JSON: %s", body)
	}
}

func TestHTML(t *testing.T) {
	res := post(t, simulate(Config{}), "/v1/messages", streamOf("html"))
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/html" || !strings.Contains(read(t, res), "<html>") {
		t.Errorf("status %d, %q", res.StatusCode, res.Header.Get("Content-Type"))
	}
}

func TestNoUsage(t *testing.T) {
	for _, e := range endpoints {
		body := strings.TrimSuffix(askStream(e.path, "nousage"), "}") + `,"stream_options":{"include_usage":true}}`
		got := read(t, post(t, simulate(Config{}), e.path, body))
		if strings.Contains(got, "_tokens\":1") || strings.Contains(got, `"usage":{`) {
			t.Errorf("%s reports usage: %s", e.name, got)
		}
	}
}
