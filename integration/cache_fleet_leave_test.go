package integration

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/integration/weirtest"
)

// TestFleetLeaderLeaves holds that a call goes on for those who follow it at another
// instance when its own client leaves, is paid for once, and ends when they leave too.
func TestFleetLeaderLeaves(t *testing.T) {
	f := newFleet(t, "", fleetSite)
	f.shared(t)

	for _, stream := range []bool{true, false} {
		t.Run(fmt.Sprintf("before content, streamed %t", stream), func(t *testing.T) {
			asked, let := make(chan struct{}, 4), make(chan struct{})
			f.plays(func(w http.ResponseWriter, r *weirtest.Request) {
				asked <- struct{}{}
				select {
				case <-let:
					fine("one")(w, r)
				case <-r.Gone:
				}
			})
			body := wanting(stream, fmt.Sprint(" left early ", stream))
			ctx, leave := context.WithCancel(t.Context())
			left := make(chan *reply, 1)
			go func() { left <- f.send(ctx, f.a, keyOfCI, body) }()
			<-asked
			got := make(chan *reply, 1)
			go func() { got <- f.send(t.Context(), f.b, keyOfCI, body) }()
			f.followed(t, 1)
			leave()
			<-left
			f.a.stays(t, true)
			close(let)
			if r := <-got; r.status != 200 || r.cut || r.header.Get("Cache-Status") != "weir; fwd=miss; collapsed" || !strings.Contains(r.body, "by one") {
				t.Errorf("%d %v %v %s", r.status, r.err, r.header, r.body)
			}
			f.paidByOne(t)
			f.a.stays(t, false)
		})
	}

	t.Run("after content", func(t *testing.T) {
		p := newPaced()
		f.plays(p.answer)
		body := wanting(true, " left late")
		owner, follower := f.pair(t, p, body)
		owner.leave()
		f.a.stays(t, true)
		p.words <- "word1"
		follower.until(t, "word1")
		close(p.words)
		if got, err := follower.rest(); err != nil || !strings.HasSuffix(got, done) {
			t.Errorf("%v\n%s", err, got)
		}
		f.paidByOne(t)
		f.a.stays(t, false)
	})

	t.Run("then the last one here", func(t *testing.T) {
		p := newPaced()
		f.plays(p.answer)
		body := wanting(true, " left one by one")
		owner, follower := f.pair(t, p, body)
		near := f.listen(t, f.a, body)
		near.until(t, "word0")
		owner.leave()
		p.words <- "word1"
		near.until(t, "word1")
		near.leave()
		f.a.stays(t, true)
		close(p.words)
		if got, err := follower.rest(); err != nil || !strings.HasSuffix(got, done) {
			t.Errorf("%v\n%s", err, got)
		}
		if n := f.paid(); n != 1 {
			t.Errorf("%d calls", n)
		}
		f.a.stays(t, false)
	})

	t.Run("they leave too", func(t *testing.T) {
		p := newPaced()
		f.plays(p.answer)
		owner, follower := f.pair(t, p, wanting(true, " all left"))
		owner.leave()
		f.a.stays(t, true)
		p.words <- "word1"
		follower.until(t, "word1")
		follower.leave()
		select {
		case <-p.gone:
		case <-time.After(patience):
			t.Fatal("the upstream still has the call")
		}
	})
}

// TestFleetElects holds that of the instances that wait for one that dies, one makes the
// call.
func TestFleetElects(t *testing.T) {
	f := newFleet(t, "", fleetSite)
	c := f.peer(t, "c", "", fleetSite)
	f.shared(t)
	tries := 0
	eventually(t, "the third's connection", func() bool {
		tries++
		body := wanting(false, fmt.Sprint(" third ", tries))
		f.ask(t, f.a, body)
		return f.sees(t, c, body)
	})
	f.paid()
	for _, stream := range []bool{true, false} {
		asked, calls := make(chan struct{}, 8), atomic.Int64{}
		f.plays(func(w http.ResponseWriter, r *weirtest.Request) {
			first := calls.Add(1) == 1
			asked <- struct{}{}
			if first {
				<-r.Gone
				return
			}
			fine("one")(w, r)
		})
		body := wanting(stream, fmt.Sprint(" elected ", stream))
		go f.send(context.WithoutCancel(t.Context()), f.a, keyOfCI, body)
		<-asked
		got := make(chan *reply, 2)
		for _, m := range []*peer{f.b, c} {
			go func() { got <- f.send(t.Context(), m, keyOfCI, body) }()
			f.waiting(t, m, 1)
		}
		f.followed(t, 2)
		f.a.kill()
		for range 2 {
			if r := <-got; r.status != 200 || r.cut || !strings.Contains(r.body, "by one") {
				t.Errorf("streamed %t: %d %v %s", stream, r.status, r.err, r.body)
			}
		}
		if n := f.paid(); n != 2 {
			t.Errorf("streamed %t: %d calls", stream, n)
		}
		f.a.process = f.a.start()
		f.shared(t)
	}
}

// followed waits until so many instances follow calls of others.
func (f *fleet) followed(t *testing.T, n int) {
	t.Helper()
	eventually(t, fmt.Sprint(n, " that follow"), func() bool {
		all := 0
		for _, ears := range f.redis.List("KEYS *:ears:*") {
			var some int
			_, _ = fmt.Sscanf(f.redis.Must("ZCARD "+ears), ":%d", &some)
			all += some
		}
		return all == n
	})
}

// stays waits until the peer goes on, or does no longer, with a call for others alone.
func (m *peer) stays(t *testing.T, want bool) {
	t.Helper()
	eventually(t, fmt.Sprint("a call that goes on: ", want), func() bool {
		res, err := http.Get(m.admin + "/debug/pprof/goroutine?debug=2")
		if err != nil {
			return false
		}
		defer res.Body.Close()
		stacks, err := io.ReadAll(res.Body)
		return err == nil && strings.Contains(string(stacks), "handlers.(*lead).heedFleet(") == want
	})
}

// pair opens a stream at one instance, and another that follows it at the other.
func (f *fleet) pair(t *testing.T, p *paced, body string) (owner, follower *listener) {
	t.Helper()
	opened := make(chan *listener, 1)
	go func() { opened <- f.listen(t, f.a, body) }()
	p.words <- "word0"
	owner = <-opened
	owner.until(t, "word0")
	follower = f.listen(t, f.b, body)
	follower.until(t, "word0")
	return owner, follower
}

// paidByOne checks the records of one call that two clients had, of which the one
// who made it has left.
func (f *fleet) paidByOne(t *testing.T) {
	t.Helper()
	if n := f.paid(); n != 1 {
		t.Errorf("%d calls", n)
	}
	if r := f.a.more(t, 1)[0]; r.Cache != gateway.CacheMiss || r.Cost == nil || *r.Cost <= 0 {
		t.Errorf("who left: %+v", r)
	}
	if r := f.b.more(t, 1)[0]; r.Cache != gateway.CacheCoalesced || r.Cost == nil || *r.Cost != 0 || r.Saved <= 0 || r.Error != "" {
		t.Errorf("who followed: %+v", r)
	}
}
