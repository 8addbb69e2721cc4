package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// The answers have about this many bytes.
const bodySize = 4 << 10

// The stream that many share: so many chunks, so far from each other.
const (
	chunks = 40
	gap    = 100 * time.Millisecond
)

// upstream is a provider that answers at once; what is asked for slowly comes
// chunk by chunk, each with the time when it was written.
type upstream struct {
	addr  string
	calls atomic.Int64
	srv   *http.Server
}

func newUpstream() (*upstream, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	u := &upstream{addr: ln.Addr().String()}
	u.srv = &http.Server{Handler: u, ReadHeaderTimeout: time.Minute}
	go func() { _ = u.srv.Serve(ln) }()
	return u, nil
}

func (u *upstream) close() { _ = u.srv.Close() }

func (u *upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	u.calls.Add(1)
	var asked struct {
		Stream   bool `json:"stream"`
		Messages []struct{ Content string }
	}
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	switch {
	case !asked.Stream:
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(wholeAnswer)
	case strings.HasPrefix(asked.Messages[0].Content, "slow"):
		slowly(w, asked.Messages[0].Content)
	default:
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = w.Write(streamAnswer)
	}
}

// slowly writes chunks that tell when they were written. prompt says when the first
// is due, so that streams do not only run at the same time but also in step.
func slowly(w http.ResponseWriter, prompt string) {
	var due int64
	if _, err := fmt.Sscanf(prompt, slow, &due); err != nil {
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	flush := http.NewResponseController(w).Flush
	_ = flush()
	for i := range chunks {
		time.Sleep(time.Until(time.Unix(0, due).Add(time.Duration(i) * gap)))
		_, _ = fmt.Fprintf(w, event, fmt.Sprintf("%s%019d ", stamp, time.Now().UnixNano()))
		_ = flush()
	}
	_, _ = fmt.Fprint(w, ending)
}

// stamp goes before the time in a chunk.
const stamp = "at="

// slow is the prompt of a slow stream, with the time when it is to begin.
const slow = "slow %d"

const (
	event  = `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"x","choices":[{"index":0,"delta":{"content":"%s"},"logprobs":null,"finish_reason":null}]}` + "\n\n"
	ending = `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"x","choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}]}` + "\n\n" +
		`data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"x","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":20,"total_tokens":30}}` + "\n\ndata: [DONE]\n\n"
)

var wholeAnswer, streamAnswer = []byte(whole()), []byte(stream())

func whole() string {
	const frame = `{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"x","choices":[{"index":0,"message":{"role":"assistant","content":"%s"},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":20,"total_tokens":30}}`
	return fmt.Sprintf(frame, strings.Repeat("word ", (bodySize-len(frame))/5))
}

func stream() string {
	var b strings.Builder
	for b.Len() < bodySize-len(ending) {
		fmt.Fprintf(&b, event, "word ")
	}
	return b.String() + ending
}
