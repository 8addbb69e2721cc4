package responses

import (
	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

// WalkPrompt shows the parts of the prompt in body to v; list is where its
// messages stand, absent when that is not known. Instructions count as
// a system message. Items that stay with the provider (previous_response_id,
// item_reference, encrypted reasoning) are not in the body and not counted.
func WalkPrompt(body []byte, list jsonscan.Value, v wire.PromptSink) {
	w := walker{wire.ReadPrompt(body, list, v, wire.ResponsesMessage)}
	defer w.Release()
	for key, val := range w.Members(w.Root()) {
		switch string(w.Bytes(key)) {
		case "instructions":
			if val.Kind == jsonscan.String {
				w.Message("system", val)
			}
		case "input":
			if val.Kind == jsonscan.String {
				w.Message("user", val)
			}
			for item := range w.Messages(val) {
				w.item(item)
			}
		case "tools":
			for t := range jsonscan.Elements(body, val) {
				name := w.Get(t, "name")
				if !name.Exists() { // a tool that the provider runs
					name = w.Get(t, "type")
				}
				w.Tool(name, w.Get(t, "description"), w.Get(t, "parameters"))
			}
		case "tool_choice":
			w.ToolChoice(val)
		case "text":
			if schema := w.Get(val, "format", "schema"); schema.Exists() {
				v.Format(w.Raw(schema))
			}
		}
	}
}

type walker struct{ *wire.PromptReader }

func (w *walker) item(item jsonscan.Value) {
	if item.Kind != jsonscan.ObjectKind {
		return
	}
	kind := w.Get(item, "type")
	if w.Is(kind, "reasoning") || w.Is(kind, "item_reference") {
		return
	}
	if !w.Begin("", item) {
		switch {
		case w.Is(kind, "function_call"):
			w.Sink.Role([]byte("assistant"))
			w.ToolCall(w.Get(item, "name"), w.Get(item, "arguments"))
		case w.Is(kind, "custom_tool_call"):
			w.Sink.Role([]byte("assistant"))
			w.ToolCall(w.Get(item, "name"), w.Get(item, "input"))
		case w.Is(kind, "function_call_output"), w.Is(kind, "custom_tool_call_output"):
			w.Sink.Role([]byte("tool"))
			w.content(w.Get(item, "output"))
		default:
			if role := w.Get(item, "role"); role.Kind == jsonscan.String {
				w.Sink.Role(w.Bytes(role))
			}
			w.content(w.Get(item, "content"))
		}
	}
	w.Sink.EndMessage()
}

func (w *walker) content(v jsonscan.Value) {
	w.Text(v)
	for part := range jsonscan.Elements(w.Body, v) {
		w.part(part)
	}
}

func (w *walker) part(p jsonscan.Value) {
	switch kind := w.Get(p, "type"); {
	case w.Is(kind, "input_image"):
		w.Sink.Image(w.Bytes(w.Get(p, "detail")), w.Inline(w.Get(p, "image_url")))
	case w.Is(kind, "input_file"):
		w.Sink.Media("file", w.DecodedSize(w.Get(p, "file_data")))
	case w.Is(kind, "input_audio"):
		w.Sink.Media("audio", w.DecodedSize(w.Get(p, "input_audio", "data")))
	default:
		w.Text(w.Get(p, "text"))
		w.Text(w.Get(p, "refusal"))
	}
}
