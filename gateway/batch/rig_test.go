package batch

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/internal/leaktest"
	"github.com/weirproxy/weir/wire"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// clock fires when a test says so.
type clock struct {
	mu     sync.Mutex
	timers []*timer
}

type timer struct {
	d       time.Duration
	f       func()
	stopped bool
}

func (c *clock) AfterFunc(d time.Duration, f func()) func() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &timer{d: d, f: f}
	c.timers = append(c.timers, t)
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		was := !t.stopped
		t.stopped = true
		return was
	}
}

// fire runs all timers that were not stopped.
func (c *clock) fire() {
	c.mu.Lock()
	var due []func()
	for _, t := range c.timers {
		if !t.stopped {
			t.stopped = true
			due = append(due, t.f)
		}
	}
	c.mu.Unlock()
	for _, f := range due {
		f()
	}
}

// upstream is a provider whose vectors are the inputs themselves.
type upstream struct {
	traits gateway.Traits
	ops    []*wire.Operation
	answer func(ctx context.Context, n int, call *gateway.Call, body []byte) (*http.Response, error)

	mu    sync.Mutex
	calls []string
	sent  []gateway.Call
}

func (u *upstream) Traits() gateway.Traits { return u.traits }

func (u *upstream) Speaks(op *wire.Operation) bool {
	for _, o := range u.ops {
		if o == op {
			return true
		}
	}
	return u.ops == nil
}

func (u *upstream) Matters(string, []string) bool { return false }

func (u *upstream) Forwarded(h http.Header) http.Header {
	forwarded := http.Header{}
	for name, values := range h {
		if strings.HasPrefix(name, "Openai-") {
			forwarded[name] = values
		}
	}
	return forwarded
}

func (u *upstream) Do(ctx context.Context, call *gateway.Call) (*http.Response, error) {
	body, err := io.ReadAll(call.Body)
	if err != nil {
		return nil, err
	}
	if again, err := call.GetBody(); err != nil {
		return nil, err
	} else if same, _ := io.ReadAll(again); string(same) != string(body) || int64(len(body)) != call.Length {
		return nil, fmt.Errorf("GetBody gives %s for %s, length %d", same, body, call.Length)
	}
	u.mu.Lock()
	u.calls = append(u.calls, string(body))
	u.sent = append(u.sent, *call)
	n := len(u.calls)
	u.mu.Unlock()
	if u.answer != nil {
		if res, err := u.answer(ctx, n, call, body); res != nil || err != nil {
			return res, err
		}
	}
	return answer(200, echo(body)), nil
}

func (u *upstream) bodies() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return append([]string(nil), u.calls...)
}

// echo answers a request of OpenAI's with its inputs as vectors, in reverse, and
// ten tokens each.
func echo(body []byte) string {
	var asked struct{ Input json.RawMessage }
	if err := json.Unmarshal(body, &asked); err != nil {
		return err.Error()
	}
	var inputs []json.RawMessage
	if json.Unmarshal(asked.Input, &inputs) != nil {
		inputs = []json.RawMessage{asked.Input}
	}
	data := make([]string, 0, len(inputs))
	for i := len(inputs) - 1; i >= 0; i-- {
		data = append(data, fmt.Sprintf(`{"index":%d,"embedding":%s}`, i, inputs[i]))
	}
	return fmt.Sprintf(`{"id":"shared","data":[%s],"model":"m","usage":{"prompt_tokens":%d,"total_tokens":%[2]d}}`, strings.Join(data, ","), 10*len(inputs))
}

func answer(status int, body string, headers ...string) *http.Response {
	res := &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}, "X-Request-Id": {"up-1"}}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body))}
	for i := 0; i < len(headers); i += 2 {
		res.Header.Set(headers[i], headers[i+1])
	}
	return res
}

// request is a call of OpenAI's with the value of `input` and further members.
func request(u *upstream, input, more string) *Call {
	body := []byte(`{"model":"m","input":` + input + more + `}`)
	return &Call{
		Provider: u, Target: "p", Body: body, Unpack: func(res *http.Response) (io.Reader, error) { return res.Body, nil },
		Tokens: func() int64 { return int64(len(input)) },
		Outgoing: &gateway.Call{
			Operation: wire.Embeddings, Path: "/embeddings", Model: "m", Method: http.MethodPost, Header: http.Header{"Cookie": {"secret"}}, ContentType: "application/json", RequestID: "r",
			Body: strings.NewReader(string(body)), Length: int64(len(body)), GetBody: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(string(body))), nil },
		},
	}
}

// outcome is what came of a call.
type outcome struct {
	Result
	body string
	err  error
}

// pending is a call that has been made and not been answered.
type pending chan outcome

func (p pending) wait(t *testing.T) outcome {
	t.Helper()
	select {
	case o := <-p:
		return o
	case <-time.After(time.Minute):
		t.Fatal("no outcome came")
		return outcome{}
	}
}

// send makes a call and returns when it waits in a group, or has been sent.
func send(ctx context.Context, b *Batcher, c *Call) pending {
	p := make(pending, 1)
	entered := make(chan struct{})
	var once sync.Once
	joined := func() { once.Do(func() { close(entered) }) }
	watchedCall := *c
	watchedCall.Provider = watched{c.Provider.(*upstream), joined}
	if b != nil {
		b.entered = joined
	}
	go func() {
		defer joined()
		var o outcome
		o.Result, o.err = b.Send(ctx, &watchedCall)
		if o.Response != nil {
			data, err := io.ReadAll(o.Response.Body)
			if o.body = string(data); err != nil {
				o.err = err
			}
		}
		p <- o
	}()
	<-entered
	return p
}

// watched tells when its provider is called.
type watched struct {
	*upstream
	called func()
}

func (w watched) Do(ctx context.Context, call *gateway.Call) (*http.Response, error) {
	w.called()
	return w.upstream.Do(ctx, call)
}
