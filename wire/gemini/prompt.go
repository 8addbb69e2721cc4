package gemini

import (
	"strings"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

// WalkPrompt shows the parts of the prompt in body to v; list is where its
// messages stand, absent when that is not known. Google's parsers take
// both spellings of a name, camelCase and snake_case.
func WalkPrompt(body []byte, list jsonscan.Value, v wire.PromptSink) {
	w := walker{wire.ReadPrompt(body, list, v, wire.GeminiMessage)}
	defer w.Release()
	w.request(w.Root())
}

type walker struct{ *wire.PromptReader }

func (w *walker) request(root jsonscan.Value) {
	for key, val := range w.Members(root) {
		switch string(w.Bytes(key)) {
		case "generateContentRequest", "generate_content_request": // of countTokens
			w.request(val)
		case "systemInstruction", "system_instruction":
			w.content("system", val)
		case "contents":
			if val.Kind == jsonscan.ObjectKind {
				w.content("", val)
			}
			for c := range w.Messages(val) {
				w.content("", c)
			}
		case "content": // of embedContent
			w.content("", val)
		case "requests": // of batchEmbedContents
			for r := range jsonscan.Elements(w.Body, val) {
				w.content("", w.Get(r, "content"))
			}
		case "tools":
			for t := range jsonscan.Elements(w.Body, val) {
				for f := range jsonscan.Elements(w.Body, w.either(t, "functionDeclarations", "function_declarations")) {
					schema := w.Get(f, "parameters")
					if !schema.Exists() {
						schema = w.either(f, "parametersJsonSchema", "parameters_json_schema")
					}
					w.Tool(w.Get(f, "name"), w.Get(f, "description"), schema)
				}
			}
		case "generationConfig", "generation_config":
			schema := w.either(val, "responseSchema", "response_schema")
			if !schema.Exists() {
				schema = w.either(val, "responseJsonSchema", "response_json_schema")
			}
			if schema.Exists() {
				w.Sink.Format(w.Raw(schema))
			}
		}
	}
}

func (w *walker) either(v jsonscan.Value, camel, snake string) jsonscan.Value {
	if got := w.Get(v, camel); got.Exists() {
		return got
	}
	return w.Get(v, snake)
}

func (w *walker) content(role string, c jsonscan.Value) {
	if c.Kind != jsonscan.ObjectKind {
		return
	}
	if !w.Begin(role, c) {
		if role != "" {
			w.Sink.Role([]byte(role))
		} else if r := w.Get(c, "role"); r.Kind == jsonscan.String {
			w.Sink.Role(w.Bytes(r))
		}
		parts := w.Get(c, "parts")
		if parts.Kind == jsonscan.ObjectKind {
			w.part(parts)
		}
		for p := range jsonscan.Elements(w.Body, parts) {
			w.part(p)
		}
	}
	w.Sink.EndMessage()
}

func (w *walker) part(p jsonscan.Value) {
	for key, val := range jsonscan.Members(w.Body, p) {
		switch string(w.Bytes(key)) {
		case "text":
			if thought, _ := w.Get(p, "thought").Bool(w.Body); !thought {
				w.Text(val)
			}
		case "inlineData", "inline_data":
			w.blob(w.either(val, "mimeType", "mime_type"), w.Get(val, "data"))
		case "fileData", "file_data":
			w.blob(w.either(val, "mimeType", "mime_type"), jsonscan.Value{})
		case "functionCall", "function_call":
			w.ToolCall(w.Get(val, "name"), w.Get(val, "args"))
		case "functionResponse", "function_response":
			w.ToolCall(w.Get(val, "name"), w.Get(val, "response"))
		case "executableCode", "executable_code":
			w.Text(w.Get(val, "code"))
		case "codeExecutionResult", "code_execution_result":
			w.Text(w.Get(val, "output"))
		}
	}
}

// blob shows an attachment by its MIME type.
func (w *walker) blob(mime, data jsonscan.Value) {
	kind, _, _ := strings.Cut(string(w.Bytes(mime)), "/")
	switch kind {
	case "image":
		w.Sink.Image(nil, w.Inline(data))
	case "audio", "video":
		w.Sink.Media(kind, w.DecodedSize(data))
	default:
		w.Sink.Media("file", w.DecodedSize(data))
	}
}
