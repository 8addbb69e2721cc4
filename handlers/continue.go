package handlers

import (
	"slices"
	"strings"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/internal/seam"
	"github.com/weirproxy/weir/internal/telemetry"
	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/doors"
)

// maxContinuations bounds how often a request is sent to go on with an answer.
const maxContinuations = 2

// continued are the failures of a stream that another target may not have.
var continued = gateway.ClassesOf(gateway.ClassOverloaded, gateway.ClassUpstream, gateway.ClassRateLimit, gateway.ClassTimeout)

// sequel is what an attempt needs that goes on with another's answer.
type sequel struct {
	from   *conversation // the client's stream so far
	before *gateway.Attempt
	text   string
	room   int64          // tokens of the answer's cap that are left; 0: there is none
	booked *gateway.Route // which what is held of limits is for
}

// mayContinue prepares for a stream that another target may have to go on with:
// the conversation by which it would do so follows the events, also where they
// pass as they come. So the client gets its upstream's own bytes until a cut,
// and the encoder knows what it has been shown by then.
func (a *attempt) mayContinue() {
	c := a.call
	if !c.x.Stream || c.sequel != nil || !c.way.trip.Retry().ContinueCut {
		return
	}
	switch c.route.Operation {
	case wire.Chat, wire.Responses, wire.Messages, wire.GeminiGenerate:
	default:
		return
	}
	t := a.conversation
	if t == nil {
		var err error
		if t, err = newConversation(c, a.route, c.x.Envelope.Body()); err != nil {
			return // the upstream reads it in its own way
		}
		a.shadow = t
		if _, ok := doors.Ending(c.route.Operation).(wire.Resumer); ok {
			t.passed = doors.Ending(c.route.Operation)
		}
	}
	if !continuable(t.asked) {
		a.shadow = nil
		return
	}
	t.script = &script{index: -1}
}

// formed are members of some servers that give the answer a form, or say how
// its last message is meant.
var formed = []string{
	"structured_outputs", "guided_", "grammar", "json_schema", "regex", "ebnf", "responseMimeType", "responseSchema", "responseJsonSchema",
	"response_mime_type", "response_schema", "continue_final_message", "add_generation_prompt",
}

// continuable reports whether the answer to req is plain text, of which a
// second half can be asked for.
func continuable(req *wire.Request) bool {
	free := req.Format.Kind == "" || req.Format.Kind == "text"
	for _, m := range req.Modalities {
		free = free && m == "text"
	}
	for _, x := range req.Extra {
		free = free && !slices.ContainsFunc(formed, func(name string) bool { return strings.Contains(x.Name, name) })
	}
	for _, x := range req.Echo {
		free = free && (x.Name != "background" || x.Raw != "true") // its vendor keeps it
	}
	return free && req.Choices <= 1 && !req.LogProbs && req.TopLogProbs == ""
}

// goOn has another target go on with a stream that has died of err; nil where
// that cannot be, and then the stream ends as it would have without.
func (s *stream) goOn(err error) answer {
	c, t := s.call, s.conversation
	if t == nil {
		t = s.shadow
	}
	class, ok := gateway.Classify(err)
	if t == nil || t.script == nil || s.finishing || !ok || !continued.Has(class) || c.cause() != nil {
		return nil
	}
	next := &sequel{from: t, before: s.told, text: t.script.shown(), booked: s.route}
	if next.text == "" || !t.resume() || !s.room(next, t) {
		return nil
	}
	s.cancel(nil)
	s.ended(err)
	home := c.way
	c.sequel = next
	for c.sequels < maxContinuations && c.cause() == nil {
		pick := c.continuing()
		if pick == nil {
			break
		}
		c.sequels++
		c.proxy.metrics.Fallback(class.String())
		answer, failure := c.try()
		if failure == nil {
			return answer
		}
		if class, ok = gateway.Classify(failure); !ok || t.script.stuck {
			break
		}
	}
	// It is the first failure that the client is told.
	if last := c.current; last != s.attempt {
		telemetry.FailSpan(last.span, c.x.Start, last.told)
	}
	if c.way != home {
		c.way.abandon() // unless an attempt was made on it
	}
	c.turn(home)
	if !countAlike(next.booked, s.route) {
		_ = c.rebook(whereUsed)
	}
	c.sequel, c.current = nil, s.attempt
	c.x.Choose(s.told)
	return nil
}

