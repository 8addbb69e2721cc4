package integration

import (
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/integration/weirtest"
)

// TestCacheIsTold holds that the record, the placeholder and X-AI-Explain say what
// the cache did for a request, and what that saved.
func TestCacheIsTold(t *testing.T) {
	type told struct {
		Result string
		Rule   string
		Scope  string
		Stored bool
	}
	ask := func(more string) string {
		return strings.Replace(wanting(false, ""), `"max_tokens"`, more+`"max_tokens"`, 1)
	}
	s := newStage(t, cachedModel, "cache exact\n}\nheader {\n>X-Told {http.ai.cache.status}\n")
	for _, tc := range []struct {
		name, body    string
		header, value string
		want          told
		aged, saves   bool
	}{
		{name: "miss", body: ask(""), want: told{"miss", "", "key", true}},
		{name: "hit", body: ask(""), want: told{"hit", "", "key", false}, aged: true, saves: true},
		{name: "refresh", body: ask(""), header: "X-AI-Cache", value: "refresh", want: told{"refresh", "", "key", true}},
		{name: "no-store", body: ask(""), header: "X-AI-Cache", value: "no-store", want: told{"bypass", "client", "", false}},
		{name: "a rule", body: ask(`"temperature":1.5,`), want: told{"bypass", "temperature", "", false}},
		{name: "not kept", body: ask(`"seed":7,`), header: "X-AI-Cache-Tags", value: "no tag", want: told{"miss", "", "key", false}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before := len(s.Records.All())
			header := []string{"X-AI-Explain", "on"}
			if tc.header != "" {
				header = append(header, tc.header, tc.value)
			}
			got := s.post(t, "/v1/chat/completions", tc.body, header...)
			var e struct {
				Cache struct {
					told
					Age *float64 `json:"age_s"`
					TTL *float64 `json:"ttl_s"`
				}
			}
			if err := json.Unmarshal([]byte(got.header.Get("X-AI-Explain")), &e); err != nil {
				t.Fatalf("%v: %d %v", err, got.status, got.header)
			}
			if diff := cmp.Diff(tc.want, e.Cache.told); diff != "" {
				t.Errorf("explained (-want +got)\n%s", diff)
			}
			if aged := e.Cache.Age != nil && e.Cache.TTL != nil && *e.Cache.TTL > 3000; aged != tc.aged {
				t.Errorf("age and ttl: %v", got.header)
			}
			if told := got.header.Get("X-Told"); told != tc.want.Result {
				t.Errorf("the placeholder is %q", told)
			}
			r := s.Records.Wait(t, before+1)[before]
			if r.Cache != tc.want.Result || r.Stored != tc.want.Stored || (r.Saved > 0) != tc.saves || tc.saves && r.Cost.Total != 0 {
				t.Errorf("record: cache %s, stored %t, saved %d, cost %d", r.Cache, r.Stored, r.Saved, r.Cost.Total)
			}
		})
	}
}

// TestCoalescedIsTold is TestCacheIsTold for who shares a call.
func TestCoalescedIsTold(t *testing.T) {
	p := newPaced()
	s := newStage(t, cachedModel, "cache exact")
	s.plays("one", p.answer)
	admin := weirtest.FreeAddr(t)
	config := administered(s.Caddyfile("", s.config+cachedModel, "ai_gateway {\ncache exact\n}"), admin)
	if err := loadConfig(t, config); err != nil {
		t.Fatal(err)
	}
	const coalesced = `caddy_ai_cache_lookups_total{kind="exact",result="coalesced"}`
	scraper := newClient(t)
	before := scrape(t, scraper, admin)[coalesced]
	first := s.listenLater(t, wanting(true, ""))
	p.words <- "one"
	leader := <-first
	leader.until(t, "one")
	follower := s.listen(t, wanting(true, ""), "X-AI-Explain", "on")
	follower.until(t, "one")
	if e := follower.res.Header.Get("X-AI-Explain"); !strings.Contains(e, `"cache":{"result":"coalesced","scope":"key"}`) {
		t.Errorf("explained %s", e)
	}
	close(p.words)
	for _, l := range []*listener{leader, follower} {
		if _, err := l.rest(); err != nil && err != io.EOF {
			t.Error(err)
		}
	}
	if got := scrape(t, scraper, admin)[coalesced] - before; got != 1 {
		t.Errorf("%v counted as coalesced", got)
	}
	byCache := make(map[string]*gateway.Record)
	for _, r := range s.Records.Wait(t, 2) {
		byCache[r.Cache] = r
	}
	if r := byCache[gateway.CacheCoalesced]; r == nil || r.Saved <= 0 || r.Cost.Total != 0 || r.Stored {
		t.Errorf("the follower: %+v", r)
	}
	if r := byCache[gateway.CacheMiss]; r == nil || r.Cost.Total <= 0 || r.Saved != 0 || !r.Stored {
		t.Errorf("the leader: %+v", r)
	}
}
