package simulator

// event appends one with the next sequence number, which is its last member.
func (w *responsesWriter) event(dst []byte, name, pattern string, args ...any) []byte {
	args = append(append([]any{name}, args...), w.sequence)
	w.sequence++
	return event(dst, name, `{"type":?,`+pattern+`,"sequence_number":?}`, args...)
}

func (w *responsesWriter) state(name, status string, output raw) segment {
	return once(func(dst []byte) []byte {
		return w.event(dst, name, `"response":?`, raw(w.object(nil, status, output)))
	})
}

// segments are the events in OpenAI's order; all that is added is done later.
func (w *responsesWriter) segments() []segment {
	none := raw("[]")
	list := []segment{
		w.state("response.created", "in_progress", none),
		w.state("response.in_progress", "in_progress", none),
	}
	if len(w.answer.calls) == 0 {
		list = append(list, w.messageSegments()...)
	}
	for i := range w.answer.calls {
		list = append(list, w.callSegments(i)...)
	}
	return append(list, once(func(dst []byte) []byte {
		status := w.status()
		return w.event(dst, "response."+status, `"response":?`, raw(w.object(nil, status, w.output())))
	}))
}

func (w *responsesWriter) messageSegments() []segment {
	text := w.answer.text
	kind, member := "response.output_text", `"logprobs":[],`
	if w.answer.finish == finishRefusal {
		kind, member = "response.refusal", ""
	}
	return []segment{
		once(func(dst []byte) []byte {
			dst = w.event(dst, "response.output_item.added", `"item":?,"output_index":0`, w.message("in_progress", raw{}))
			return w.event(dst, "response.content_part.added", `"content_index":0,"item_id":?,"output_index":0,"part":?`, w.item, w.part(""))
		}),
		{n: text.len(), div: 1, emit: func(dst []byte, i int) []byte {
			piece := text.at(i)
			return w.event(dst, kind+".delta", `"content_index":0,"delta":?,"item_id":?,`+member+`?"output_index":0`, piece, w.item, w.obfuscation(len(piece)))
		}},
		once(func(dst []byte) []byte {
			whole := join(text)
			if kind == "response.refusal" {
				dst = w.event(dst, kind+".done", `"content_index":0,"item_id":?,"output_index":0,"refusal":?`, w.item, whole)
			} else {
				dst = w.event(dst, kind+".done", `"content_index":0,"item_id":?,"logprobs":[],"output_index":0,"text":?`, w.item, whole)
			}
			part := w.part(whole)
			dst = w.event(dst, "response.content_part.done", `"content_index":0,"item_id":?,"output_index":0,"part":?`, w.item, part)
			return w.event(dst, "response.output_item.done", `"item":?,"output_index":0`, w.message(w.status(), part))
		}),
	}
}

func (w *responsesWriter) callSegments(i int) []segment {
	c := &w.answer.calls[i]
	return []segment{
		{n: 1, div: 1, emit: func(dst []byte, _ int) []byte {
			return w.event(dst, "response.output_item.added", `"item":?,"output_index":?`, w.call(i, "in_progress", ""), i)
		}},
		{n: c.args.len(), div: 1, emit: func(dst []byte, k int) []byte {
			return w.event(dst, "response.function_call_arguments.delta", `"delta":?,"item_id":?,?"output_index":?`, c.args[k], w.items[i], w.obfuscation(len(c.args[k])), i)
		}},
		once(func(dst []byte) []byte {
			whole := join(c.args)
			dst = w.event(dst, "response.function_call_arguments.done", `"arguments":?,"item_id":?,"output_index":?`, whole, w.items[i], i)
			return w.event(dst, "response.output_item.done", `"item":?,"output_index":?`, w.call(i, w.callStatus(i), whole), i)
		}),
	}
}

func (w *responsesWriter) obfuscation(n int) raw {
	if !w.obfuscate {
		return raw{}
	}
	return format(nil, `"obfuscation":?,`, pad(n))
}

// failed is the error event and the failed response after it.
func (w *responsesWriter) failed(dst []byte) []byte {
	dst = event(dst, "error", `{"type":"error","sequence_number":?,"error":{"type":"server_error","code":"server_error","message":?,"param":null}}`, w.sequence, streamFailure.message)
	w.sequence++
	return w.event(dst, "response.failed", `"response":?`, raw(w.object(nil, "failed", raw("[]"))))
}
