package integration

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/integration/weirtest"
)

const cachedModel = "model m one/gpt-4.1\n"

func wanting(stream bool, more string) string {
	s := ""
	if stream {
		s = `"stream":true,`
	}
	return fmt.Sprintf(`{"model":"m",%s"max_tokens":50,"messages":[{"role":"user","content":"hello%s"}]}`, s, more)
}

// TestCacheServes holds that an answer is paid for once.
func TestCacheServes(t *testing.T) {
	for _, first := range []bool{false, true} {
		for _, second := range []bool{false, true} {
			t.Run(fmt.Sprintf("streamed %t, then %t", first, second), func(t *testing.T) {
				s := newStage(t, cachedModel, "cache exact")
				a := s.post(t, "/v1/chat/completions", wanting(first, ""))
				if a.status != 200 || a.header.Get("X-AI-Cache") != "miss" {
					t.Fatalf("first: %d %v %s", a.status, a.header, a.body)
				}
				b := s.post(t, "/v1/chat/completions", wanting(second, ""))
				if b.status != 200 || b.header.Get("X-AI-Cache") != "hit" {
					t.Fatalf("second: %d %v %s", b.status, b.header, b.body)
				}
				if !strings.HasPrefix(b.header.Get("Cache-Status"), "weir; hit; ttl=3") {
					t.Errorf("Cache-Status: %s", b.header.Get("Cache-Status"))
				}
				if _, names := s.called(); names != "one" {
					t.Errorf("called %s", names)
				}
				if first == second && a.body != b.body {
					t.Errorf("got\n%s\nafter\n%s", b.body, a.body)
				}
				records := s.Records.Wait(t, 2)
				if records[0].Cache != gateway.CacheMiss || records[1].Cache != gateway.CacheHit || records[1].Saved == 0 || records[1].Cost.Total != 0 || !records[1].Usage.IsZero() {
					t.Errorf("%+v", records[1])
				}
			})
		}
	}
}

// TestSavedWithoutReport holds that a hit has saved what the answer has cost, also where
// only the gateway has counted its tokens.
func TestSavedWithoutReport(t *testing.T) {
	for name, stream := range map[string]bool{"whole": false, "streamed": true} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, cachedModel, "cache exact")
			s.plays("one", whole(200, strings.Replace(chatAnswer(chatChoice(`"stop"`)), `,"usage":`, `,"unused":`, 1)))
			if stream {
				s.plays("one", events(strings.Replace(chatStream(`"stop"`, done), usageChunk, "", 1)))
			}
			for range 2 {
				s.post(t, "/v1/chat/completions", wanting(stream, ""))
			}
			records := s.Records.Wait(t, 2)
			if miss, hit := records[0], records[1]; miss.UsageSource != gateway.SourceEstimated || miss.Cost.Total <= 0 || hit.Cache != gateway.CacheHit || hit.Saved != miss.Cost.Total {
				t.Errorf("%s, cost %d; %s, saved %d", miss.UsageSource, miss.Cost.Total, hit.Cache, hit.Saved)
			}
		})
	}
}

// TestCacheAcrossSDKs holds that what Anthropic's SDKs send with every request does
// not keep their answers from clients of another dialect, nor the reverse.
func TestCacheAcrossSDKs(t *testing.T) {
	g := weirtest.Start(t, "provider sim simulator\nmodel m sim/default", "ai_gateway {\ncache exact\n}")
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	for i, paths := range [][]string{{"/v1/messages", "/v1/chat/completions"}, {"/v1/chat/completions", "/v1/messages"}} {
		for n, want := range []string{"miss", "hit"} {
			body := fmt.Sprintf(`{"model":"m","max_tokens":5000,"messages":[{"role":"user","content":"hello %d"}]}`, i)
			req, err := http.NewRequest(http.MethodPost, g.URL+paths[n], strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			if paths[n] == "/v1/messages" {
				req.Header.Set("Anthropic-Version", "2023-06-01")
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
			if got := res.Header.Get("X-AI-Cache"); res.StatusCode != 200 || got != want {
				t.Errorf("%s: status %d, %s, want %s", paths[n], res.StatusCode, got, want)
			}
		}
	}
}
