package integration

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/integration/weirtest"
)

// embeds answers as an embedder would to which texts that have the same word after
// "about" are the same.
func embeds(w http.ResponseWriter, r *weirtest.Request) {
	var asked struct{ Input string }
	_ = json.Unmarshal(r.Body, &asked)
	vector := "1,0,0"
	switch {
	case strings.Contains(asked.Input, "about rain"):
		vector = "0,1,0"
	case strings.Contains(asked.Input, "about drizzle"):
		vector = "0,0.98,0.2"
	}
	whole(200, `{"object":"list","model":"e","data":[{"object":"embedding","index":0,"embedding":[`+vector+`]}],"usage":{"prompt_tokens":4,"total_tokens":4}}`)(w, r)
}

func about(text string) string {
	return fmt.Sprintf(`{"model":"m","max_tokens":50,"messages":[{"role":"user","content":%q}]}`, text)
}

// TestSemanticCache holds what is answered by what it means.
func TestSemanticCache(t *testing.T) {
	const first = "please tell me about rain in the mountains"
	for _, tc := range []struct {
		name, site, then string
		header           []string
		hit              bool
		result           string // of the record
	}{
		{name: "the same", then: first, hit: true, result: gateway.CacheHit},
		{name: "more words", then: first + " quickly", hit: true, result: gateway.CacheSemantic},
		{name: "another matter", then: "please tell me about snow in the mountains", result: gateway.CacheMiss},
		{name: "similar", then: "please tell me about drizzle in the mountains", site: "guard off", hit: true, result: gateway.CacheSemantic},
		{name: "similar, with a word replaced", then: "please tell me about drizzle in the mountains", result: gateway.CacheMiss},
		{name: "not similar enough", then: "please tell me about drizzle in the mountains", site: "guard off\nthreshold 0.99", result: gateway.CacheMiss},
		{name: "not similar enough for the caller", then: "please tell me about drizzle in the mountains", site: "guard off", header: []string{"X-AI-Cache-Threshold", "0.99"}, result: gateway.CacheMiss},
		{name: "the caller cannot lower it", then: "please tell me about drizzle in the mountains", site: "guard off\nthreshold 0.99", header: []string{"X-AI-Cache-Threshold", "0.1"}, result: gateway.CacheMiss},
		{name: "not wanted", then: first + " quickly", header: []string{"X-AI-Cache-Semantic", "off"}, result: gateway.CacheMiss},
		{name: "shadow", then: first + " quickly", site: "shadow on", result: gateway.CacheMiss},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newStage(t, cachedModel+"model e two/text-embedding-3-small {\ninternal\n}\n", "cache semantic {\nembedder e\ndeadline 10s\n"+tc.site+"\n}")
			s.plays("two", embeds)
			s.post(t, "/v1/chat/completions", about(first))
			s.called()
			got := s.post(t, "/v1/chat/completions", about(tc.then), tc.header...)
			_, names := s.called()
			if hit := !strings.Contains(names, "one"); got.status != 200 || hit != tc.hit {
				t.Fatalf("%d, called %s: %v", got.status, names, got.header)
			}
			records := s.Records.Wait(t, 2)
			r := records[1]
			if r.Cache != tc.result {
				t.Errorf("record: %s, want %s", r.Cache, tc.result)
			}
			if tc.name == "shadow" && r.Similarity < 0.99 {
				t.Errorf("a would-be hit is not in the record: %v", r.Similarity)
			}
			if tc.result == gateway.CacheSemantic {
				if got.header.Get("X-AI-Cache") != "semantic-hit" || !strings.Contains(got.header.Get("Cache-Status"), "detail=semantic") || r.Similarity == 0 || r.Saved == 0 || r.Overhead == 0 {
					t.Errorf("%v, %+v", got.header, r)
				}
			}
		})
	}
}

