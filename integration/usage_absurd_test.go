package integration

import (
	"strconv"
	"strings"
	"testing"

	"github.com/weirproxy/weir/gateway"
)

// TestAbsurdUsage counts for itself where an upstream reports what no count can be: less
// than nothing would give back to a limit what others have used, and more than there
// are tokens would shut it for good.
func TestAbsurdUsage(t *testing.T) {
	s := newStage(t, "price one/* input 1 output 1\nmodel m one/gpt-4o {\nmax_output_tokens 100\n}\nkey ci {env.CI_KEY} {\nlimit tokens 10000 1d\n}", "")
	left := func(r *reply) int64 {
		t.Helper()
		n, err := strconv.ParseInt(r.header.Get("X-Ratelimit-Remaining-Tokens"), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	last, seen := int64(10001), 0
	for _, usage := range []string{
		`"prompt_tokens":7,"completion_tokens":2`,
		`"prompt_tokens":7,"completion_tokens":-500`,
		`"prompt_tokens":-500,"completion_tokens":2`,
		`"prompt_tokens":-9223372036854775808,"completion_tokens":-9223372036854775808`,
		`"prompt_tokens":9223372036854775807,"completion_tokens":9223372036854775807`,
		`"prompt_tokens":7,"completion_tokens":9e18`,
		`"prompt_tokens":7,"completion_tokens":99999999999999999999`,
	} {
		for _, stream := range []bool{false, true} {
			s.plays("one", whole(200, `{"id":"c","object":"chat.completion","created":1,"model":"gpt-4o","choices":[{"index":0,"message":{"role":"assistant","content":"two words"},"finish_reason":"stop"}],"usage":{`+usage+`}}`))
			body := asks("m")
			if stream {
				body = strings.Replace(body, "{", `{"stream":true,`, 1)
				s.plays("one", events(`data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"gpt-4o","choices":[{"index":0,"delta":{"role":"assistant","content":"two words"},"finish_reason":null}]}`+"\n\n"+
					`data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"gpt-4o","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`+"\n\n"+
					`data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"gpt-4o","choices":[],"usage":{`+usage+`}}`+"\n\ndata: [DONE]\n\n"))
			}
			got := s.post(t, "/v1/chat/completions", body, as(keyOfCI)...)
			if got.status != 200 {
				t.Fatalf("%s, stream %v: %d %s", usage, stream, got.status, got.body)
			}
			seen++
			r := s.Records.Wait(t, seen)[seen-1]
			sane := strings.HasSuffix(usage, ":7,\"completion_tokens\":2")
			if (r.UsageSource == gateway.SourceProvider) != sane || r.Usage.Input < 1 || r.Usage.Input > 20 || r.Usage.Output != 2 || r.Cost.Total != (r.Usage.Input+2)*1000 {
				t.Errorf("%s, stream %v: record %s %+v, cost %d", usage, stream, r.UsageSource, r.Usage, r.Cost.Total)
			}
			if n := left(got); n >= last || n < last-150 {
				t.Errorf("%s, stream %v: %d left after %d", usage, stream, n, last)
			} else if !stream {
				last = n
			}
		}
	}
	// What all of them have used is settled in the end, to the token.
	s.plays("one", nil)
	eventually(t, "what is left", func() bool {
		got := s.post(t, "/v1/chat/completions", asks("m"), as(keyOfCI)...)
		seen++
		total := int64(0)
		for _, r := range s.Records.Wait(t, seen) {
			total += r.Usage.Input + r.Usage.Output
		}
		return got.status == 200 && left(got) == 10000-total
	})
}
