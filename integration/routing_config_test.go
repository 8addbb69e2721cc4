package integration

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/weirproxy/weir/integration/weirtest"
)

// TestRoutingJSON holds that JSON is checked as Caddyfiles are, which refuse
// such mistakes before they become JSON.
func TestRoutingJSON(t *testing.T) {
	const targets = `"targets":[{"provider":"sim","model":"a"},{"provider":"sim","model":"b"}]`
	for model, want := range map[string]string{
		targets: "",
		targets + `,"lb_policy":{"policy":"weighted_round_robin","weights":[2,1]},"when":[{"conditions":[{"of":"tools"}],"lb_policy":{"policy":"random"}}]`:            "",
		targets + `,"lb_policy":{"policy":"weighted_round_robin","weights":[2,1,1]}`:                                                                                   "model 'chat': lb_policy: 3 weights for 2 targets",
		targets + `,"lb_policy":{"policy":"key_hash","fallback":{"policy":"weighted_round_robin","weights":[1]}}`:                                                      "model 'chat': lb_policy: fallback: 1 weight for 2 targets",
		targets + `,"lb_policy":{"policy":"weighted_round_robin","weights":[2,1]},"when":[{"conditions":[{"of":"tools"}],"targets":[{"provider":"sim","model":"c"}]}]`: "when: lb_policy: 2 weights for 1 target",
		targets + `,"lb_policy":{"policy":"rundom"}`:                                                      "unknown module: ai.policies.rundom",
		targets + `,"when":[null]`:                                                                        "when: it is null",
		targets + `,"when":[{"model":"chat"}]`:                                                            "when: no condition is given",
		targets + `,"when":[{"conditions":[{"of":"tools"}],"model":"chat"}]`:                              "models lead in a circle: chat → chat",
		targets + `,"when":[{"conditions":[{"of":"tools"}],"model":"chat","fallback":[{"model":"x"}]}]`:   "the request is handed to 'chat'",
		targets + `,"when":[{"conditions":[{"of":"tool"}],"fallback":[{"provider":"sim","model":"x"}]}]`:  "unknown condition 'tool'; did you mean 'tools'?",
		targets + `,"fallback_on":[{"classes":["rate_limt"],"targets":[{"provider":"sim","model":"x"}]}]`: "fallback_on: unknown error class 'rate_limt'",
		targets + `,"retry_on":["timeot"]`:                                                                "retry_on: unknown error class 'timeot'; did you mean 'timeout'?",
		targets + `,"on_cut":"resume"`:                                                                    "on_cut must be 'fail' or 'continue', not 'resume'",
		targets + `,"lb_retries":-1`:                                                                      "lb_retries must not be negative",
		targets + `,"hedge":{"delay":"-1s"}`:                                                              "must not be negative",
	} {
		config := `{"admin":{"disabled":true},"apps":{"ai":{"records":{"records":"off"},"providers":{"sim":{"provider":"simulator"}},"models":{"chat":{` + model + `}}}}}`
		var cfg caddy.Config
		if err := json.Unmarshal([]byte(config), &cfg); err != nil {
			t.Fatal(err)
		}
		err := caddy.Validate(&cfg)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s\nerror %v\nwant  %s", model, err, want)
		}
	}
}

// TestInternalModel holds that clients can neither see nor name what is there
// for other models only.
func TestInternalModel(t *testing.T) {
	g := weirtest.Start(t, "provider sim simulator\nmodel chat sim/a {\nfallback chat-large\n}\nmodel chat-large sim/b {\ninternal\n}\nmodel chat-* sim/*", "ai_gateway")
	read := func(res *http.Response, err error) (int, string) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(body)
	}
	if status, body := read(http.Get(g.URL + "/v1/models")); status != 200 || !strings.Contains(body, `"chat"`) || strings.Contains(body, "chat-large") {
		t.Errorf("list: %d %s", status, body)
	}
	if status, body := read(http.Get(g.URL + "/v1/models/chat-large")); status != 404 {
		t.Errorf("one: %d %s", status, body)
	}
	ask := func(model string) (int, string) {
		return read(http.Post(g.URL+"/v1/chat/completions", "application/json", strings.NewReader(`{"model":"`+model+`","messages":[{"role":"user","content":"hi"}]}`)))
	}
	if status, body := ask("chat-large"); status != 404 || strings.Contains(body, "mean 'chat-large") {
		t.Errorf("call: %d %s", status, body)
	}
	for _, model := range []string{"chat", "chat-small"} {
		if status, body := ask(model); status != 200 {
			t.Errorf("%s: %d %s", model, status, body)
		}
	}
}

// TestLimitNamesJSON holds that limits of providers and models that there are not
// are refused in JSON too.
func TestLimitNamesJSON(t *testing.T) {
	for limit, want := range map[string]string{
		`{"scope":"provider","name":"sim","rule":"requests 5 1m"}`:   "",
		`{"scope":"provider","name":"*","rule":"requests 5 1m"}`:     "",
		`{"scope":"model","name":"sim/any","rule":"requests 5 1m"}`:  "",
		`{"scope":"team","name":"later","rule":"requests 5 1m"}`:     "",
		`{"scope":"provider","name":"simm","rule":"requests 5 1m"}`:  "limit: the provider 'simm' is not configured; did you mean 'sim'?",
		`{"scope":"model","name":"chta","rule":"requests 5 1m"}`:     "limit: 'chta' is neither a configured model nor written provider/model; did you mean 'chat'?",
		`{"scope":"model","name":"simm/any","rule":"requests 5 1m"}`: "limit: 'simm/any' is neither",
		`{"scope":"model","name":"sim/","rule":"requests 5 1m"}`:     "limit: 'sim/' is neither",
		`{"scope":"modell","name":"sim/any","rule":"requests 5 1m"}`: "unknown scope 'modell'",
	} {
		config := `{"admin":{"disabled":true},"apps":{"ai":{"records":{"records":"off"},"providers":{"sim":{"provider":"simulator"}},"models":{"chat":{"targets":[{"provider":"sim","model":"a"}]}},"limits":[` + limit + `]}}}`
		var cfg caddy.Config
		if err := json.Unmarshal([]byte(config), &cfg); err != nil {
			t.Fatal(err)
		}
		err := caddy.Validate(&cfg)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s\nerror %v\nwant  %s", limit, err, want)
		}
	}
}
