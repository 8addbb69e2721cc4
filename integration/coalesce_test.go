package integration

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/integration/weirtest"
)

// usageChunk is the chunk of lastChunks that clients have to ask for.
var usageChunk = lastChunks[strings.Index(lastChunks, "\n\n")+2 : strings.LastIndex(lastChunks, "data: [DONE]")]

// paced is an upstream's stream of which a test lets out one word after another.
type paced struct {
	words chan string
	gone  chan struct{}
}

func newPaced() *paced { return &paced{words: make(chan string), gone: make(chan struct{}, 16)} }

func (p *paced) answer(w http.ResponseWriter, r *weirtest.Request) {
	startStream(w)
	for {
		select {
		case text, ok := <-p.words:
			if !ok {
				_, _ = io.WriteString(w, lastChunks)
				return
			}
			if text == "reset" {
				weirtest.Reset(w)
				return
			}
			_, _ = io.WriteString(w, word(text))
			weirtest.Flush(w)
		case <-r.Gone:
			p.gone <- struct{}{}
			return
		}
	}
}

// listener is a client of a stream.
type listener struct {
	res    *http.Response
	lines  *bufio.Reader
	leave  context.CancelFunc
	gotten strings.Builder
}

func (s *stage) listen(t *testing.T, body string, header ...string) *listener {
	t.Helper()
	return s.listenAt(t, "/v1/chat/completions", body, header...)
}

func (s *stage) listenAt(t *testing.T, path, body string, header ...string) *listener {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := s.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return &listener{res: res, lines: bufio.NewReader(res.Body), leave: cancel}
}

// until reads up to a word.
func (l *listener) until(t *testing.T, text string) {
	t.Helper()
	for {
		line, err := l.lines.ReadString('\n')
		l.gotten.WriteString(line)
		if strings.Contains(line, `"`+text+`"`) {
			return
		}
		if err != nil {
			t.Fatalf("waiting for %q: %v; got %s", text, err, l.gotten.String())
		}
	}
}

// rest reads to the end.
func (l *listener) rest() (string, error) {
	data, err := io.ReadAll(l.lines)
	l.gotten.Write(data)
	return l.gotten.String(), err
}

// TestThousandShareOneCall is the promise: one call, and everybody gets all of it.
func TestThousandShareOneCall(t *testing.T) {
	const clients = 1000
	p := newPaced()
	s := newStage(t, cachedModel, "cache exact")
	s.plays("one", p.answer)
	first := s.listenLater(t, wanting(true, ""))
	p.words <- "word0"
	leader := <-first
	leader.until(t, "word0")
	var wg sync.WaitGroup
	answers := make([]string, clients)
	joined := make(chan struct{}, clients)
	for i := range clients {
		wg.Go(func() {
			l := s.listen(t, wanting(true, ""))
			l.until(t, "word0")
			joined <- struct{}{}
			got, err := l.rest()
			if err != nil {
				t.Errorf("client %d: %v", i, err)
			}
			answers[i] = got
			if how := l.res.Header.Get("Cache-Status"); how != "weir; fwd=miss; collapsed" {
				t.Errorf("client %d: %s", i, how)
			}
		})
	}
	for range clients {
		<-joined
	}
	for n := range 20 {
		p.words <- fmt.Sprintf("word%d", n+1)
	}
	close(p.words)
	wg.Wait()
	want, err := leader.rest()
	if err != nil || !strings.HasSuffix(want, "data: [DONE]\n\n") || !strings.Contains(want, "word20") {
		t.Fatalf("%v: %s", err, want)
	}
	for i := range answers {
		if answers[i] != want {
			t.Fatalf("client %d got\n%s", i, answers[i])
		}
	}
	if _, names := s.called(); names != "one" {
		t.Errorf("called %s", names)
	}
	paid, shared := 0, 0
	for _, r := range s.Records.Wait(t, clients+1) {
		switch {
		case r.Cache == gateway.CacheCoalesced && r.Cost.Total == 0 && r.Usage.IsZero() && r.Saved > 0 && r.Error == "":
			shared++
		case r.Cache == gateway.CacheMiss && r.Cost.Total > 0:
			paid++
		default:
			t.Errorf("record %+v", r)
		}
	}
	if paid != 1 || shared != clients {
		t.Errorf("%d paid, %d shared", paid, shared)
	}
}

