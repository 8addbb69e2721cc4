package batch

import (
	"context"
	"sync"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/embedding"
)

// The most calls that one request may become, and how many of them are made at
// a time.
const (
	maxParts   = 256
	concurrent = 4
)

// errElsewhere ends the parts of a call of which another has failed.
var errElsewhere = &gateway.Error{Kind: wire.KindUpstream, Phase: "answer", Message: "another part of the request failed"}

// cut makes several calls of one that has more inputs than the upstream takes,
// and one answer of theirs. The first failure is the call's.
func cut(ctx context.Context, c *Call, r *embedding.Request, limit int) (Result, error) {
	if n := (r.Inputs + limit - 1) / limit; n > maxParts {
		return Result{Unsent: true}, gateway.Invalid("input", "the request has %d inputs; at most %d can be asked for at once of a model that takes %d a call", r.Inputs, maxParts*limit, limit)
	}
	s := newCutting(ctx, c, r, limit)
	workers := min(concurrent, len(s.lists))
	if c.Serial {
		workers = 1
	}
	var wg sync.WaitGroup
	for range workers {
		wg.Go(s.work)
	}
	wg.Wait()
	s.cancel(nil)
	return s.result()
}

// cutting is a call on its way in parts.
type cutting struct {
	call    *Call
	request *embedding.Request
	ctx     context.Context
	cancel  context.CancelCauseFunc
	lists   [][]byte
	inputs  []int

	mu     sync.Mutex
	next   int
	parts  []*part
	room   int // bytes that the answers may still have
	failed *part
	err    error
}

func newCutting(ctx context.Context, c *Call, r *embedding.Request, limit int) *cutting {
	s := &cutting{call: c, request: r, room: maxAnswer}
	s.ctx, s.cancel = context.WithCancelCause(ctx)
	r.Cut(limit, func(list []byte, inputs int) {
		s.lists, s.inputs = append(s.lists, list), append(s.inputs, inputs)
	})
	s.parts = make([]*part, len(s.lists))
	return s
}

// work asks for one part after another until there is none left, or one has
// failed.
func (s *cutting) work() {
	for {
		s.mu.Lock()
		at, room := s.next, s.room
		if at == len(s.lists) || s.failed != nil || s.err != nil {
			s.mu.Unlock()
			return
		}
		s.next++
		s.mu.Unlock()
		var p *part
		err := guard(func() (err error) {
			p, err = ask(s.ctx, s.call, s.request, s.inputs[at], room, s.lists[at])
			return err
		})
		s.note(at, p, err)
	}
}

func (s *cutting) note(at int, p *part, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err == nil && p.failure == nil:
		s.parts[at] = p
		if s.room -= len(p.body); s.room < 0 && s.err == nil && s.failed == nil {
			s.err = &gateway.Error{Kind: wire.KindUpstream, Phase: "answer", Message: "the upstream's answers are too large together"}
		}
	case s.failed != nil || s.err != nil: // its consequence
	case err != nil:
		s.err = err
	default:
		s.failed = p
	}
	if s.failed != nil || s.err != nil {
		s.cancel(errElsewhere)
	}
}

// result puts the parts together.
func (s *cutting) result() (Result, error) {
	usage, taken := embedding.Usage{}, false
	pieces := make([]embedding.Piece, 0, len(s.parts))
	for i, p := range s.parts {
		if p != nil {
			usage, taken = usage.Plus(p.Usage), true
			pieces = append(pieces, embedding.Piece{Answer: p.Answer, To: s.inputs[i]})
		}
	}
	failed := Result{Taken: taken, Paid: -1}
	if taken {
		failed.Paid = usage.Tokens()
	}
	switch {
	case s.err != nil:
		return failed, s.err
	case s.failed != nil:
		failed.Response = synthetic(s.failed.status, s.failed.header, s.failed.body)
		return failed, nil
	}
	body, err := embedding.Build(nil, s.call.Outgoing.Operation, usage, pieces...)
	if err != nil {
		return failed, malformed(err)
	}
	return Result{Response: synthetic(s.parts[0].status, s.parts[0].header, body)}, nil
}
