package integration

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/weirproxy/weir/integration/weirtest"
)

// coalesced is the series of look-ups that were served with another's call.
const coalesced = `caddy_ai_cache_lookups_total{kind="exact",result="coalesced"}`

// TestFleetFollows holds what those get who follow a call, at its own instance and at
// another, when it takes an unusual turn.
func TestFleetFollows(t *testing.T) {
	f := newFleet(t, "model c one/gpt-4.1 {\nfallback one/gpt-4.1-mini\non_cut continue\nfail_duration off\n}", fleetSite)
	f.shared(t)

	// follow opens a stream at the owner, and one at each instance that follows it.
	follow := func(t *testing.T, p *paced, body string) (owner, near, far *listener) {
		t.Helper()
		opened := make(chan *listener, 1)
		go func() { opened <- f.listen(t, f.a, body) }()
		p.words <- "word0"
		owner = <-opened
		owner.until(t, "word0")
		near, far = f.listen(t, f.a, body), f.listen(t, f.b, body)
		near.until(t, "word0")
		far.until(t, "word0")
		return owner, near, far
	}

	t.Run("it goes on at another target", func(t *testing.T) {
		p := newPaced()
		var calls atomic.Int64
		f.plays(func(w http.ResponseWriter, r *weirtest.Request) {
			if calls.Add(1) == 1 {
				p.answer(w, r)
				return
			}
			events(firstChunk+word(" and the rest")+lastChunks)(w, r)
		})
		owner, near, far := follow(t, p, strings.Replace(wanting(true, " continued"), `"m"`, `"c"`, 1))
		p.words <- "reset"
		want, err := owner.rest()
		if err != nil || !strings.HasSuffix(want, done) || !strings.Contains(want, "and the rest") {
			t.Fatalf("%v %s", err, want)
		}
		for name, l := range map[string]*listener{"near": near, "far": far} {
			if got, err := l.rest(); err != nil || got != want {
				t.Errorf("%s: %v\n%s\nwant\n%s", name, err, got, want)
			}
		}
		f.paid()
	})

	t.Run("the upstream reports an error in its stream", func(t *testing.T) {
		let := make(chan struct{})
		f.plays(func(w http.ResponseWriter, _ *weirtest.Request) {
			startStream(w)
			_, _ = io.WriteString(w, word("word0"))
			weirtest.Flush(w)
			<-let
			_, _ = io.WriteString(w, "data: {\"error\":{\"message\":\"it broke\",\"type\":\"server_error\"}}\n\n")
		})
		body := wanting(true, " broken")
		var list []*listener
		for _, m := range []*peer{f.a, f.a, f.b} {
			l := f.listen(t, m, body)
			l.until(t, "word0")
			list = append(list, l)
		}
		close(let)
		for i, l := range list {
			got, err := l.rest()
			if err == nil || strings.Contains(got, "[DONE]") || strings.Count(got, `"error":`) != 1 || !strings.Contains(got, "it broke") {
				t.Errorf("client %d: %v\n%s", i, err, got)
			}
		}
		f.paid()
	})

	t.Run("who asks after a purge does not get an answer from before", func(t *testing.T) {
		p := newPaced()
		f.plays(p.answer)
		body := wanting(true, " purged")
		_, _, far := follow(t, p, body)
		f.a.purge(t, `{"all":true}`)
		f.plays(fine("one"))
		if got := f.ask(t, f.a, body); strings.Contains(got.body, "word0") {
			t.Errorf("at the owner: %s", got.body)
		}
		eventually(t, "the purge at the other", func() bool {
			ctx := t.Context()
			res, err := f.open(ctx, f.b, keyOfCI, body, "Cache-Control", "max-age=0")
			if err != nil {
				return false
			}
			defer res.Body.Close()
			return !strings.Contains(res.Header.Get("Cache-Status"), "collapsed")
		})
		close(p.words)
		if got, err := far.rest(); err != nil || !strings.HasSuffix(got, done) {
			t.Errorf("who was there before: %v %s", err, got)
		}
		f.paid()
	})

	t.Run("metadata tells the usage, also where the client's stream does not", func(t *testing.T) {
		p := newPaced()
		f.plays(p.answer)
		body := wanting(true, " measured")
		owner, near, far := follow(t, p, body)
		with := []string{"X-AI-Metadata", "on"}
		clients := map[string]*listener{"near": f.listen(t, f.a, body, with...), "far": f.listen(t, f.b, body, with...)}
		for _, l := range clients {
			l.until(t, "word0")
		}
		close(p.words)
		for name, l := range map[string]*listener{"owner": owner, "near": near, "far": far} {
			if got, err := l.rest(); err != nil || !strings.HasSuffix(got, done) || strings.Contains(got, "ai_metadata") {
				t.Errorf("%s, without: %v %s", name, err, got)
			}
		}
		for name, l := range clients {
			checkMeasured(t, name, l)
		}
		f.paid()
	})

	t.Run("who brings an answer from another instance has metadata of its own", func(t *testing.T) {
		for _, followed := range []bool{false, true} {
			p := newPaced()
			f.plays(p.answer)
			body := wanting(true, fmt.Sprint(" brought ", followed))
			opened := make(chan *listener, 1)
			go func() { opened <- f.listen(t, f.a, body) }()
			p.words <- "word0"
			owner := <-opened
			far := f.listen(t, f.b, body, "X-AI-Metadata", "on")
			far.until(t, "word0")
			others := []*listener{owner}
			if followed {
				behind := f.listen(t, f.b, body)
				behind.until(t, "word0")
				others = append(others, behind)
			}
			p.words <- "word1"
			close(p.words)
			checkMeasured(t, fmt.Sprintf("followed: %t", followed), far)
			for i, l := range others {
				if got, err := l.rest(); err != nil || !strings.HasSuffix(got, done) || strings.Contains(got, "ai_metadata") {
					t.Errorf("followed: %t, client %d, without: %v %s", followed, i, err, got)
				}
			}
			f.paid()
		}
	})

	t.Run("they are counted", func(t *testing.T) {
		p := newPaced()
		f.plays(p.answer)
		a, b := f.a.metric(t, coalesced), f.b.metric(t, coalesced)
		owner, near, far := follow(t, p, wanting(true, " counted"))
		close(p.words)
		for _, l := range []*listener{owner, near, far} {
			if got, err := l.rest(); err != nil || !strings.HasSuffix(got, done) {
				t.Errorf("%v %s", err, got)
			}
		}
		if a, b := f.a.metric(t, coalesced)-a, f.b.metric(t, coalesced)-b; a != 1 || b != 1 {
			t.Errorf("%v at the owner, %v at the other", a, b)
		}
	})
}

// checkMeasured reads a stream to its end, before which its metadata has to tell
// the usage of lastChunks.
func checkMeasured(t *testing.T, name string, l *listener) {
	t.Helper()
	got, err := l.rest()
	before, after, _ := strings.Cut(got, `"ai_metadata":{`)
	if err != nil || strings.Contains(after, "word") || !strings.Contains(before, `"stop"`) || !strings.HasSuffix(after, done) ||
		!strings.Contains(after, `"cache":"coalesced"`) || !strings.Contains(after, `"input_tokens":8,"output_tokens":2,`) {
		t.Errorf("%s: %v\n%s", name, err, got)
	}
}
