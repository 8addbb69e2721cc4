package batch

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/embedding"
)

// run makes the group's one call and gives each of calls what is its own.
func (g *group) run(calls []*waiter) {
	defer g.cancel(nil)
	leader := calls[0]
	err := guard(func() error {
		answer, err := g.ask(calls)
		leader = g.leader(calls)
		if err != nil {
			return err
		}
		return g.share(calls, leader, answer)
	})
	if err == nil {
		return
	}
	for _, w := range calls {
		w.result, w.err = Result{Shared: true, Follows: w != leader}, shared(err)
		close(w.done)
	}
}

// ask makes the call.
func (g *group) ask(calls []*waiter) (*part, error) {
	lists := make([][]byte, len(calls))
	for i, w := range calls {
		lists[i] = w.list
	}
	return ask(g.ctx, &Call{Provider: g.provider, Outgoing: &g.outgoing, Unpack: g.unpack}, g.request, g.inputs, maxAnswer, lists...)
}

// share gives out what has come. After an error nothing has been given.
func (g *group) share(calls []*waiter, leader *waiter, answer *part) error {
	if answer.failure != nil {
		g.fail(calls, leader, answer)
		return nil
	}
	weights := make([]int64, len(calls))
	for i, w := range calls {
		weights[i] = w.tokens
	}
	usage := shareUsage(answer.Usage, weights)
	bodies := make([][]byte, len(calls))
	from := 0
	for i, w := range calls {
		piece := embedding.Piece{Answer: answer.Answer, From: from, To: from + w.inputs}
		var err error
		if bodies[i], err = embedding.Build(nil, w.operation, usage[i], piece); err != nil {
			return malformed(err)
		}
		from = piece.To
	}
	for i, w := range calls {
		w.result = Result{Response: synthetic(answer.status, answer.header.Clone(), bodies[i]), Shared: true, Follows: w != leader}
		close(w.done)
	}
	return nil
}

// fail hands on an error answer. One that may be a single caller's fault is
// nobody else's: each then asks for itself, as all would have done without a
// batch. Of any other each gets the kind and when to try again, but none of the
// words, which may speak of the whole batch.
func (g *group) fail(calls []*waiter, leader *waiter, answer *part) {
	header := answer.header
	if after := answer.failure.RetryAfter; after > 0 && header.Get("Retry-After") == "" {
		header.Set("Retry-After", strconv.FormatInt(int64((after+time.Second-1)/time.Second), 10))
	}
	body := wire.ErrorBody(g.outgoing.Operation.Dialect, &wire.Failure{Kind: answer.failure.Kind, Message: "the upstream " + reason(answer.failure.Kind)})
	for _, w := range calls {
		if ownFault(answer.failure.Kind) {
			w.alone = true
		} else {
			w.result = Result{Response: synthetic(answer.status, header.Clone(), body), Shared: true, Follows: w != leader}
		}
		close(w.done)
	}
}

// ownFault reports whether an error of kind may come of what one caller sent.
func ownFault(kind wire.Kind) bool {
	switch kind {
	case wire.KindInvalid, wire.KindContextLength, wire.KindPolicy, wire.KindTooLarge:
		return true
	default:
		return false
	}
}

func reason(kind wire.Kind) string {
	switch kind {
	case wire.KindRateLimit:
		return "limits the rate of calls"
	case wire.KindBudget:
		return "reports that the quota is used up"
	case wire.KindOverloaded:
		return "is overloaded"
	default:
		return "answered with an error (" + kind.String() + ")"
	}
}

// guard makes a panic an error, since nobody else would catch it here.
func guard(do func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &gateway.Error{Kind: wire.KindInternal, Message: "internal error", Cause: fmt.Errorf("panic: %v", r)}
		}
	}()
	return do()
}

// shared is err for one of those who share it: errors belong to their attempts.
func shared(err error) error {
	e := *gateway.AsError(err)
	return &e
}

func malformed(err error) error {
	return &gateway.Error{Kind: wire.KindUpstream, Phase: "answer", Status: http.StatusOK, Message: "the upstream's answer is not one vector for each input", Cause: err}
}
