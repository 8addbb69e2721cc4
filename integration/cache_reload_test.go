package integration

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weirproxy/weir/cache"
	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/integration/weirtest"
)

// reload replaces what newStage was given.
func (s *stage) reload(t *testing.T, ai, site string) {
	t.Helper()
	s.client.CloseIdleConnections()
	if err := s.Load("", ai, "ai_gateway {\n"+site+"\n}"); err != nil {
		t.Fatal(err)
	}
}

// TestReloadAndKept holds that a reload keeps what is kept, that new settings hold
// for it at once, and that what makes another answer makes a miss.
func TestReloadAndKept(t *testing.T) {
	const (
		model = "model m one/gpt-4.1\nkey ci {env.CI_KEY}\n"
		site  = "cache exact {\nttl 1h\n}"
	)
	url := filepath.Join(t.TempDir(), "url")
	t.Setenv("WEIR_TEST_URL_FILE", url)
	for _, tc := range []struct {
		name          string
		old, with     string // in the providers
		model, site   string
		headers       []string
		fails         bool // the provider, afterwards
		cache, status string
	}{
		{name: "nothing", cache: "hit"},
		{name: "a key of a provider", old: "{env.UPSTREAM_KEY}", with: "{env.ACCOUNT_ONE}", cache: "hit"},
		{name: "the place of a provider", old: "/one/v1", with: "/two/v1", cache: "miss"},
		{name: "the place of another", old: "/two/v1", with: "/three/v1", cache: "hit"},
		{name: "headers to a provider", old: "/one/v1", with: "/one/v1\nheader X-Mode other", cache: "miss"},
		{name: "the pool of a provider", old: "/one/v1", with: "/one/v1\nmax_in_flight 7", cache: "hit"},
		{name: "the models of a model", model: "model m two/gpt-4.1\nkey ci {env.CI_KEY}\n", cache: "miss"},
		{name: "one more", model: "model m one/gpt-4.1 two/gpt-4.1\nkey ci {env.CI_KEY}\n", cache: "miss"},
		{name: "a fallback", model: "model m one/gpt-4.1 {\nfallback two/gpt-4.1\n}\nkey ci {env.CI_KEY}\n", cache: "hit"},
		{name: "the policy", model: "model m one/gpt-4.1 {\nlb_policy random\nlb_retries 3\n}\nkey ci {env.CI_KEY}\n", cache: "hit"},
		{name: "another model", model: model + "model n two/gpt-4.1\n", cache: "hit"},
		{name: "limits", model: strings.Replace(model, "{env.CI_KEY}", "{env.CI_KEY} {\nlimit requests 100 1h\n}", 1), cache: "hit"},
		{name: "version", site: "cache exact {\nversion 2\n}", cache: "miss"},
		{name: "scope", site: "cache exact {\nscope global\n}", cache: "miss"},
		{name: "a shorter ttl", site: "cache exact {\nttl 1ns\n}", cache: "miss", status: "weir; fwd=miss"},
		{name: "a longer ttl", site: "cache exact {\nttl 2h\njitter 0\n}", cache: "hit", status: "weir; hit; ttl=7"},
		{name: "stale while revalidate", site: "cache exact {\nttl 1ns\nstale_while_revalidate 30m\n}", cache: "hit", status: "weir; hit; ttl=-"},
		{name: "stale if error", site: "cache exact {\nttl 1ns\nstale_if_error 30m\n}", fails: true, cache: "hit", status: "weir; hit; ttl=-"},
		{name: "no cache", site: "heartbeat 20s", cache: ""},
		{name: "tools", site: "cache exact {\ntools on\nlength on\n}", cache: "hit"},
		{name: "another operation", site: "cache exact {\noperations embeddings\n}", cache: ""},
		{name: "replay", site: "cache exact {\nreplay paced\n}", cache: "hit"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newStage(t, model, site)
			ask := func() *reply { return s.post(t, "/v1/chat/completions", wanting(false, ""), as(keyOfCI)...) }
			if got := ask(); got.status != 200 || got.header.Get("X-AI-Cache") != "miss" {
				t.Fatalf("%d %v", got.status, got.header)
			}
			providers, ai, with := s.config, tc.model, tc.site
			if tc.old != "" {
				if !strings.Contains(providers, tc.old) {
					t.Fatalf("no %s in %s", tc.old, providers)
				}
				providers = strings.Replace(providers, tc.old, tc.with, 1)
			}
			if ai == "" {
				ai = model
			}
			if with == "" {
				with = site
			}
			s.reload(t, providers+ai, with)
			if tc.fails {
				s.plays("one", failing(500))
			}
			got := ask()
			if got.status != 200 || got.header.Get("X-AI-Cache") != tc.cache || !strings.HasPrefix(got.header.Get("Cache-Status"), tc.status) {
				t.Errorf("%d %v", got.status, got.header)
			}
			if tc.site == "heartbeat 20s" { // what was kept is still there
				s.reload(t, s.config+model, site)
				if got := ask(); got.header.Get("X-AI-Cache") != "hit" {
					t.Errorf("%v", got.header)
				}
			}
		})
	}
	t.Run("a file with the place of a provider", func(t *testing.T) {
		s := newStage(t, model, site)
		ask := func() string {
			return s.post(t, "/v1/chat/completions", wanting(false, ""), as(keyOfCI)...).header.Get("X-AI-Cache")
		}
		providers := strings.Replace(s.config, s.up.URL+"/one/v1", "{file."+url+"}", 1)
		for _, tc := range []struct{ place, first, second string }{
			{"/one/v1", "miss", "hit"},
			{"/two/v1", "miss", "hit"},
			{"/one/v1", "hit", "hit"},
		} {
			if err := os.WriteFile(url, []byte(s.up.URL+tc.place), 0o600); err != nil {
				t.Fatal(err)
			}
			s.reload(t, providers+model, site)
			if first, second := ask(), ask(); first != tc.first || second != tc.second {
				t.Errorf("%s: %s, %s", tc.place, first, second)
			}
		}
	})
}

