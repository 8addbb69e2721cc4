package handlers

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/weirproxy/weir/cache"
	"github.com/weirproxy/weir/cache/flight"
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
