package integration

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/integration/weirtest"
)

// held is an upstream whose answer waits until the test lets it go.
type held struct{ asked, let chan struct{} }

func newHeld() *held { return &held{asked: make(chan struct{}, 64), let: make(chan struct{})} }

func (h *held) then(answer answerer) answerer {
	return func(w http.ResponseWriter, r *weirtest.Request) {
		h.asked <- struct{}{}
		select {
		case <-h.let:
		case <-r.Gone:
		}
		answer(w, r)
	}
}

// watched loads the stage's configuration with an admin endpoint, and returns what
// waits until so many requests are under way.
func (s *stage) watched(t *testing.T, ai, site string) (underWay func(n int)) {
	t.Helper()
	admin := weirtest.FreeAddr(t)
	if err := loadConfig(t, administered(s.Caddyfile("", s.config+ai, "ai_gateway {\n"+site+"\n}"), admin)); err != nil {
		t.Fatal(err)
	}
	// The server before closes them, maybe just when the next request goes out there.
	s.client.CloseIdleConnections()
	return func(n int) {
		t.Helper()
		eventually(t, fmt.Sprintf("%d requests under way", n), func() bool {
			return scrape(t, s.client, admin)["caddy_ai_in_flight"] == float64(n)
		})
	}
}

// TestFollowersOfKeptAnswers has the leader of a call find a similar answer while
// others wait for its own: they get it as if each had found it, on its own terms.
func TestFollowersOfKeptAnswers(t *testing.T) {
	const first = "please tell me about rain in the mountains"
	const followers = 4
	const (
		ai   = cachedModel + "model e two/text-embedding-3-small {\ninternal\n}\nkey ci {env.CI_KEY} {\nlimit requests 7 1h\n}\n"
		site = "cache semantic {\nembedder e\ndeadline 10s\n}"
	)
	s := newStage(t, ai, site)
	s.plays("two", embeds)
	if got := s.post(t, "/v1/chat/completions", about(first), as(keyOfCI)...); got.status != 200 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	h := newHeld()
	s.plays("two", h.then(embeds))
	s.called()
	underWay := s.watched(t, ai, site)
	answers := make([]*reply, 2+followers)
	var all sync.WaitGroup
	ask := func(i int, header ...string) {
		all.Go(func() {
			answers[i] = s.post(t, "/v1/chat/completions", about(first+" quickly"), append(as(keyOfCI), header...)...)
		})
	}
	ask(0)
	<-h.asked
	for i := range followers {
		ask(1 + i)
	}
	ask(1+followers, "X-AI-Cache", "refresh")
	underWay(len(answers))
	close(h.let)
	all.Wait()
	for i, got := range answers {
		want := "semantic-hit"
		if i == 1+followers {
			want = "bypass" // it wants a new one
		}
		if got.status != 200 || got.header.Get("X-AI-Cache") != want {
			t.Errorf("client %d: %d %v %s", i, got.status, got.header, got.body)
		}
	}
	// Each counts once: 1 + 6 of 7.
	if got := s.post(t, "/v1/chat/completions", about("another matter"), as(keyOfCI)...); got.status != 429 {
		t.Errorf("the eighth: %d", got.status)
	}
	for _, r := range s.Records.Wait(t, 7)[1:7] {
		if r.Cache == gateway.CacheSemantic && r.Saved == 0 || r.Error != "" {
			t.Errorf("%+v", r)
		}
	}
}
