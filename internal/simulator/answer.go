package simulator

import (
	"encoding/json"
	"strings"
)

// finish says why an answer ended.
type finish int

const (
	finishStop finish = iota
	finishLength
	finishCalls
	finishSequence
	finishRefusal
)

// answer is the content of one choice, whatever the dialect.
type answer struct {
	text   pieces // the refusal's when finish is finishRefusal
	calls  []call
	tokens int
	finish finish
	stop   string // the stop sequence that was met
}

// call is one tool call; the text of args is a JSON object.
type call struct {
	id, name string
	args     listText
}

const refusal = "I'm sorry, but I can't assist with that request."

// answer makes choice number i of the answer to p.
func (x *exchange) answer(p *prompt, i int) answer {
	if x.do.kind == refuse {
		return x.fitted(split(refusal), p, finishRefusal)
	}
	if calls := x.calls(p, i); len(calls) > 0 {
		return x.fitCalls(calls, p)
	}
	seed := mix(x.sim.cfg.Seed ^ p.hash + uint64(i))
	switch {
	case x.do.kind == echo:
		return x.fitted(split(p.lastUser), p, finishStop)
	case x.do.kind == jsonObject || p.structured:
		return x.fitted(split(jsonText(p.schema, seed)), p, finishStop)
	}
	n, end := x.do.tokens, finishStop
	if p.limit != off && p.limit < n {
		n, end = p.limit, finishLength
	}
	if x.do.length {
		end = finishLength
	}
	a := answer{text: loremText{seed: seed, n: n, cut: end == finishLength}, tokens: n, finish: end}
	if text, stop, hit := stopAt(a.text, p.stops); hit {
		a = answer{text: text, tokens: text.len(), finish: finishSequence, stop: stop}
	}
	return a
}

// fitted is a given text under the caps, with its counted tokens.
func (x *exchange) fitted(list listText, p *prompt, end finish) answer {
	a := answer{finish: end}
	if text, stop, hit := stopAt(list, p.stops); hit && end == finishStop {
		list, a.stop, a.finish = text.(listText), stop, finishSequence
	}
	limit := p.limit
	if x.do.exact && (limit == off || x.do.tokens < limit) {
		limit = x.do.tokens
	}
	short := x.do.length
	if limit == off {
		a.tokens = x.count(strings.Join(list, ""))
	} else {
		var over bool
		list, a.tokens, over = fit(list, limit, x.count)
		short = short || over
	}
	if short {
		a.finish, a.stop = finishLength, ""
	}
	a.text = list
	return a
}

// calls are the tool calls that answer p, if any.
func (x *exchange) calls(p *prompt, choice int) []call {
	script := x.sim.cfg.ToolCalls
	if len(p.tools) == 0 || p.toolResult || p.choice.mode == "none" ||
		x.do.kind != toolCalls && len(script) == 0 && p.choice.mode != "required" {
		return nil
	}
	switch {
	case p.choice.name != "":
		script = []ToolCall{{Name: p.choice.name, Arguments: scripted(script, p.choice.name)}}
	case len(script) > 0:
	case x.do.kind == toolCalls && len(p.tools) > 1:
		script = []ToolCall{{Name: p.tools[0].name}, {Name: p.tools[1].name}}
	default:
		script = []ToolCall{{}}
	}
	if !p.parallel {
		script = script[:1]
	}
	var calls []call
	for i, s := range script {
		t, ok := find(p.tools, s.Name)
		if !ok {
			continue
		}
		args := string(compact(s.Arguments))
		if len(s.Arguments) == 0 {
			args = string(sample(t.schema, mix(x.sim.cfg.Seed^p.hash+uint64(choice))))
		}
		id := x.mint("call_", 24, alphabet, saltCall+uint64(choice<<6+i))
		if x.dialect == anthropic {
			id = x.mint("toolu_01", 22, alphabet, saltCall+uint64(i))
		}
		calls = append(calls, call{id: id, name: t.name, args: split(args)})
	}
	return calls
}

func scripted(script []ToolCall, name string) json.RawMessage {
	for _, s := range script {
		if s.Name == name {
			return s.Arguments
		}
	}
	return nil
}

// find returns the named tool, or the first when no name is given.
func find(tools []tool, name string) (tool, bool) {
	for _, t := range tools {
		if name == "" || t.name == name {
			return t, true
		}
	}
	return tool{}, false
}

// fitCalls counts the calls and shortens them to the cap: arguments that end
// in the middle are what a real model's cap produces.
func (x *exchange) fitCalls(calls []call, p *prompt) answer {
	a := answer{finish: finishCalls}
	for _, c := range calls {
		n := x.count(c.name)
		if p.limit == off {
			a.tokens += n + x.count(strings.Join(c.args, ""))
			a.calls = append(a.calls, c)
			continue
		}
		left := p.limit - a.tokens - n
		if left < 0 {
			a.finish = finishLength
			break
		}
		var over bool
		c.args, left, over = fit(c.args, left, x.count)
		a.tokens += n + left
		a.calls = append(a.calls, c)
		if over {
			a.finish = finishLength
			break
		}
	}
	a.text = listText(nil)
	return a
}