// TestReloadAndFlights holds that those who share a call go on to its end through
// reloads of all kinds, and that who comes after one joins them.
func TestReloadAndFlights(t *testing.T) {
	p := newPaced()
	s := newStage(t, cachedModel, "cache exact")
	s.plays("one", p.answer)
	first := s.listenLater(t, wanting(true, ""))
	p.words <- "one"
	listeners := []*listener{<-first}
	join := func() {
		t.Helper()
		l := s.listen(t, wanting(true, ""))
		if how := l.res.Header.Get("Cache-Status"); how != "weir; fwd=miss; collapsed" {
			t.Errorf("%s", how)
		}
		listeners = append(listeners, l)
	}
	join()
	for i, next := range []struct {
		ai, site string
		joins    bool
	}{
		{s.config + cachedModel, "cache exact", true},
		{s.config + cachedModel + "drain_timeout 3s\n", "cache exact {\nttl 2h\nmax_size 1MiB\n}", true},
		{s.config + strings.Replace(cachedModel, "one", "two", 1), "cache exact", false},
		{s.config + cachedModel, "heartbeat 5s", false},
		{s.config + cachedModel, "cache exact", true},
	} {
		s.reload(t, next.ai, next.site)
		if next.joins {
			join()
		}
		text := fmt.Sprintf("word%d", i)
		p.words <- text
		for _, l := range listeners {
			l.until(t, text)
		}
	}
	close(p.words)
	var all string
	for i, l := range listeners {
		got, err := l.rest()
		if err != nil || !strings.Contains(got, "[DONE]") {
			t.Errorf("%d: %v %s", i, err, got)
		}
		if all == "" {
			all = got
		} else if got != all {
			t.Errorf("%d got %s, the first %s", i, got, all)
		}
	}
	if _, names := s.called(); names != "one" {
		t.Errorf("called %s", names)
	}
	if got := s.post(t, "/v1/chat/completions", wanting(true, "")); got.header.Get("X-AI-Cache") != "hit" {
		t.Errorf("%v", got.header)
	}
}

// TestReloadAndRefresh holds that a reload in between changes nothing about a
// refresh: there is one at a time, and its answer is kept.
func TestReloadAndRefresh(t *testing.T) {
	const site = "cache exact {\nttl 1ns\nstale_while_revalidate 1h\n}"
	s := newStage(t, cachedModel, site)
	ask := func() *reply { return s.post(t, "/v1/chat/completions", wanting(false, "")) }
	ask()
	s.Records.Wait(t, 1)
	gate, begun := make(chan struct{}), make(chan struct{}, 10)
	s.plays("one", func(w http.ResponseWriter, r *weirtest.Request) {
		begun <- struct{}{}
		<-gate
		whole(200, strings.Replace(chatAnswer(chatChoice(`"stop"`)), "hello", "renewed", 1))(w, r)
	})
	for i := range 3 {
		if got := ask(); got.header.Get("X-AI-Cache") != "hit" {
			t.Errorf("%v", got.header)
		}
		if i == 0 {
			<-begun
		}
		s.reload(t, s.config+cachedModel, site)
	}
	close(gate)
	for _, r := range s.Records.Wait(t, 5) {
		if r.Cache == gateway.CacheRefresh && (!r.Stored || r.Error != "") {
			t.Errorf("%+v", r)
		}
	}
	if len(begun) != 0 {
		t.Errorf("%d more refreshes", len(begun))
	}
	if got := ask(); !strings.Contains(got.body, "renewed") {
		t.Errorf("%s", got.body)
	}
	s.Records.Wait(t, 7)
}

