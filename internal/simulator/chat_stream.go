package simulator

// stream prepares the members that every chunk repeats.
func (c *chatWriter) stream(x *exchange, r *streamRequest) {
	c.head = format(nil, `data: {"id":?,"object":"chat.completion.chunk","created":?,"model":?,"service_tier":"default","system_fingerprint":?,"choices":[`,
		c.id, c.created, c.model, c.fingerprint)
	c.tail = []byte("]")
	if r.StreamOptions.IncludeUsage && !x.do.noUsage {
		c.tail = []byte(`],"usage":null`)
	}
	c.obfuscate = r.StreamOptions.IncludeObfuscation == nil || *r.StreamOptions.IncludeObfuscation
}

// chunk appends one with a single choice.
func (c *chatWriter) chunk(dst []byte, index, length int, finish any, delta string, args ...any) []byte {
	dst = append(dst, c.head...)
	dst = format(dst, `{"index":?,"delta":`, index)
	dst = format(dst, delta, args...)
	dst = format(dst, `,"logprobs":null,"finish_reason":?}`, finish)
	return c.end(append(dst, c.tail...), length)
}

func (c *chatWriter) end(dst []byte, length int) []byte {
	if c.obfuscate {
		dst = format(dst, `,"obfuscation":?`, pad(length))
	}
	return append(dst, "}\n\n"...)
}

// segments are the events in OpenAI's order: roles, content with the choices
// taking turns, finish reasons, usage if asked for, terminator.
func (c *chatWriter) segments(usage bool) []segment {
	n := len(c.answers)
	list := []segment{{n: n, emit: func(dst []byte, i int) []byte {
		switch a := &c.answers[i]; {
		case len(a.calls) > 0:
			return c.chunk(dst, i, 0, nil, `{"role":"assistant","content":null}`)
		case a.finish == finishRefusal:
			return c.chunk(dst, i, 0, nil, `{"role":"assistant","content":null,"refusal":""}`)
		}
		return c.chunk(dst, i, 0, nil, `{"role":"assistant","content":"","refusal":null}`)
	}}}
	list = append(list, c.texts())
	for i := range c.answers {
		for j := range c.answers[i].calls {
			list = append(list, c.call(i, j)...)
		}
	}
	list = append(list, segment{n: n, emit: func(dst []byte, i int) []byte {
		return c.chunk(dst, i, 0, chatFinish(c.answers[i].finish), `{}`)
	}})
	if usage {
		list = append(list, once(func(dst []byte) []byte {
			dst = append(dst, c.head...)
			return c.end(format(dst, `],"usage":?`, c.usage), 0)
		}))
	}
	return append(list, once(doneEvent))
}

func (c *chatWriter) texts() segment {
	n, longest := len(c.answers), 0
	for i := range c.answers {
		longest = max(longest, c.answers[i].text.len())
	}
	return segment{n: n * longest, div: n, emit: func(dst []byte, i int) []byte {
		a := &c.answers[i%n]
		if i/n >= a.text.len() {
			return dst
		}
		piece := a.text.at(i / n)
		if a.finish == finishRefusal {
			return c.chunk(dst, i%n, len(piece), nil, `{"refusal":?}`, piece)
		}
		return c.chunk(dst, i%n, len(piece), nil, `{"content":?}`, piece)
	}}
}

// call is the head of a call, then its arguments in pieces.
func (c *chatWriter) call(index, j int) []segment {
	k := &c.answers[index].calls[j]
	return []segment{
		{n: 1, div: 1, emit: func(dst []byte, _ int) []byte {
			return c.chunk(dst, index, len(k.name), nil, `{"tool_calls":[{"index":?,"id":?,"type":"function","function":{"name":?,"arguments":""}}]}`, j, k.id, k.name)
		}},
		{n: k.args.len(), div: 1, emit: func(dst []byte, i int) []byte {
			return c.chunk(dst, index, len(k.args[i]), nil, `{"tool_calls":[{"index":?,"function":{"arguments":?}}]}`, j, k.args[i])
		}},
	}
}

func doneEvent(dst []byte) []byte { return append(dst, "data: [DONE]\n\n"...) }

// streamFailure is the error that err-stream-<n> puts into a stream.
var streamFailure = failure{kind: "server_error", message: "The server had an error while processing your request. Sorry about that!"}

func chatError(dst []byte) []byte {
	return doneEvent(data(dst, `{"error":?}`, streamFailure.openAI()))
}
