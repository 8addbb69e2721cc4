package gateway

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/weirproxy/weir/gateway/capacity"
	"github.com/weirproxy/weir/gateway/health"
	"github.com/weirproxy/weir/gateway/queue"
	"github.com/weirproxy/weir/internal/clocktest"
	"github.com/weirproxy/weir/internal/leaktest"
	"github.com/weirproxy/weir/wire"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func newClock() *clocktest.Clock { return clocktest.New(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)) }

// fake is a provider that speaks some operations and owns some names.
type fake struct {
	ops    []*wire.Operation
	owned  string
	probe  error
	counts string
}

func (f *fake) Speaks(op *wire.Operation) bool {
	for _, o := range f.ops {
		if o == op {
			return true
		}
	}
	return false
}

func (f *fake) Traits() Traits { return Traits{CapParam: "max_tokens", CountsAs: f.counts} }
func (f *fake) Owns(model string) bool {
	return f.owned != "" && len(model) >= len(f.owned) && model[:len(f.owned)] == f.owned
}
func (f *fake) Probe(context.Context) error { return f.probe }

func (*fake) Do(context.Context, *Call) (*http.Response, error) {
	return nil, errors.New("not called in these tests")
}

// small is a provider with one place.
type small struct{ fake }

func (*small) Bound() capacity.Bound { return capacity.Bound{MaxInFlight: 1} }

// words counts spaces: enough to tell one text from another.
type words struct{}

func (words) Prompt(_ string, _ *wire.Operation, env *wire.Envelope) int { return len(env.Body()) }

func (words) Bound(model string, op *wire.Operation, env *wire.Envelope, _ int) (int, bool) {
	return words{}.Prompt(model, op, env), model != "estimated"
}

func (words) Output(string) OutputCounter { return new(bytesOut) }

type bytesOut struct{ n int }

func (b *bytesOut) Add(text []byte) { b.n += len(text) }
func (b *bytesOut) Count() int      { return b.n }
func (b *bytesOut) Exact() bool     { return true }

// ledger is a sink that keeps its records.
type ledger struct {
	mu      sync.Mutex
	records []*Record
}

func (l *ledger) Record(r *Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.records = append(l.records, r)
}

var (
	openAI    = []*wire.Operation{wire.Chat, wire.Responses, wire.Embeddings, wire.Moderations}
	anthropic = []*wire.Operation{wire.Messages, wire.CountTokens}
)

// newGateway is a gateway with an OpenAI, an Anthropic and a local provider.
func newGateway(t testing.TB, models ...*Model) (*Gateway, *clocktest.Clock, *ledger) {
	t.Helper()
	c, l := newClock(), &ledger{}
	g, err := New(Config{
		Providers: map[string]Provider{
			"openai":    &fake{ops: openAI, owned: "gpt-"},
			"anthropic": &fake{ops: anthropic, owned: "claude-"},
			"small":     &small{fake{ops: openAI}},
			"pool":      &pooled{fake{ops: openAI}},
			"gpu":       &fake{ops: append(append([]*wire.Operation(nil), openAI...), anthropic...)},
		},
		Models: models, Sinks: []UsageSink{l}, Tokens: words{}, Health: health.New(c, func() float64 { return 0.5 }), Clock: c, Random: rand.Uint64,
		Capacity: capacity.NewSet(queue.NewSet(queue.System{})),
		NewID:    func() string { return "req_minted" },
	})
	if err != nil {
		t.Fatal(err)
	}
	return g, c, l
}

func model(name string, targets ...Target) *Model {
	return &Model{Name: name, Plan: Plan{Targets: targets}}
}
