package anthropic

import (
	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

// WalkPrompt shows the parts of the prompt in body to v; list is where its
// messages stand, absent when that is not known. Thinking of earlier
// turns is left out: the provider drops it from the prompt.
func WalkPrompt(body []byte, list jsonscan.Value, v wire.PromptSink) {
	w := walker{wire.ReadPrompt(body, list, v, wire.AnthropicMessage)}
	defer w.Release()
	for key, val := range w.Members(w.Root()) {
		switch string(w.Bytes(key)) {
		case "system":
			if val.Kind == jsonscan.String {
				w.Message("system", val)
			} else if val.Kind == jsonscan.Array {
				w.message("system", val, val)
			}
		case "messages":
			for m := range w.Messages(val) {
				w.message("", m, w.Get(m, "content"))
			}
		case "tools":
			for t := range jsonscan.Elements(body, val) {
				w.Tool(w.Get(t, "name"), w.Get(t, "description"), w.Get(t, "input_schema"))
			}
		case "output_format":
			if schema := w.Get(val, "schema"); schema.Exists() {
				v.Format(w.Raw(schema))
			}
		case "output_config":
			if schema := w.Get(val, "format", "schema"); schema.Exists() {
				v.Format(w.Raw(schema))
			}
		}
	}
}

type walker struct{ *wire.PromptReader }

func (w *walker) message(role string, m, content jsonscan.Value) {
	if !w.Begin(role, m) {
		if role != "" {
			w.Sink.Role([]byte(role))
		} else {
			w.Sink.Role(w.Bytes(w.Get(m, "role")))
		}
		w.content(content)
	}
	w.Sink.EndMessage()
}

func (w *walker) content(v jsonscan.Value) {
	w.Text(v)
	for block := range jsonscan.Elements(w.Body, v) {
		w.block(block)
	}
}

func (w *walker) block(b jsonscan.Value) {
	switch kind := w.Get(b, "type"); {
	case w.Is(kind, "text"):
		w.Text(w.Get(b, "text"))
	case w.Is(kind, "image"):
		w.Sink.Image(nil, w.Inline(w.Get(b, "source", "data")))
	case w.Is(kind, "document"):
		source := w.Get(b, "source")
		switch what := w.Get(source, "type"); {
		case w.Is(what, "text"):
			w.Text(w.Get(source, "data"))
		case w.Is(what, "content"):
			w.content(w.Get(source, "content"))
		default:
			w.Sink.Media("file", w.DecodedSize(w.Get(source, "data")))
		}
		w.Text(w.Get(b, "title"))
		w.Text(w.Get(b, "context"))
	case w.Is(kind, "tool_use"), w.Is(kind, "server_tool_use"), w.Is(kind, "mcp_tool_use"):
		w.ToolCall(w.Get(b, "name"), w.Get(b, "input"))
	case w.Is(kind, "tool_result"), w.Is(kind, "mcp_tool_result"):
		w.content(w.Get(b, "content"))
	case w.Is(kind, "search_result"):
		w.Text(w.Get(b, "title"))
		w.content(w.Get(b, "content"))
	}
}
