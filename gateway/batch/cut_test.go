package batch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/wire"
)

func numbers(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf(`"%d"`, i)
	}
	return "[" + strings.Join(list, ",") + "]"
}

// TestCut asks in parts, whatever comes first, and puts them together in order.
func TestCut(t *testing.T) {
	for _, serial := range []bool{false, true} {
		// With four at a time the first part is held back until three others
		// have been answered.
		others := make(chan struct{}, 3)
		var running, most atomic.Int32
		u := &upstream{traits: gateway.Traits{MaxInputs: 2048}}
		u.answer = func(_ context.Context, _ int, _ *gateway.Call, body []byte) (*http.Response, error) {
			n := running.Add(1)
			most.Store(max(most.Load(), n))
			defer running.Add(-1)
			if !serial && strings.Contains(string(body), `"0"`) {
				for range cap(others) - 1 {
					<-others
				}
			} else if !serial {
				others <- struct{}{}
			}
			return nil, nil
		}
		c := request(u, numbers(5000), `,"dimensions":8`)
		c.Serial = serial
		got := send(t.Context(), nil, c).wait(t)
		var answer struct {
			Data []struct {
				Index     int
				Embedding string
			}
			Usage struct {
				PromptTokens int `json:"prompt_tokens"`
			}
		}
		if err := json.Unmarshal([]byte(got.body), &answer); err != nil || got.err != nil || len(answer.Data) != 5000 || answer.Usage.PromptTokens != 50000 {
			t.Fatalf("%d vectors, usage %+v, %v, %v", len(answer.Data), answer.Usage, err, got.err)
		}
		for i, v := range answer.Data {
			if v.Index != i || v.Embedding != fmt.Sprint(i) {
				t.Fatalf("vector %d: %+v", i, v)
			}
		}
		if len(u.calls) != 3 || serial && most.Load() != 1 || got.Shared || got.Taken {
			t.Errorf("%d calls, %d at once, %+v", len(u.calls), most.Load(), got.Result)
		}
		if !strings.HasSuffix(u.calls[0], `],"dimensions":8}`) {
			t.Error("the parameters are not as they were")
		}
	}
}

// TestCutFails holds that a call fails as a whole, with what was paid for it.
func TestCutFails(t *testing.T) {
	broken := &gateway.Error{Kind: wire.KindUpstream, Phase: gateway.PhaseConnect, Message: "no way"}
	for name, tt := range map[string]struct {
		fail func() (*http.Response, error)
		body string
		err  error
	}{
		"refused": {func() (*http.Response, error) { return answer(400, `{"error":{"message":"bad"}}`, "X-A", "b"), nil }, `{"error":{"message":"bad"}}`, nil},
		"broken":  {func() (*http.Response, error) { return nil, broken }, "", broken},
		"too few": {func() (*http.Response, error) { return answer(200, `{"data":[]}`), nil }, "", nil},
	} {
		u := &upstream{traits: gateway.Traits{MaxInputs: 2}}
		u.answer = func(_ context.Context, n int, _ *gateway.Call, _ []byte) (*http.Response, error) {
			if n == 3 {
				return tt.fail()
			}
			return nil, nil
		}
		c := request(u, numbers(20), "")
		c.Serial = true
		got := send(t.Context(), nil, c).wait(t)
		if len(u.calls) != 3 || !got.Taken || got.Paid != 40 || got.body != tt.body || (got.err == nil) != (tt.body != "") || tt.err != nil && !errors.Is(got.err, tt.err) {
			t.Errorf("%s: %d calls, %+v", name, len(u.calls), got)
		}
		if tt.body != "" && (got.Response.StatusCode != 400 || got.Response.Header.Get("X-A") != "b") {
			t.Errorf("%s: %+v", name, got.Response)
		}
	}
	t.Run("while others are asked", func(t *testing.T) {
		u := &upstream{traits: gateway.Traits{MaxInputs: 1}}
		var waiting atomic.Int32
		all := make(chan struct{})
		u.answer = func(ctx context.Context, _ int, _ *gateway.Call, body []byte) (*http.Response, error) {
			if waiting.Add(1) == concurrent {
				close(all)
			}
			if <-all; strings.Contains(string(body), `"0"`) {
				return answer(429, `{}`), nil
			}
			<-ctx.Done() // cut short by the failure
			return nil, ctx.Err()
		}
		if got := send(t.Context(), nil, request(u, numbers(9), "")).wait(t); got.err != nil || got.Response.StatusCode != 429 || got.Taken || len(u.calls) != concurrent {
			t.Errorf("%d calls, %+v", len(u.calls), got)
		}
	})
	t.Run("the client leaves", func(t *testing.T) {
		gone := errors.New("gone")
		ctx, cancel := context.WithCancelCause(t.Context())
		u := &upstream{traits: gateway.Traits{MaxInputs: 2}}
		u.answer = func(ctx context.Context, _ int, _ *gateway.Call, _ []byte) (*http.Response, error) {
			cancel(gone)
			<-ctx.Done()
			return nil, context.Cause(ctx)
		}
		if got := send(ctx, nil, request(u, numbers(5), "")).wait(t); !errors.Is(got.err, gone) {
			t.Errorf("%+v", got)
		}
	})
	t.Run("too many parts", func(t *testing.T) {
		u := &upstream{traits: gateway.Traits{MaxInputs: 2}}
		got := send(t.Context(), nil, request(u, numbers(2*maxParts+1), "")).wait(t)
		if e := gateway.AsError(got.err); e.Kind != wire.KindInvalid || !strings.Contains(e.Message, "513 inputs; at most 512") || len(u.calls) > 0 || !got.Unsent {
			t.Errorf("%v", got.err)
		}
	})
}
