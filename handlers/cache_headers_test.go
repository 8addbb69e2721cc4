package handlers

import (
	"net/http"
	"testing"
	"time"
)

func TestCacheHeaders(t *testing.T) {
	said := func(say func(*texts) (word string)) func(http.Header) {
		return func(h http.Header) {
			o := &output{w: &sink{h}}
			t := newTexts()
			o.set(headerCache, say(t))
			o.setAll(t)
		}
	}
	told := func(show func(*output)) func(http.Header) {
		return func(h http.Header) { show(&output{w: &sink{h}}) }
	}
	for _, tt := range []struct {
		name              string
		show              func(http.Header)
		status, word, age string
	}{
		{"a hit", said(func(t *texts) string { return appendHit(t, 90*time.Second, time.Hour) }), "weir; hit; ttl=3600; detail=exact", "hit", "90"},
		{"almost stale", said(func(t *texts) string { return appendHit(t, 1999*time.Millisecond, 999*time.Millisecond) }), "weir; hit; ttl=0; detail=exact", "hit", "1"},
		{"just stale", said(func(t *texts) string { return appendHit(t, time.Hour, -time.Millisecond) }), "weir; hit; ttl=-1; detail=exact", "hit", "3600"},
		{"stale", said(func(t *texts) string { return appendHit(t, time.Hour, -2*time.Second) }), "weir; hit; ttl=-2; detail=exact", "hit", "3600"},
		{"made by a clock that is ahead", said(func(t *texts) string { return appendHit(t, -time.Minute, time.Hour) }), "weir; hit; ttl=3600; detail=exact", "hit", "0"},
		{"a similar one", said(func(t *texts) string { return appendSemanticHit(t, 0, time.Minute, 0.96789) }), "weir; hit; ttl=60; detail=semantic; similarity=0.967", "semantic-hit", "0"},
		{"almost the same", said(func(t *texts) string { return appendSemanticHit(t, 0, time.Minute, 0.99999) }), "weir; hit; ttl=60; detail=semantic; similarity=0.999", "semantic-hit", "0"},
		{"the same", said(func(t *texts) string { return appendSemanticHit(t, 0, time.Minute, 1) }), "weir; hit; ttl=60; detail=semantic; similarity=1.000", "semantic-hit", "0"},
		{"a miss", told(func(o *output) { o.showMiss(false) }), "weir; fwd=miss", "miss", ""},
		{"a miss that is kept", told(func(o *output) { o.showMiss(true) }), "weir; fwd=miss; stored", "miss", ""},
		{"instead of a stale one", told(func(o *output) { o.showStale(true) }), "weir; fwd=stale; stored", "miss", ""},
		{"shared", told((*output).showCollapsed), "weir; fwd=miss; collapsed", "miss", ""},
		{"unwanted", told(func(o *output) { o.showUnwanted(false) }), "weir; fwd=request", "bypass", ""},
		{"renewed", told(func(o *output) { o.showUnwanted(true) }), "weir; fwd=request; stored", "bypass", ""},
		{"a rule", told(func(o *output) { o.showBypass("tools") }), "weir; fwd=bypass; detail=tools", "bypass", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := make(http.Header)
			h.Set("Cache-Status", "an earlier attempt's")
			tt.show(h)
			if h.Get("Cache-Status") != tt.status || h.Get("X-AI-Cache") != tt.word || h.Get("Age") != tt.age {
				t.Errorf("%v", h)
			}
		})
	}
}
