package integration

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
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

	// far waits until the other instance follows the call.
	far := func(t *testing.T) {
		t.Helper()
		eventually(t, "one that follows", func() bool { return strings.Contains(f.redis.Must("CLIENT LIST"), "cmd=xread") })
	}
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
			far(t)
			leave()
			<-left
			f.a.stays(t)
			close(let)
			if r := <-got; r.status != 200 || r.cut || r.header.Get("Cache-Status") != "weir; fwd=miss; collapsed" || !strings.Contains(r.body, "by one") {
				t.Errorf("%d %v %v %s", r.status, r.err, r.header, r.body)
			}
			f.paidByOne(t)
		})
	}

	t.Run("after content", func(t *testing.T) {
		p := newPaced()
		f.plays(p.answer)
		body := wanting(true, " left late")
		owner, follower := f.pair(t, p, body)
		owner.leave()
		f.a.stays(t)
		p.words <- "word1"
		follower.until(t, "word1")
		close(p.words)
		if got, err := follower.rest(); err != nil || !strings.HasSuffix(got, done) {
			t.Errorf("%v\n%s", err, got)
		}
		f.paidByOne(t)
	})

	t.Run("they leave too", func(t *testing.T) {
		p := newPaced()
		f.plays(p.answer)
		owner, follower := f.pair(t, p, wanting(true, " all left"))
		owner.leave()
		f.a.stays(t)
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

// stays waits until the peer goes on with a call for others alone.
func (m *peer) stays(t *testing.T) {
	t.Helper()
	eventually(t, "a call that goes on", func() bool {
		res, err := http.Get(m.admin + "/debug/pprof/goroutine?debug=2")
		if err != nil {
			return false
		}
		defer res.Body.Close()
		stacks, _ := io.ReadAll(res.Body)
		return strings.Contains(string(stacks), "handlers.(*lead).heedFleet(")
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
