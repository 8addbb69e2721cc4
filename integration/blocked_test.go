package integration

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/integration/weirtest"
)

// blockedPrompt is how Gemini refuses a prompt: with status 200, and without a
// candidate.
const blockedPrompt = `{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"},"usageMetadata":{"promptTokenCount":5,"totalTokenCount":5},"modelVersion":"gemini-2.5-flash","responseId":"r1"}`

// TestBlockedPrompt leads a prompt that an upstream has refused with status 200
// where the model leads what breaks a content policy; everybody else gets what
// came.
func TestBlockedPrompt(t *testing.T) {
	t.Setenv("UPSTREAM_KEY", "sk-upstream-secret")
	const broken = "odd"
	up := weirtest.NewUpstream(t, func(w http.ResponseWriter, r *weirtest.Request) {
		switch {
		case strings.Contains(string(r.Body), broken) && strings.HasPrefix(r.Path, "/spare"):
			whole(400, doors[0].errorBody)(w, r)
		case strings.HasPrefix(r.Path, "/spare"):
			fine("spare")(w, r)
		case strings.Contains(r.Path, ":stream"):
			events("data: "+blockedPrompt+"\r\n\r\n")(w, r)
		default:
			whole(200, blockedPrompt)(w, r)
		}
	})
	g := weirtest.Start(t, strings.ReplaceAll(`
provider gem gemini {
	base_url URL/gem/v1beta
	api_key {env.UPSTREAM_KEY}
}
provider vert vertex {
	base_url URL/vert/v1
	project p1
	location us-east5
	api_key {env.UPSTREAM_KEY}
}
provider spare openai {
	base_url URL/spare/v1
	api_key {env.UPSTREAM_KEY}
}
price gem/* input 1 output 1
model plain gem/gemini-2.5-flash
model other gem/gemini-2.5-flash {
	fallback spare/gpt-4o
}
model leads gem/gemini-2.5-flash {
	fallback_on content_policy spare/gpt-4o
}
model cloud vert/gemini-2.5-flash {
	fallback_on content_policy
	fallback spare/gpt-4o
}
model raced gem/gemini-2.5-flash {
	hedge 1h
	fallback_on content_policy spare/gpt-4o
}
model retried gem/gemini-2.5-flash {
	retry_on content_policy
	to spare/gpt-4o
}
model unfit gem/gemini-2.5-flash {
	fallback_on content_policy strict
}
model strict spare/gpt-4o {
	max_input_tokens 1
}
`, "URL", up.URL), "ai_gateway")
	seen := 0
	for _, tt := range []struct {
		model, text string
		status      int
		spare       bool // who answers in the end
		trail       []string
	}{
		{"plain", "hi", 200, false, []string{"first gem/gemini-2.5-flash"}},
		{"other", "hi", 200, false, []string{"first gem/gemini-2.5-flash"}},
		{"leads", "hi", 200, true, []string{"first gem/gemini-2.5-flash content_policy", "fallback spare/gpt-4o"}},
		{"cloud", "hi", 200, true, []string{"first vert/gemini-2.5-flash content_policy", "fallback spare/gpt-4o"}},
		{"raced", "hi", 200, true, []string{"first gem/gemini-2.5-flash content_policy", "fallback spare/gpt-4o"}},
		{"retried", "hi", 200, true, []string{"first gem/gemini-2.5-flash content_policy", "failover spare/gpt-4o"}},
		{"unfit", "hi", 200, false, []string{"first gem/gemini-2.5-flash content_policy"}},
		{"leads", broken, 400, true, []string{"first gem/gemini-2.5-flash content_policy", "fallback spare/gpt-4o invalid_request"}},
	} {
		for _, client := range []*door{doors[0], doors[2], doors[3]} {
			for _, stream := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%s/%s/%v", tt.model, tt.text, client.name, stream), func(t *testing.T) {
					body := client.whole
					if stream {
						body = client.body
					}
					path := strings.Replace(client.pathOf(body), "/m:", "/"+tt.model+":", 1)
					body = strings.Replace(strings.Replace(body, `"m"`, `"`+tt.model+`"`, 1), `"hi"`, `"`+tt.text+`"`, 1)
					c := dial(t, g.Addr)
					c.post(t, path, body)
					got := c.reply(t)
					seen++
					r := g.Records.Wait(t, seen)[seen-1]
					checkTrail(t, r, tt.trail...)
					if got.status != tt.status || got.cut {
						t.Fatalf("status %d, cut %v: %s", got.status, got.cut, got.body)
					}
					switch {
					case tt.status != 200:
					case tt.spare && (!strings.Contains(got.body, "by spare") || r.Error != "" || r.Provider != "spare"):
						t.Errorf("by %s, error %q: %s", r.Provider, r.Error, got.body)
					case !tt.spare && client.name == "gemini":
						want := blockedPrompt
						if stream {
							want = "data: " + blockedPrompt + "\r\n\r\n"
						}
						if got.body != want {
							t.Errorf("body %s", got.body)
						}
					}
					if tt.status == 200 && !tt.spare && (r.Error != "" || r.Usage.Input != 5 || r.UsageSource != gateway.SourceProvider || r.FinishReason != "PROHIBITED_CONTENT") {
						t.Errorf("record %+v", r)
					}
					if tt.model == "leads" && r.Overhead != 5000 {
						t.Errorf("overhead %d", r.Overhead)
					}
				})
			}
		}
	}
}
