package handlers

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/weirproxy/weir/cache"
	"github.com/weirproxy/weir/cache/flight"
	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/wire"
)

// TestFollowedInVain holds that a call is made after all when nothing could be shown
// of the one that it followed, although that was about to be.
func TestFollowedInVain(t *testing.T) {
	for name, ends := range map[string]func(*flight.Flight){
		"it was too slow": func(f *flight.Flight) {
			for range 3 {
				f.Append(bytes.Repeat([]byte("x"), 8<<10), 0)
			}
		},
		"the leader failed": func(f *flight.Flight) { f.Finish(errors.New("it broke"), nil) },
	} {
		t.Run(name, func(t *testing.T) {
			p, _ := benchProxy(t, 1)
			header := http.Header{}
			r := httptest.NewRequest(http.MethodPost, "/v1/chat/completions", nil)
			r.RemoteAddr = "127.0.0.1:1"
			c := p.newCall(&sink{header}, r)
			c.begin()
			defer c.settle()
			want := flight.Want{Operation: wire.Chat, Stream: true}
			c.keeping = &keeping{want: want}
			set := flight.NewSet(1, 1, time.Now)
			f, _ := set.Enter(cache.Key{1}, 0, want, nil)
			_, reader := set.Enter(cache.Key{1}, 0, want, nil)
			defer reader.Leave()
			f.Open(&flight.Head{Provider: "up", Model: "gpt-4o"})
			ends(f)
			if err := (&follower{call: c, reader: reader}).play(&flight.Head{}); !errors.Is(err, flight.ErrAlone) {
				t.Errorf("%v", err)
			}
			if c.out.started() || header.Get(headerCacheStatus) != "" || c.x.Cache != "" {
				t.Errorf("it began to answer: %v %s", header, c.x.Cache)
			}
		})
	}
}

// TestTakenOver holds that who has waited for another call takes what that has found
// in place of an answer only if it would have taken it itself.
func TestTakenOver(t *testing.T) {
	const stale = -30 * time.Minute
	for _, tt := range []struct {
		name     string
		ttl      time.Duration
		standsIn bool
		header   string // Cache-Control
		exact    CacheExact
		takes    bool
	}{
		{name: "fresh", ttl: time.Minute, takes: true},
		{name: "fresh, and not for long enough", ttl: time.Minute, header: "min-fresh=120"},
		{name: "fresh, and a new one is wanted", ttl: time.Minute, header: "no-cache"},
		{name: "stale, which the site serves", ttl: stale, exact: CacheExact{StaleWhileRevalidate: caddy.Duration(time.Hour)}, takes: true},
		{name: "stale, and too old for who asks", ttl: stale, header: "max-age=60", exact: CacheExact{StaleWhileRevalidate: caddy.Duration(time.Hour)}},
		{name: "stale, which the other alone would take", ttl: stale},
		{name: "stale, which who asks takes too", ttl: stale, header: "max-stale", takes: true},
		{name: "in place of a failure", ttl: stale, standsIn: true, header: "max-age=60", exact: CacheExact{StaleIfError: caddy.Duration(time.Hour)}, takes: true},
		{name: "in place of a failure, and a new one is wanted", ttl: stale, standsIn: true, header: "no-cache", exact: CacheExact{StaleIfError: caddy.Duration(time.Hour)}},
		{name: "in place of a failure, which the site does not serve", ttl: stale, standsIn: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, _ := benchProxy(t, 1)
			tt.exact.Jitter = new(int)
			tt.exact.TTL = caddy.Duration(time.Hour)
			policy, _ := keeps(t, p, &tt.exact)
			r := httptest.NewRequest(http.MethodPost, "/v1/chat/completions", nil)
			r.RemoteAddr = "127.0.0.1:1"
			r.Header.Set("Cache-Control", tt.header)
			c := p.newCall(&sink{http.Header{}}, r)
			c.caller = new(caller)
			c.keeping = &keeping{exact: policy.Exact, asked: directivesOf(r), want: flight.Want{Operation: wire.Chat}}
			hit := &recalled{call: c, ttl: tt.ttl, state: gateway.CacheStale, standsIn: tt.standsIn, hit: cache.Hit{
				Answer: cache.Answer{Form: cache.Form{Operation: wire.Chat, Body: []byte("{}")}}, Age: time.Hour - tt.ttl,
			}}
			if took := c.takeOver(hit); (took != nil) != tt.takes {
				t.Errorf("taken: %t", took != nil)
			}
		})
	}
}
