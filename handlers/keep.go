package handlers

import (
	"time"

	"github.com/weirproxy/weir/cache"
	forms "github.com/weirproxy/weir/cache/form"
	"github.com/weirproxy/weir/wire"
)

// keepStream keeps a stream of which all but the last piece is on the tape. It is
// called before any client gets that: who has seen the end may ask again at once.
// read is what an observer has found in it, nil where that has not read what the
// client gets.
func (c *call) keepStream(a *attempt, began time.Time, last []byte, read *wire.Seen) {
	l := c.led.Load()
	if l == nil {
		return
	}
	defer l.flight.Close() // not before it is kept: until then others join, from then on they find it
	if !c.mayKeep(a) {
		return
	}
	buf := newPayload()
	defer buf.release()
	body, ok := l.flight.AppendBody(buf.bytes)
	if buf.bytes = body; !ok {
		return
	}
	buf.bytes = append(body, last...)
	c.keep(a, cache.Form{Operation: c.keeping.want.Operation, Stream: true, Usage: c.keeping.want.Usage || a.askedUsage, Body: buf.bytes}, began, read)
}

// keepWhole keeps an answer that is no stream; l is the call's flight.
func (c *call) keepWhole(l *lead, a *attempt, answer []byte) (kept bool) {
	defer l.flight.Close()
	if !c.mayKeep(a) || int64(len(answer)) > c.keeping.exact.MaxEntry {
		return false
	}
	var read *wire.Seen
	if a.translator == nil { // what has been read is what the client gets
		seen := a.told.Seen()
		read = &seen
	}
	return c.keep(a, cache.Form{Operation: c.keeping.want.Operation, Body: answer}, a.begun, read)
}

// mayKeep reports whether the answer is what the same request would get again: all
// of it, from the model's own target, as the model ended it.
func (c *call) mayKeep(a *attempt) bool {
	k := c.keeping
	seen := a.told.Seen()
	switch {
	case k == nil, !k.asked.keeps(), c.sequels > 0, c.x.Downgraded != "":
		return false
	case !c.way.trip.IsOwn(a.route):
		return false // it stands in for the model's own
	case seen.Failure != nil, a.told.WasCut():
		return false
	default:
		return true
	}
}

// keep keeps an answer if its content allows it. read is as for keepStream.
func (c *call) keep(a *attempt, f cache.Form, began time.Time, read *wire.Seen) bool {
	k := c.keeping
	if int64(len(f.Body)) > k.exact.MaxEntry {
		return false
	}
	facts, err := forms.Check(f, read)
	if err != nil || !k.exact.keeps(&facts, &c.x.Envelope) {
		return false
	}
	tags, ok := c.tags()
	if !ok {
		return false
	}
	now := c.proxy.gateway.Now()
	seen := a.told.Seen()
	answer := cache.Answer{
		Made: now, Took: now.Sub(began),
		Provider: a.route.Target.Provider, Model: a.route.Target.Model,
		Usage: seen.Usage, Cost: -1, Finish: seen.Finish,
		Tags: tags, Form: f,
	}
	if facts.Finish == wire.FinishLength {
		answer.Finish = cache.FinishLength
	}
	if nano, ok := c.x.CostOf(a.told.Used()); ok {
		answer.Cost = nano
	}
	answer.Canonical = a.untranslated()
	if !k.exact.answers.Put(k.key, k.scope, &answer, k.since, k.exact.terms()) {
		return false
	}
	c.x.Update(func() { c.x.Stored = true })
	c.learn()
	return true
}

// untranslated is the answer before it was translated for the client; nil where
// it was not.
func (a *attempt) untranslated() []byte {
	t := a.conversation
	switch {
	case t == nil:
		return nil
	case t.answered != nil:
		return forms.Marshal(t.answered)
	case t.gather != nil && t.gather.Err() == nil:
		return forms.Marshal(t.gather.Response())
	default:
		return nil
	}
}

// keeps reports whether answers like this are kept.
func (e *CacheExact) keeps(f *forms.Facts, asked *wire.Envelope) bool {
	switch {
	case f.Refused, f.Empty, f.Calls && !e.Tools, f.Choices > 1 && !embeds(asked.Operation):
		return false
	case f.Finish == wire.FinishStop, f.Finish == wire.FinishString:
		return true
	case f.Finish == wire.FinishTools:
		return e.Tools
	case f.Finish == wire.FinishLength:
		return e.Length && asked.CapParam != "" // one that the gateway has set may be another next time
	default:
		return false
	}
}
