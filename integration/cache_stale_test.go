package integration

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/integration/weirtest"
)

// TestStaleIfError holds for which failures a stale answer stands in.
func TestStaleIfError(t *testing.T) {
	const serves = 200
	silent := func(_ http.ResponseWriter, r *weirtest.Request) { <-r.Gone }
	slowly := func(w http.ResponseWriter, r *weirtest.Request) { // heartbeats open the stream meanwhile
		startStream(w)
		weirtest.Flush(w)
		<-r.Gone
	}
	for _, tc := range []struct {
		name, model, site string
		stream            bool
		answer            answerer
		body              string // of the second, in place of the usual one
		want              int
	}{
		{name: "500", answer: failing(500), want: serves},
		{name: "503", answer: failing(503), want: serves},
		{name: "429", answer: failing(429), want: serves},
		{name: "401 of the provider", answer: failing(401), want: serves},
		{name: "403 of the provider", answer: failing(403), want: serves},
		{name: "reset", answer: func(w http.ResponseWriter, _ *weirtest.Request) { weirtest.Reset(w) }, want: serves},
		{name: "an error with status 200", answer: whole(200, doors[0].errorBody), want: serves},
		{name: "headers that do not come", site: "response_header_timeout 500ms", answer: silent, want: serves},
		{name: "first token that does not come", site: "first_token_timeout 500ms", stream: true, answer: slowly, want: serves},
		{name: "heartbeats before", site: "heartbeat 20ms\nfirst_token_timeout 500ms", stream: true, answer: slowly, want: serves},
		{name: "the total timeout", site: "total_timeout 500ms", answer: silent, want: serves},
		{name: "400", answer: failing(400), want: 400},
		{name: "404", answer: failing(404), want: 404},
		{name: "content policy", answer: whole(400, `{"error":{"message":"no","type":"invalid_request_error","code":"content_policy_violation"}}`), want: 400},
		{name: "a prompt that is too long", answer: whole(400, `{"error":{"message":"long","type":"invalid_request_error","code":"context_length_exceeded"}}`), want: 400},
		{name: "a limit of the caller", model: "limit requests 1 1h", want: 429},
		{name: "no-cache", answer: failing(500), site: "#no-cache", want: 500},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newStage(t, cachedModel+"key ci {env.CI_KEY} {\n"+tc.model+"\n}\n", "cache exact {\nttl 1ns\nstale_if_error 1h\n}\n"+tc.site)
			fresh := s.post(t, "/v1/chat/completions", wanting(tc.stream, ""), as(keyOfCI)...)
			if fresh.status != 200 {
				t.Fatalf("%d %s", fresh.status, fresh.body)
			}
			if tc.answer != nil {
				s.plays("one", tc.answer)
			}
			header := as(keyOfCI)
			if tc.site == "#no-cache" {
				header = append(header, "Cache-Control", "no-cache")
			}
			got := s.post(t, "/v1/chat/completions", wanting(tc.stream, ""), header...)
			if got.status != tc.want {
				t.Fatalf("%d %v %s", got.status, got.header, got.body)
			}
			r := s.Records.Wait(t, 2)[1]
			if tc.want != serves {
				if r.Cache == gateway.CacheStale || r.Error == "" {
					t.Errorf("record %+v", r)
				}
				return
			}
			body := got.body
			for strings.HasPrefix(body, ":") { // heartbeats
				_, body, _ = strings.Cut(body, "\n\n")
			}
			if body != fresh.body {
				t.Errorf("got %s\nwant %s", got.body, fresh.body)
			}
			if r.Cache != gateway.CacheStale || r.Error != "" || r.Status != 200 || r.Saved <= 0 {
				t.Errorf("record: cache %s, error %s %s, status %d, saved %d", r.Cache, r.Error, r.Phase, r.Status, r.Saved)
			}
			if heartbeats := len(body) != len(got.body); heartbeats != strings.HasPrefix(tc.site, "heartbeat") {
				t.Errorf("heartbeats: %t", heartbeats)
			}
		})
	}
	t.Run("breaker", func(t *testing.T) {
		s := newStage(t, "model m one/gpt-4.1 {\nmax_fails 1\nfail_duration 1h\n}\n", "cache exact {\nttl 1ns\nstale_if_error 1h\n}")
		fresh := s.post(t, "/v1/chat/completions", wanting(false, ""))
		s.plays("one", failing(500))
		for range 3 {
			if got := s.post(t, "/v1/chat/completions", wanting(false, "")); got.status != 200 || got.body != fresh.body {
				t.Errorf("%d %v %s", got.status, got.header, got.body)
			}
		}
		if _, names := s.called(); names != "one one" {
			t.Errorf("called %s: the breaker is not open", names)
		}
	})
	t.Run("connect", func(t *testing.T) {
		up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { events(doors[0].streamBy("away"))(w, nil) }))
		defer up.Close()
		s := newStage(t, "provider away openai {\nbase_url "+up.URL+"/v1\napi_key {env.UPSTREAM_KEY}\n}\nmodel m away/gpt-4.1\n", "cache exact {\nttl 1ns\nstale_if_error 1h\n}")
		fresh := s.post(t, "/v1/chat/completions", wanting(true, ""))
		up.Close()
		if got := s.post(t, "/v1/chat/completions", wanting(true, "")); got.status != 200 || got.body != fresh.body {
			t.Errorf("%d %v %s", got.status, got.header, got.body)
		}
	})
}

