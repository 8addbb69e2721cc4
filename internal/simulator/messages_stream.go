package simulator

// segments are the events in Anthropic's order: message_start, the blocks with
// a ping after the first one's start, message_delta, message_stop.
func (m *messageWriter) segments() []segment {
	a := &m.answer
	list := []segment{once(func(dst []byte) []byte {
		return event(dst, "message_start", `{"type":"message_start","message":{"model":?,"id":?,"type":"message","role":"assistant","content":[],"stop_reason":null,"stop_sequence":null,"stop_details":null?}}`,
			m.model, m.id, m.started(1))
	})}
	switch {
	case len(a.calls) > 0:
		for i := range a.calls {
			list = append(list, m.call(i)...)
		}
	case m.hasText():
		list = append(list, m.text()...)
	default:
		list = append(list, once(ping))
	}
	return append(list, once(m.delta), once(func(dst []byte) []byte {
		return event(dst, "message_stop", `{"type":"message_stop"}`)
	}))
}

func ping(dst []byte) []byte { return event(dst, "ping", `{"type": "ping"}`) }

func blockStop(index int) segment {
	return once(func(dst []byte) []byte {
		return event(dst, "content_block_stop", `{"type":"content_block_stop","index":?}`, index)
	})
}

func (m *messageWriter) text() []segment {
	text := m.answer.text
	return []segment{
		once(func(dst []byte) []byte {
			return event(dst, "content_block_start", `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`)
		}),
		once(ping),
		{n: text.len(), div: 1, emit: func(dst []byte, i int) []byte {
			return event(dst, "content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":?}}`, text.at(i))
		}},
		blockStop(0),
	}
}

// call is a tool_use block; its first delta is empty, as the vendor's is.
func (m *messageWriter) call(index int) []segment {
	c := &m.answer.calls[index]
	list := []segment{{n: 1, div: 1, emit: func(dst []byte, _ int) []byte {
		dst = event(dst, "content_block_start", `{"type":"content_block_start","index":?,"content_block":{"type":"tool_use","id":?,"name":?,"input":{}}}`, index, c.id, c.name)
		if index == 0 {
			dst = ping(dst)
		}
		return m.argument(dst, index, "")
	}}}
	return append(list, segment{n: c.args.len(), div: 1, emit: func(dst []byte, i int) []byte {
		return m.argument(dst, index, c.args[i])
	}}, blockStop(index))
}

func (m *messageWriter) argument(dst []byte, index int, json string) []byte {
	return event(dst, "content_block_delta", `{"type":"content_block_delta","index":?,"delta":{"type":"input_json_delta","partial_json":?}}`, index, json)
}

func (m *messageWriter) delta(dst []byte) []byte {
	var usage raw
	if !m.silent {
		usage = format(nil, `,"usage":{"input_tokens":?,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":?}`, m.input, m.answer.tokens)
	}
	return event(dst, "message_delta", `{"type":"message_delta","delta":{?}?}`, m.stop(), usage)
}

func messagesError(dst []byte) []byte {
	return event(dst, "error", `{"type":"error","error":{"details":null,"type":"overloaded_error","message":"Overloaded"}}`)
}
