package handlers

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"testing"

	"github.com/weirproxy/weir/gateway"
)

// arrivals is an upstream whose stream arrives in parts. Before each read it sees
// what the client has got.
type arrivals struct {
	canned
	parts [][]byte
	read  func(part int)
	next  int
	left  []byte
}

func (p *arrivals) Do(_ context.Context, call *gateway.Call) (*http.Response, error) {
	res, err := p.canned.Do(context.Background(), call)
	res.Body = io.NopCloser(p)
	return res, err
}

func (p *arrivals) Read(b []byte) (int, error) {
	if len(p.left) == 0 {
		if p.next == len(p.parts) {
			return 0, io.EOF // also behind the answer, on another goroutine
		}
		p.read(p.next)
		p.left = p.parts[p.next]
		p.next++
	}
	n := copy(b, p.left)
	p.left = p.left[n:]
	return n, nil
}

// got is a client that keeps what it gets.
type got struct {
	header  http.Header
	all     bytes.Buffer
	flushed int
	writes  int
}

func (g *got) Header() http.Header { return g.header }
func (*got) WriteHeader(int)       {}
func (g *got) FlushError() error   { g.flushed = g.all.Len(); return nil }
func (g *got) Write(p []byte) (int, error) {
	g.writes++
	return g.all.Write(p)
}

// TestTogether holds that what arrives together is written together, that nothing
// waits for what has not arrived, and that all comes in order: events that pass as
// they came, those that are made anew, and those that are kept back.
func TestTogether(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		var up arrivals
		var want bytes.Buffer
		complete := []int{} // how much of want has arrived with each part
		events := 1 + rnd.IntN(80)
		for i := 0; i <= events; {
			var part bytes.Buffer
			for range 1 + rnd.IntN(1+rnd.IntN(100)) {
				in, out := streamEvent(rnd, i)
				if i++; i > events {
					in, out = "data: [DONE]\n\n", "data: [DONE]\n\n"
				}
				part.WriteString(in)
				want.WriteString(out)
				if i > events {
					break
				}
			}
			// The last event may be cut in two: what is whole may not wait for it.
			whole := part.Bytes()
			arrived := want.Len()
			if !bytes.Contains(want.Bytes(), []byte("word")) {
				arrived = -1 // the commit point has not come
			}
			if cut := rnd.IntN(len(whole)); rnd.IntN(3) == 0 && bytes.Contains(whole[:cut], []byte("word")) && cut < bytes.LastIndex(bytes.TrimRight(whole, "\r\n"), []byte("data:")) {
				up.parts = append(up.parts, whole[:cut])
				complete = append(complete, -1)
				whole = whole[cut:]
			}
			up.parts = append(up.parts, whole)
			complete = append(complete, arrived)
		}
		client := &got{header: http.Header{}}
		reads := 0
		up.read = func(part int) {
			reads++
			if part > 0 && complete[part-1] >= 0 && client.flushed != complete[part-1] {
				t.Errorf("seed %d: when %d bytes had arrived the client had been sent %d", seed, complete[part-1], client.flushed)
			}
		}
		_, serve := proxyTo(t, &up)
		serve(client)
		if client.all.String() != want.String() {
			t.Fatalf("seed %d: got\n%s\nwant\n%s", seed, client.all.String(), want.String())
		}
		size := 0
		for _, p := range up.parts {
			size += len(p)
		}
		if most := reads + size/firstRead + size/maxTogether + 1; client.writes > most {
			t.Errorf("seed %d: %d writes for %d reads, %d bytes", seed, client.writes, reads, size)
		}
	}
}

// firstRead is how much is read of an upstream at once.
const firstRead = 2 << 10

// streamEvent is one of the events of a stream, and what the client gets of it.
func streamEvent(rnd *rand.Rand, i int) (in, out string) {
	chunk := func(text string) string {
		return fmt.Sprintf(`data: {"id":"c","choices":[{"index":0,"delta":{"content":%q},"finish_reason":null}]}`, text)
	}
	text := fmt.Sprintf("word%d ", i)
	if rnd.IntN(10) == 0 {
		text += string(bytes.Repeat([]byte("long "), rnd.IntN(1500)))
	}
	e := chunk(text)
	switch rnd.IntN(12) {
	case 0:
		return "id: 7\n" + e + "\n\n", e + "\n\n"
	case 1:
		return ": ping\n\n", ": ping\n\n"
	case 2:
		return "event: x\n\n", ""
	case 3:
		return e + "\r\n\r\n", e + "\r\n\r\n"
	case 4:
		return `data: {"id":"c","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}` + "\n\n", ""
	default:
		return e + "\n\n", e + "\n\n"
	}
}