// room works out how many tokens the rest may have.
func (s *stream) room(next *sequel, t *conversation) bool {
	limit := t.cap
	if limit == 0 {
		limit = s.call.capToWrite(s.route)
	}
	if limit == 0 {
		return true
	}
	next.room = limit - s.told.Shown()
	return next.room > 0
}

// continuing picks a target for the rest of an answer that the caller may use
// and for which there is room under its limits; nil when there is none.
func (c *call) continuing() *gateway.Pick {
	for pick := c.way.trip.Continue(); pick != nil; {
		why := c.take(pick)
		if why == nil {
			why = c.rebook(atOnce)
		}
		if why == nil {
			c.sequel.booked = pick.Route
			return pick
		}
		pick = c.way.trip.Unfit(why)
	}
	return nil
}

// carryOn makes the body that asks the attempt's target for the rest of an
// answer: the client's request with the text so far as the beginning of the
// answer, where the model goes on with such, else with the request to do so.
func (a *attempt) carryOn(dst []byte) ([]byte, error) {
	q := a.call.sequel
	traits := a.route.Provider.Traits()
	prefill := wire.PrefillOf(a.route.Operation, a.route.Target.Model, traits.Prefill)
	asked := *q.from.asked
	asked.Model, asked.Stream, asked.MaxTokens = a.route.Target.Model, true, q.room
	asked.Messages = slices.Clone(asked.Messages)
	if prefill == wire.PrefillNone {
		addBlock(&asked, wire.RoleUser, goOnFrom(q.text))
	} else {
		addBlock(&asked, wire.RoleAssistant, q.text)
		asked.Reasoning = wire.Reasoning{} // nobody thinks in the middle of a sentence
	}
	t := &conversation{
		client: q.from.client, upstream: upstreamCodec(a.route, prefill), asked: &asked, cap: q.from.cap,
		reply: q.from.reply, encoder: q.from.encoder, started: true, choices: q.from.choices, script: q.from.script,
		redact: redactor(a.route.Provider), native: a.route.Operation == a.call.route.Operation,
	}
	a.translator, a.conversation = t, t
	loss := wire.NewLoss(&asked)
	dst, err := t.request(dst, loss)
	if err != nil {
		return nil, gateway.AsError(loss.Own(err))
	}
	return dst, a.drops(loss)
}

// goOnFrom asks a model that cannot be given the beginning of its answer.
func goOnFrom(text string) string {
	return "Your answer to this broke off while it was being sent. The reader has what stands between the marks:\n<answer_so_far>\n" + text +
		"\n</answer_so_far>\nGo on exactly where it ends, in the middle of a word if it ends there, as if there had been no break. " +
		"Repeat nothing of it, do not begin anew, and do not speak of the break."
}

// addBlock adds text to the last message if role speaks there, else as a new
// one.
func addBlock(req *wire.Request, role wire.Role, text string) {
	block := wire.Block{Type: wire.TextBlock, Text: text}
	n := len(req.Messages)
	if n == 0 || req.Messages[n-1].Role != role {
		req.Messages = append(req.Messages, wire.Message{Role: role, Blocks: []wire.Block{block}})
		return
	}
	last := &req.Messages[n-1]
	last.Blocks = slices.Clone(last.Blocks)
	if m := len(last.Blocks); role == wire.RoleAssistant && m > 0 && last.Blocks[m-1].Type == wire.TextBlock {
		last.Blocks[m-1].Text += text // what the client itself had begun
		return
	}
	last.Blocks = append(last.Blocks, block)
}

// resume has the encoder go on with a stream whose events have passed as they
// came; false where it cannot.
func (t *conversation) resume() bool {
	resumer, ok := t.passed.(wire.Resumer)
	if !ok {
		return true
	}
	encoder := resumer.Resume(&t.reply)
	if encoder == nil {
		return false
	}
	t.encoder, t.passed = wire.CustomCalls(t.asked, encoder), nil
	return true
}

// goesOn makes the conversation go on with the client's stream.
func (t *conversation) goesOn(q *sequel, told *gateway.Attempt) {
	t.join = &joiner{seam: seam.New(q.text), script: t.script, told: told, write: t.write}
}