// TestRefreshIsTheCallers holds that a refresh is charged to the caller, that there
// is one at a time, and that one that fails or is refused leaves the stale answer.
func TestRefreshIsTheCallers(t *testing.T) {
	const site = "cache exact {\nttl 1ns\nstale_while_revalidate 1h\n}"
	t.Run("charged and refused", func(t *testing.T) {
		// A whole answer, a hit and its refresh, a hit: then there is no room.
		s := newStage(t, cachedModel+"key ci {env.CI_KEY} {\nlimit requests 5 1h\n}\n", site)
		ask := func() *reply { return s.post(t, "/v1/chat/completions", wanting(false, ""), as(keyOfCI)...) }
		ask()
		for i := range 2 {
			if got := ask(); got.header.Get("X-AI-Cache") != "hit" {
				t.Errorf("%d %v", got.status, got.header)
			}
			s.Records.Wait(t, 3+2*i)
		}
		refreshed := 0
		for _, r := range s.Records.All() {
			if r.Cache == gateway.CacheRefresh {
				if refreshed++; r.Key != "ci" || r.Cost.Total <= 0 || !r.Stored {
					t.Errorf("%+v", r)
				}
			}
		}
		if refreshed != 2 {
			t.Errorf("%d refreshes", refreshed)
		}
		if got := ask(); got.status != 429 { // five requests: 1 + 2 + 2
			t.Errorf("%d %v", got.status, got.header)
		}
	})
	t.Run("refused alone", func(t *testing.T) {
		s := newStage(t, cachedModel+"key ci {env.CI_KEY} {\nlimit tokens 80 1h\n}\n", site)
		ask := func() *reply { return s.post(t, "/v1/chat/completions", wanting(false, ""), as(keyOfCI)...) }
		fresh := ask()
		s.Records.Wait(t, 1)
		for i := range 4 { // hits take no tokens, refreshes do
			if got := ask(); got.status != 200 || got.body != fresh.body {
				t.Errorf("%d %v %s", got.status, got.header, got.body)
			}
			s.Records.Wait(t, 3+2*i)
		}
		refused := 0
		for _, r := range s.Records.All() {
			if r.Phase == "limit" {
				refused++
			}
		}
		if _, names := s.called(); refused == 0 || names == "one one one one one" {
			t.Errorf("%d refreshes were refused; called %s", refused, names)
		}
	})
	t.Run("failed", func(t *testing.T) {
		s := newStage(t, cachedModel, site)
		ask := func() *reply { return s.post(t, "/v1/chat/completions", wanting(true, "")) }
		fresh := ask()
		for i, answer := range []answerer{failing(500), events(chatStream(`"stop"`, "")), func(w http.ResponseWriter, _ *weirtest.Request) {
			startStream(w)
			_, _ = io.WriteString(w, word("other"))
			weirtest.Flush(w)
			weirtest.Reset(w)
		}} {
			s.plays("one", answer)
			if got := ask(); got.body != fresh.body {
				t.Errorf("%d %s", got.status, got.body)
			}
			s.Records.Wait(t, 3+2*i)
		}
	})
	t.Run("not for who pays for nothing", func(t *testing.T) {
		s := newStage(t, cachedModel+teamKeys, "cache exact {\nscope team\nttl 1ns\nstale_while_revalidate 1h\n}")
		ask := func(key string, header ...string) {
			t.Helper()
			if got := s.post(t, "/v1/chat/completions", wanting(false, ""), append(as(key), header...)...); got.status != 200 {
				t.Errorf("%d %v", got.status, got.header)
			}
		}
		ask(keyOfCI)
		asked, open := make(chan struct{}, 4), make(chan struct{})
		s.plays("one", func(w http.ResponseWriter, r *weirtest.Request) {
			asked <- struct{}{}
			<-open
			fine("one")(w, r)
		})
		ask(keyOfCI, "Cache-Control", "only-if-cached")
		ask(keyOfOther)
		<-asked // by one of them, and no other before it has ended
		close(open)
		for _, r := range s.Records.Wait(t, 4) {
			if r.Cache == gateway.CacheRefresh && r.Key != "other" {
				t.Errorf("%s pays", r.Key)
			}
		}
	})
	t.Run("one at a time, also when the client leaves", func(t *testing.T) {
		s := newStage(t, cachedModel, site)
		ask := func() *reply { return s.post(t, "/v1/chat/completions", wanting(false, "")) }
		ask()
		gate, n := make(chan struct{}), 0
		s.plays("one", func(w http.ResponseWriter, r *weirtest.Request) {
			n++
			<-gate
			whole(200, strings.Replace(chatAnswer(chatChoice(`"stop"`)), "hello", fmt.Sprintf("renewed %d", n), 1))(w, r)
		})
		l := s.listen(t, wanting(false, ""))
		l.leave()
		for range 10 {
			if got := ask(); got.header.Get("X-AI-Cache") != "hit" {
				t.Errorf("%v", got.header)
			}
		}
		close(gate)
		s.Records.Wait(t, 13)
		if _, names := s.called(); names != "one one" {
			t.Errorf("called %s", names)
		}
		if got := ask(); !strings.Contains(got.body, "renewed 1") {
			t.Errorf("%s", got.body)
		}
		s.Records.Wait(t, 15)
	})
}