// listenLater is listen for an answer that the caller lets out.
func (s *stage) listenLater(t *testing.T, body string, header ...string) <-chan *listener {
	got := make(chan *listener, 1)
	go func() { got <- s.listen(t, body, header...) }()
	return got
}

// TestLeaderLeaves kills the leader at random points: nobody who follows loses or
// repeats a byte, and the call is paid for once.
func TestLeaderLeaves(t *testing.T) {
	s := newStage(t, cachedModel, "cache exact")
	seen := 0
	for round := range 20 {
		rnd := rand.New(rand.NewPCG(1, uint64(round)))
		p := newPaced()
		s.plays("one", p.answer)
		body := wanting(true, fmt.Sprint(round))
		first := s.listenLater(t, body)
		p.words <- "word0"
		leader := <-first
		leader.until(t, "word0")
		followers := 1 + rnd.IntN(5)
		var list []*listener
		leaves := rnd.IntN(10)
		for n := range 10 {
			if n < followers {
				l := s.listen(t, body)
				l.until(t, fmt.Sprintf("word%d", n))
				list = append(list, l)
			}
			if n == leaves {
				leader.leave()
			}
			p.words <- fmt.Sprintf("word%d", n+1)
		}
		close(p.words)
		want := firstChunk
		for n := range 11 {
			want += word(fmt.Sprintf("word%d", n))
		}
		want += strings.ReplaceAll(lastChunks, usageChunk, "")
		if len(list) == 0 {
			t.Fatal("nobody follows")
		}
		for i, l := range list {
			if got, err := l.rest(); err != nil || got != want {
				t.Fatalf("round %d, follower %d: %v\n%s\nwant\n%s", round, i, err, got, want)
			}
		}
		if _, names := s.called(); names != "one" {
			t.Fatalf("called %s", names)
		}
		if leaves < 0 {
			_, _ = leader.rest()
		}
		paid := 0
		for _, r := range s.Records.Wait(t, seen+1+len(list))[seen:] {
			if r.Cost.Total > 0 {
				if paid++; r.UsageSource != gateway.SourceProvider {
					t.Errorf("the leader's record: %+v", r)
				}
			}
		}
		if seen += 1 + len(list); paid != 1 {
			t.Errorf("round %d: %d paid", round, paid)
		}
	}
}

// TestAllLeave holds that a call that nobody waits for is cancelled.
func TestAllLeave(t *testing.T) {
	p := newPaced()
	s := newStage(t, cachedModel, "cache exact")
	s.plays("one", p.answer)
	first := s.listenLater(t, wanting(true, ""))
	p.words <- "word0"
	leader := <-first
	leader.until(t, "word0")
	follower := s.listen(t, wanting(true, ""))
	follower.until(t, "word0")
	leader.leave()
	p.words <- "word1"
	follower.until(t, "word1")
	follower.leave()
	select {
	case <-p.gone:
	case <-time.After(10 * time.Second):
		t.Fatal("the upstream still has the call")
	}
	for _, r := range s.Records.Wait(t, 2) {
		if r.Error != "client_gone" {
			t.Errorf("record %+v", r)
		}
	}
}

// TestMetadataOfGemini holds that who follows a stream of a dialect without a
// terminator has its metadata behind the last event.
func TestMetadataOfGemini(t *testing.T) {
	s := newStage(t, cachedModel, "cache exact")
	p := newPaced()
	s.plays("one", p.answer)
	ask := func(header ...string) *listener {
		return s.listenAt(t, "/v1beta/models/m:streamGenerateContent?alt=sse", `{"contents":[{"role":"user","parts":[{"text":"hello"}]}]}`, header...)
	}
	opened := make(chan *listener, 1)
	go func() { opened <- ask() }()
	p.words <- "word0"
	leader := <-opened
	with, without := ask("X-AI-Metadata", "on"), ask()
	for _, l := range []*listener{with, without} {
		l.until(t, "word0")
	}
	close(p.words)
	want, err := leader.rest()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := without.rest(); err != nil || got != want {
		t.Errorf("without: %v %s", err, got)
	}
	got, err := with.rest()
	rest, ok := strings.CutPrefix(got, want)
	if err != nil || !ok || strings.Count(rest, "aiMetadata") != 1 || !strings.Contains(rest, `"input_tokens":8,"output_tokens":2,`) {
		t.Errorf("%v %s\nwant metadata behind\n%s", err, got, want)
	}
}
