package openai

import (
	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

// WalkPrompt shows the parts of the prompt in body to v; list is where its
// messages stand, absent when that is not known: messages, tools,
// functions and the response format of chat; prompt of completions; input of
// embeddings and moderations, both of which count as bare text.
func WalkPrompt(body []byte, list jsonscan.Value, v wire.PromptSink) {
	w := walker{wire.ReadPrompt(body, list, v, wire.ChatMessage)}
	defer w.Release()
	for key, val := range w.Members(w.Root()) {
		switch string(w.Bytes(key)) {
		case "messages":
			for m := range w.Messages(val) {
				w.message(m)
			}
		case "prompt", "input":
			w.bare(val)
		case "tools":
			v.Media("chat_tools", 0)
			for t := range jsonscan.Elements(body, val) {
				f := w.Get(t, "function")
				if !f.Exists() {
					f = w.Get(t, "custom")
				}
				w.tool(f)
			}
		case "functions":
			for f := range jsonscan.Elements(body, val) {
				w.tool(f)
			}
		case "tool_choice", "function_call":
			w.ToolChoice(val)
		case "response_format":
			if schema := w.Get(val, "json_schema", "schema"); schema.Exists() {
				v.Format(w.Raw(schema))
			}
		}
	}
}

type walker struct{ *wire.PromptReader }

func (w *walker) tool(f jsonscan.Value) {
	w.Tool(w.Get(f, "name"), w.Get(f, "description"), w.Get(f, "parameters"))
}

// bare shows a string, strings, or token ids.
func (w *walker) bare(v jsonscan.Value) {
	if v.Kind == jsonscan.String {
		w.Text(v)
		return
	}
	ids := 0
	for e := range jsonscan.Elements(w.Body, v) {
		switch e.Kind {
		case jsonscan.Number:
			ids++
		case jsonscan.String, jsonscan.Array:
			w.bare(e)
		case jsonscan.ObjectKind:
			w.part(e)
		}
	}
	if ids > 0 {
		w.Sink.Media("tokens", ids)
	}
}

func (w *walker) message(m jsonscan.Value) {
	if m.Kind != jsonscan.ObjectKind {
		return
	}
	if !w.Begin("", m) {
		for key, val := range jsonscan.Members(w.Body, m) {
			switch string(w.Bytes(key)) {
			case "role":
				w.Sink.Role(w.Bytes(val))
			case "name":
				if val.Kind == jsonscan.String {
					w.Sink.Name(w.Bytes(val))
				}
			case "content":
				w.content(val)
			case "refusal":
				w.Text(val)
			case "tool_calls":
				for call := range jsonscan.Elements(w.Body, val) {
					w.call(call)
				}
			case "function_call":
				w.ToolCall(w.Get(val, "name"), w.Get(val, "arguments"))
			}
		}
	}
	w.Sink.EndMessage()
}

func (w *walker) call(call jsonscan.Value) {
	if f := w.Get(call, "function"); f.Exists() {
		w.ToolCall(w.Get(f, "name"), w.Get(f, "arguments"))
	} else if c := w.Get(call, "custom"); c.Exists() {
		w.ToolCall(w.Get(c, "name"), w.Get(c, "input"))
	}
}

func (w *walker) content(v jsonscan.Value) {
	w.Text(v)
	for part := range jsonscan.Elements(w.Body, v) {
		w.part(part)
	}
}

func (w *walker) part(p jsonscan.Value) {
	w.Text(p)
	for key, val := range jsonscan.Members(w.Body, p) {
		switch string(w.Bytes(key)) {
		case "text", "refusal":
			w.Text(val)
		case "image_url":
			url := val
			if val.Kind == jsonscan.ObjectKind {
				url = w.Get(val, "url")
			}
			w.Sink.Image(w.Bytes(w.Get(val, "detail")), w.Inline(url))
		case "input_audio":
			w.Sink.Media("audio", w.DecodedSize(w.Get(val, "data")))
		case "file":
			w.Sink.Media("file", w.DecodedSize(w.Get(val, "file_data")))
		case "video_url":
			w.Sink.Media("video", w.DecodedSize(w.Get(val, "url")))
		}
	}
}
