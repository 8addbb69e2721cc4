package simulator

import (
	"encoding/json"
	"net/http"
	"testing"
)

// TestErrors covers requests that the vendors refuse, in both dialects.
func TestErrors(t *testing.T) {
	const chat, messages, responses = "/v1/chat/completions", "/v1/messages", "/v1/responses"
	for _, tt := range []struct {
		name, path, body  string
		status            int
		kind, code, param string
	}{
		{"not JSON", chat, `{"model":`, 400, "invalid_request_error", "", ""},
		{"empty", chat, ``, 400, "invalid_request_error", "", ""},
		{"array", chat, `[]`, 400, "invalid_request_error", "", ""},
		{"no model", chat, `{` + hello + `}`, 400, "invalid_request_error", "", ""},
		{"model of another type", chat, `{"model":5}`, 400, "invalid_request_error", "invalid_type", "model"},
		{"no messages", chat, `{"model":"m"}`, 400, "invalid_request_error", "missing_required_parameter", "messages"},
		{"empty messages", chat, `{"model":"m","messages":[]}`, 400, "invalid_request_error", "empty_array", "messages"},
		{"messages of another type", chat, `{"model":"m","messages":"Hi"}`, 400, "invalid_request_error", "invalid_type", "messages"},
		{"content of another type", chat, `{"model":"m","messages":[{"role":"user","content":5}]}`, 400, "invalid_request_error", "invalid_type", ""},
		{"max_tokens 0", chat, `{"model":"m","max_tokens":0,` + hello + `}`, 400, "invalid_request_error", "integer_below_min_value", "max_tokens"},
		{"n 0", chat, `{"model":"m","n":0,` + hello + `}`, 400, "invalid_request_error", "integer_below_min_value", "n"},
		{"n 129", chat, `{"model":"m","n":129,` + hello + `}`, 400, "invalid_request_error", "integer_above_max_value", "n"},
		{"no prompt", "/v1/completions", `{"model":"m"}`, 400, "invalid_request_error", "missing_required_parameter", "prompt"},
		{"no input", responses, `{"model":"m"}`, 400, "invalid_request_error", "missing_required_parameter", "input"},
		{"input of another type", responses, `{"model":"m","input":5}`, 400, "invalid_request_error", "invalid_type", "input"},
		{"no embedding input", "/v1/embeddings", `{"model":"m"}`, 400, "invalid_request_error", "missing_required_parameter", "input"},
		{"too many dimensions", "/v1/embeddings", `{"model":"m","input":"a","dimensions":1537}`, 400, "invalid_request_error", "integer_above_max_value", "dimensions"},
		{"encoding format", "/v1/embeddings", `{"model":"m","input":"a","encoding_format":"hex"}`, 400, "invalid_request_error", "invalid_value", "encoding_format"},
		{"no moderation input", "/v1/moderations", `{}`, 400, "invalid_request_error", "missing_required_parameter", "input"},
		{"unknown path", "/v1/nothing", `{}`, 404, "invalid_request_error", "", ""},
		{"err-400", chat, `{"model":"err-400"}`, 400, "invalid_request_error", "", ""},
		{"err-401", chat, `{"model":"err-401"}`, 401, "invalid_request_error", "invalid_api_key", ""},
		{"err-404", chat, `{"model":"err-404"}`, 404, "invalid_request_error", "model_not_found", ""},
		{"err-429", responses, `{"model":"err-429"}`, 429, "requests", "rate_limit_exceeded", ""},
		{"err-quota", chat, `{"model":"err-quota"}`, 429, "insufficient_quota", "insufficient_quota", ""},
		{"err-500", chat, `{"model":"sim/err-500"}`, 500, "server_error", "", ""},
		{"err-context", chat, `{"model":"err-context"}`, 400, "invalid_request_error", "context_length_exceeded", "messages"},
		{"err in another word's company", chat, `{"model":"slow+err-503"}`, 503, "server_error", "", ""},
		{"anthropic not JSON", messages, `{`, 400, "invalid_request_error", "", ""},
		{"anthropic no model", messages, `{}`, 400, "invalid_request_error", "", ""},
		{"anthropic no messages", messages, `{"model":"m","max_tokens":1}`, 400, "invalid_request_error", "", ""},
		{"anthropic no max_tokens", messages, `{"model":"m",` + hello + `}`, 400, "invalid_request_error", "", ""},
		{"anthropic err-401", messages, `{"model":"err-401"}`, 401, "authentication_error", "", ""},
		{"anthropic err-429", messages, `{"model":"err-429"}`, 429, "rate_limit_error", "", ""},
		{"anthropic err-500", messages, `{"model":"err-500"}`, 500, "api_error", "", ""},
		{"anthropic err-529", messages, `{"model":"err-529"}`, 529, "overloaded_error", "", ""},
		{"anthropic err-context", messages, `{"model":"err-context"}`, 400, "invalid_request_error", "", ""},
		{"anthropic unknown path", "/v1/messages/batches", `{}`, 404, "not_found_error", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			res := post(t, simulate(Config{}), tt.path, tt.body)
			var got struct {
				Type  string `json:"type"`
				Error struct {
					Message string `json:"message"`
					Type    string `json:"type"`
					Code    string `json:"code"`
					Param   string `json:"param"`
				} `json:"error"`
				RequestID string `json:"request_id"`
			}
			body := read(t, res)
			if err := json.Unmarshal([]byte(body), &got); err != nil {
				t.Fatalf("%v in %s", err, body)
			}
			e := got.Error
			if res.StatusCode != tt.status || e.Type != tt.kind || e.Code != tt.code || e.Param != tt.param || e.Message == "" {
				t.Errorf("status %d: %s", res.StatusCode, body)
			}
			if id := res.Header.Get("Request-Id"); got.Type == "error" && (id == "" || got.RequestID != id) {
				t.Errorf("request id %q in the body, %q in the header", got.RequestID, id)
			}
		})
	}
}