// TestReloadAndMemory holds that the largest wish of the configuration that runs is
// how much memory answers have, and that one that is rejected changes nothing.
func TestReloadAndMemory(t *testing.T) {
	t.Setenv("CI_KEY", keyOfCI)
	const ai = "provider sim simulator\nmodel m sim/default\nkey ci {env.CI_KEY}"
	site := func(size string) string {
		return "ai_gateway {\ncache exact {\nmax_size " + size + "\nmax_entry 10KiB\n}\n}"
	}
	g := weirtest.Start(t, ai, site("64MiB"))
	admin := weirtest.FreeAddr(t)
	load := func(config string) error { return loadConfig(t, config) }
	report := func() (r cache.Report) {
		t.Helper()
		if err := json.Unmarshal(askAdmin(t, admin, http.MethodGet, "/ai/cache", "", http.StatusOK), &r); err != nil {
			t.Fatal(err)
		}
		return r
	}
	config := func(sizes ...string) string {
		c := administered(g.Caddyfile("", ai, site(sizes[0])), admin)
		for _, size := range sizes[1:] {
			_, port, _ := net.SplitHostPort(weirtest.FreeAddr(t))
			c += "http://:" + port + " {\nbind 127.0.0.1\n" + site(size) + "\n}\n"
		}
		return c
	}
	if err := load(config("64MiB")); err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		status, _, body := askWith(t, g, "/v1/chat/completions", keyOfCI, fmt.Sprintf(`{"model":"m","messages":[{"role":"user","content":"number %d"}]}`, i))
		if status != http.StatusOK {
			t.Fatal(body)
		}
	}
	full := report()
	if full.Entries < 100 || full.MaxBytes != 64<<20 {
		t.Fatalf("%+v", full)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	askAdmin(t, admin, http.MethodPost, "/ai/cache/purge", `{"tag":"some"}`, http.StatusNoContent)
	for range 10 { // apps start in random order
		if err := load(config("20KiB") + "http://:" + port + " {\nbind 127.0.0.1\nrespond hello\n}\n"); err == nil {
			t.Fatal("a configuration is taken whose port is not free")
		}
		if err := load(config("20KiB", "10GiB") + "http://:" + port + " {\nbind 127.0.0.1\nrespond hello\n}\n"); err == nil {
			t.Fatal("a configuration is taken whose port is not free")
		}
	}
	if r := report(); r.Entries != full.Entries || r.MaxBytes != full.MaxBytes {
		t.Errorf("after configurations that were rejected: %+v, before %+v", r, full)
	}
	for _, tc := range []struct {
		sizes []string
		want  int64
	}{
		{[]string{"64MiB", "128MiB"}, 128 << 20},
		{[]string{"64MiB"}, 64 << 20},
		{[]string{"80KiB", "100KiB", "90KiB"}, 100 << 10},
		{[]string{"40KiB"}, 40 << 10},
		{[]string{"1GiB"}, 1 << 30},
	} {
		if err := load(config(tc.sizes...)); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the old configuration's end", func() bool { return report().MaxBytes == tc.want })
		if r := report(); r.Bytes > r.MaxBytes || r.Entries == 0 {
			t.Errorf("%v: %+v", tc.sizes, r)
		}
	}
}

// TestReloadAndPurge holds that what was purged stays so, also the answer to a call
// that was under way, and that those who share it get it all the same.
func TestReloadAndPurge(t *testing.T) {
	p, q := newPaced(), newPaced()
	s := newStage(t, cachedModel, "cache exact")
	admin := weirtest.FreeAddr(t)
	load := func() {
		t.Helper()
		if err := loadConfig(t, administered(s.Caddyfile("", s.config+cachedModel, "ai_gateway {\ncache exact\n}"), admin)); err != nil {
			t.Fatal(err)
		}
	}
	load()
	s.plays("one", p.answer)
	first := s.listenLater(t, wanting(true, ""))
	p.words <- "before"
	leader := <-first
	follower := s.listen(t, wanting(true, ""))
	askAdmin(t, admin, http.MethodPost, "/ai/cache/purge", `{"model":"m"}`, http.StatusNoContent)
	load()

	// Who asks after the purge does not get what was asked for before.
	s.plays("one", q.answer)
	later := s.listenLater(t, wanting(true, ""))
	select {
	case q.words <- "after":
	case l := <-later:
		t.Fatalf("%v", l.res.Header)
	}
	close(p.words)
	close(q.words)
	for _, l := range []*listener{leader, follower} {
		if got, err := l.rest(); err != nil || !strings.Contains(got, "before") || !strings.Contains(got, "[DONE]") {
			t.Errorf("%v %s", err, got)
		}
	}
	l := <-later
	if got, err := l.rest(); err != nil && err != io.EOF || strings.Contains(got, "before") || !strings.Contains(got, "after") {
		t.Errorf("after the purge: %v %s", err, got)
	}
	records := s.Records.Wait(t, 3)
	stored := 0
	for _, r := range records {
		if r.Stored {
			stored++
		}
	}
	if stored != 1 {
		t.Errorf("%d of %d answers were kept", stored, len(records))
	}
	if got := s.post(t, "/v1/chat/completions", wanting(true, "")); got.header.Get("X-AI-Cache") != "hit" || strings.Contains(got.body, "before") {
		t.Errorf("%v %s", got.header, got.body)
	}
}