// TestSemanticIsExactElsewhere holds which requests are not compared by what they
// mean, and what has to be equal for those that are.
func TestSemanticIsExactElsewhere(t *testing.T) {
	const first = "please tell me about rain in the mountains"
	with := func(more, content string) string {
		return fmt.Sprintf(`{"model":"m","max_tokens":50,%s"messages":[%s]}`, more, content)
	}
	user := func(text string) string { return fmt.Sprintf(`{"role":"user","content":%q}`, text) }
	picture := func(text string) string {
		return fmt.Sprintf(`{"role":"user","content":[{"type":"text","text":%q},{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}]}`, text)
	}
	const (
		tools    = `"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}],`
		answered = `,{"role":"assistant","content":"b"},`
		called   = `,{"role":"assistant","content":null,"tool_calls":[{"id":"t","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"t","content":"1"},`
	)
	for _, tc := range []struct{ name, one, two string }{
		{"instructions", with("", `{"role":"system","content":"be kind"},`+user(first)), with("", `{"role":"system","content":"be rude"},`+user(first+" quickly"))},
		{"parameters", with(`"top_p":0.5,`, user(first)), with(`"top_p":0.6,`, user(first+" quickly"))},
		{"turns", with("", user("a")+`,{"role":"assistant","content":"b"},`+user(first)), with("", user("a")+`,{"role":"assistant","content":"b"},`+user(first+" quickly"))},
		{"heat", with(`"temperature":0.9,`, user(first)), with(`"temperature":0.9,`, user(first+" quickly"))},
		{"a picture", with("", picture(first)), with("", picture(first+" quickly"))},
		{"tools", with(tools, user(first)), with(tools, user(first+" quickly"))},
		{"a picture before, of two turns", with("", picture("a")+answered+user(first)), with("", picture("a")+answered+user(first+" quickly"))},
		{"a call of a tool", with("", user("a")+called+user(first)), with("", user("a")+called+user(first+" quickly"))},
	} {
		t.Run(tc.name, func(t *testing.T) {
			turns := 1
			if strings.HasSuffix(tc.name, "of two turns") {
				turns = 2
			}
			s := newStage(t, cachedModel+"model e two/text-embedding-3-small {\ninternal\n}\n", fmt.Sprintf("cache exact {\ntools on\n}\ncache semantic {\nembedder e\ndeadline 10s\nturns %d\n}", turns))
			s.plays("two", embeds)
			for _, body := range []string{tc.one, tc.two} {
				if got := s.post(t, "/v1/chat/completions", body); got.status != 200 || got.header.Get("X-AI-Cache") != "miss" {
					t.Errorf("%d %v", got.status, got.header)
				}
			}
		})
	}
}

// TestRefreshedIsFound holds that an answer that was fetched anew, without looking for
// one, is found by what it means.
func TestRefreshedIsFound(t *testing.T) {
	s := newStage(t, cachedModel+"model e two/text-embedding-3-small {\ninternal\n}\n", "cache semantic {\nembedder e\ndeadline 10s\n}")
	s.plays("two", embeds)
	const text = "please tell me about rain in the mountains"
	if got := s.post(t, "/v1/chat/completions", about(text), "X-AI-Cache", "refresh"); got.status != 200 || got.header.Get("X-AI-Cache") != "bypass" {
		t.Fatalf("%d %v", got.status, got.header)
	}
	if got := s.post(t, "/v1/chat/completions", about(text+" quickly")); got.header.Get("X-AI-Cache") != "semantic-hit" {
		t.Errorf("%d %v", got.status, got.header)
	}
}

// TestSimilarIsFresh holds that nobody gets an answer as fresh that is stale for who asks
// for the very same.
func TestSimilarIsFresh(t *testing.T) {
	const text = "please tell me about rain in the mountains"
	for _, tc := range []struct {
		name, exact, semantic string
		same, similar         string // how Cache-Status begins
	}{
		{"both longer", "ttl 10m\njitter 0", "ttl 20m", "weir; hit; ttl=5", "weir; hit; ttl=5"},
		{"a shorter one", "ttl 20m\njitter 0", "ttl 10m", "weir; hit; ttl=11", "weir; hit; ttl=5"},
		{"stale", "ttl 1ns\nstale_if_error 1h", "", "weir; fwd=stale; stored", "weir; fwd=miss; stored"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newStage(t, cachedModel+"model e two/text-embedding-3-small {\ninternal\n}\n", "cache exact {\n"+tc.exact+"\n}\ncache semantic {\nembedder e\ndeadline 10s\n"+tc.semantic+"\n}")
			s.plays("two", embeds)
			for i, want := range []string{"weir; fwd=miss; stored", tc.same, tc.similar} {
				more := []string{"", "", " quickly"}[i]
				got := s.post(t, "/v1/chat/completions", about(text+more)).header.Get("Cache-Status")
				if !strings.HasPrefix(got, want) {
					t.Errorf("%q: %s, want %s", more, got, want)
				}
			}
		})
	}
}