func TestWrongMethod(t *testing.T) {
	for _, method := range []string{http.MethodGet, http.MethodDelete, http.MethodPut} {
		res, err := simulate(Config{}).RoundTrip(request(t, t.Context(), method, "/v1/chat/completions", ""))
		if err != nil {
			t.Fatal(err)
		}
		if read(t, res); res.StatusCode != http.StatusNotFound {
			t.Errorf("%s: status %d", method, res.StatusCode)
		}
	}
}

func TestHeaders(t *testing.T) {
	for _, tt := range []struct {
		name, path, model string
		want              map[string]string
		some, none        []string
	}{
		{
			"openai", "/v1/chat/completions", "m",
			map[string]string{"Content-Type": "application/json", "X-Ratelimit-Remaining-Requests": "9999", "Openai-Version": "2020-10-01"},
			[]string{"X-Request-Id", "Openai-Processing-Ms", "X-Ratelimit-Limit-Tokens", "X-Ratelimit-Reset-Requests", "Content-Length"},
			[]string{"Retry-After", "Request-Id", "Anthropic-Ratelimit-Requests-Limit"},
		},
		{
			"openai limited", "/v1/chat/completions", "err-429",
			map[string]string{"Retry-After": "1", "Retry-After-Ms": "1000", "X-Ratelimit-Remaining-Requests": "0", "X-Ratelimit-Reset-Requests": "1s"},
			[]string{"X-Request-Id"},
			nil,
		},
		{"openai quota", "/v1/chat/completions", "err-quota", nil, nil, []string{"Retry-After", "Retry-After-Ms"}},
		{"openai error", "/v1/chat/completions", "err-500", map[string]string{"X-Ratelimit-Remaining-Requests": "9999"}, nil, []string{"Retry-After"}},
		{
			"anthropic", "/v1/messages", "m",
			map[string]string{"Anthropic-Ratelimit-Requests-Remaining": "9999", "Anthropic-Ratelimit-Output-Tokens-Reset": "2026-01-02T03:04:06Z"},
			[]string{"Request-Id", "Anthropic-Organization-Id"},
			[]string{"X-Request-Id", "X-Ratelimit-Limit-Requests"},
		},
		{
			"anthropic limited", "/v1/messages", "err-429",
			map[string]string{"Retry-After": "1", "X-Should-Retry": "true", "Anthropic-Ratelimit-Requests-Remaining": "0"},
			nil,
			[]string{"Retry-After-Ms"},
		},
		{"anthropic refused", "/v1/messages", "err-400", map[string]string{"X-Should-Retry": "false"}, nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := post(t, simulate(Config{}), tt.path, `{"model":"`+tt.model+`","max_tokens":5,`+hello+`}`).Header
			for k, v := range tt.want {
				if h.Get(k) != v {
					t.Errorf("%s: %q, want %q", k, h.Get(k), v)
				}
			}
			for _, k := range tt.some {
				if h.Get(k) == "" {
					t.Errorf("%s is missing", k)
				}
			}
			for _, k := range tt.none {
				if h.Get(k) != "" {
					t.Errorf("%s: %q, want none", k, h.Get(k))
				}
			}
		})
	}
}

func TestIDsDiffer(t *testing.T) {
	s, seen := simulate(Config{}), map[string]bool{}
	for range 1000 {
		res := post(t, s, "/v1/chat/completions", `{"model":"m",`+hello+`}`)
		var got struct{ ID string }
		if err := json.Unmarshal([]byte(read(t, res)), &got); err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{got.ID, res.Header.Get("X-Request-Id")} {
			if seen[id] {
				t.Fatalf("%s twice", id)
			}
			seen[id] = true
		}
	}
}