// TestReloadAndSimilar holds that a reload keeps what is compared, and that new settings
// hold for it at once.
func TestReloadAndSimilar(t *testing.T) {
	const (
		models = cachedModel + "model e two/text-embedding-3-small {\ninternal\n}\nmodel f three/text-embedding-3-small {\ninternal\n}\n"
		rain   = "please tell me about rain in the mountains"
		snow   = "please tell me about drizzle in the mountains"
	)
	semantic := func(options string) string {
		return "cache semantic {\ndeadline 10s\nguard off\n" + options + "\n}"
	}
	for _, tc := range []struct {
		name, models string
		old, with    string // in the providers
		site, want   string
	}{
		{name: "nothing", site: semantic("embedder e"), want: "semantic-hit"},
		{name: "limits", models: models + "limit requests 1000 1h\n", site: semantic("embedder e"), want: "semantic-hit"},
		{name: "fewer entries", site: semantic("embedder e\nmax_entries 5"), want: "semantic-hit"},
		{name: "a higher threshold", site: semantic("embedder e\nthreshold 0.99"), want: "miss"},
		{name: "another scope", site: semantic("embedder e\nscope global"), want: "miss"},
		{name: "version", site: semantic("embedder e\nversion 2"), want: "miss"},
		{name: "an exact cache beside it", site: "cache exact\n" + semantic("embedder e"), want: "semantic-hit"},
		{name: "version, of it alone", site: "cache exact\n" + semantic("embedder e\nversion 2"), want: "miss"},
		{name: "the place of the embedder", old: "/two/v1", with: "/three/v1", site: semantic("embedder e"), want: "miss"},
		{name: "another embedder", site: semantic("embedder f"), want: "miss"},
		{name: "another model behind the embedder", models: strings.Replace(models, "two/text-embedding-3-small", "two/text-embedding-3-large", 1), site: semantic("embedder e"), want: "miss"},
		{name: "another model", models: strings.Replace(models, "one/gpt-4.1", "one/gpt-4.1-mini", 1), site: semantic("embedder e"), want: "miss"},
		{name: "shadow", site: semantic("embedder e\nshadow on"), want: "miss"},
		{name: "a shorter ttl", site: semantic("embedder e\nttl 1ns"), want: "miss"},
		{name: "a guard", site: strings.Replace(semantic("embedder e"), "guard off", "guard words", 1), want: "miss"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newStage(t, models, semantic("embedder e"))
			s.plays("two", embeds)
			s.plays("three", embeds)
			s.post(t, "/v1/chat/completions", about(rain))
			with := models
			if tc.models != "" {
				with = tc.models
			}
			s.reload(t, strings.Replace(s.config, cmp.Or(tc.old, "none"), tc.with, 1)+with, tc.site)
			if got := s.post(t, "/v1/chat/completions", about(snow)); got.status != 200 || got.header.Get("X-AI-Cache") != tc.want {
				t.Errorf("%d %v, want %s", got.status, got.header, tc.want)
			}
		})
	}
}

// TestLongTextsAreNotEmbedded holds that no vector is paid for that nothing is ever
// compared with.
func TestLongTextsAreNotEmbedded(t *testing.T) {
	long := "please tell me about rain" + strings.Repeat(" and mountains", 300)
	for guard, want := range map[string]string{"words": "one", "facts": "one", "off": "two one"} {
		s := newStage(t, cachedModel+"model e two/text-embedding-3-small {\ninternal\n}\n", "cache semantic {\nembedder e\ndeadline 10s\nguard "+guard+"\n}")
		s.plays("two", embeds)
		got := s.post(t, "/v1/chat/completions", about(long))
		if _, names := s.called(); got.status != 200 || names != want {
			t.Errorf("%s: %d, called %s, want %s", guard, got.status, names, want)
		}
	}
}

// TestEmbeddersAreNotMixed holds that vectors of one model are not compared with those
// of another, whatever stands behind the embedder's name.
func TestEmbeddersAreNotMixed(t *testing.T) {
	const text = "please tell me about rain in the mountains"
	same := whole(200, `{"object":"list","model":"e","data":[{"object":"embedding","index":0,"embedding":[1,0,0]}],"usage":{"prompt_tokens":4,"total_tokens":4}}`)
	for _, tc := range []struct {
		name, embedder string
		fails          bool     // the first embedder, after the first request
		want           []string // X-AI-Cache, and who was called; a is the embedder that was first
	}{
		{"targets in turn", "to two/e three/f\nlb_policy round_robin", false, []string{"miss: a one", "miss: b one", "semantic-hit: a", "semantic-hit: b"}},
		{"a fallback", "to two/e\nfallback three/f\nmax_fails 1\nfail_duration 1h", true, []string{"miss: a one", "miss: a one", "miss: one", "miss: one"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newStage(t, cachedModel+"model e {\n"+tc.embedder+"\ninternal\n}\n", "cache semantic {\nembedder e\ndeadline 10s\nguard off\n}")
			s.plays("two", same)
			s.plays("three", same)
			var named *strings.Replacer
			for i, want := range tc.want {
				got := s.post(t, "/v1/chat/completions", about(fmt.Sprintf("%s %d", text, i)))
				_, names := s.called()
				if i == 0 { // any may be the first in turn
					named = strings.NewReplacer("two", "a", "three", "b")
					if strings.HasPrefix(names, "three") {
						named = strings.NewReplacer("two", "b", "three", "a")
					}
				}
				names = named.Replace(names)
				if said := got.header.Get("X-AI-Cache") + ": " + names; got.status != 200 || said != want {
					t.Errorf("%d: %d %s, want %s", i, got.status, said, want)
				}
				if tc.fails {
					s.plays("two", failing(500))
				}
			}
		})
	}
}

// TestSlowEmbedder holds that an embedder that fails or hangs is a miss.
func TestSlowEmbedder(t *testing.T) {
	opened, open := latch()
	defer open()
	for name, answer := range map[string]answerer{
		"fails": failing(500),
		"hangs": func(_ http.ResponseWriter, r *weirtest.Request) {
			select {
			case <-r.Gone:
			case <-opened:
			}
		},
		"no vector": whole(200, `{"object":"list","data":[]}`),
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, cachedModel+"model e two/text-embedding-3-small {\ninternal\n}\n", "cache semantic {\nembedder e\ndeadline 20ms\n}")
			s.plays("two", answer)
			for range 2 {
				if got := s.post(t, "/v1/chat/completions", about("please tell me about rain")); got.status != 200 {
					t.Errorf("%d %s", got.status, got.body)
				}
			}
		})
	}
}
