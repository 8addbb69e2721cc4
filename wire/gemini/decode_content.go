package gemini

import (
	"strconv"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

// content reads one turn. Its blocks become a message of their own;
// neighbours of one role are merged later.
func (r *reader) content(v jsonscan.Value, at *path) {
	m := wire.Message{Role: wire.RoleUser}
	r.members(v, at, func(name string, at *path, v jsonscan.Value) {
		switch name {
		case "role":
			switch role := r.text(v, at); role {
			case "", "user", "function": // "function" is from the API's first days
			case "model":
				m.Role = wire.RoleAssistant
			default:
				r.fail(at, "must be 'user' or 'model'")
			}
		case "parts":
			r.each(v, at, func(at *path, v jsonscan.Value) { m.Blocks = r.part(m.Blocks, v, at) })
		default:
			r.extra(at, v)
		}
	})
	if len(m.Blocks) > 0 {
		r.req.Messages = append(r.req.Messages, m)
	}
}

// stranger is a member of a part that is not known: data of a new kind, or a
// new attribute of a known one.
type stranger struct {
	at    *path
	value jsonscan.Value
}

// part reads one part and appends what it is to blocks.
func (r *reader) part(blocks []wire.Block, v jsonscan.Value, at *path) []wire.Block {
	var (
		kind      string
		kindAt    *path
		data      jsonscan.Value
		thought   bool
		signature string
		detail    string
		strangers []stranger
	)
	r.members(v, at, func(name string, at *path, v jsonscan.Value) {
		switch name {
		case "thought":
			thought = r.flag(v, at)
		case "thoughtSignature":
			signature = r.text(v, at)
		case "mediaResolution":
			if detail = detailIn(r.StrAt(v, "level")); detail == "" {
				r.extra(at, v)
			}
		case "text", "functionCall", "functionResponse", "inlineData", "fileData",
			"executableCode", "codeExecutionResult", "toolCall", "toolResponse":
			if kind != "" {
				r.fail(at, "stands beside '"+kind+"', but a part has one kind of data")
			}
			kind, kindAt, data = name, at, v
		case "videoMetadata", "partMetadata", "mediaProcessing", "speechMetadata", "audioTranscription":
			r.extra(at, v)
		default:
			strangers = append(strangers, stranger{at, v})
		}
	})
	if kind == "" && len(strangers) > 0 {
		kind = "unknown"
	} else {
		for _, s := range strangers {
			r.extra(s.at, s.value)
		}
	}
	if r.failure != nil {
		return blocks
	}
	b := wire.Block{}
	switch kind {
	case "text", "":
		if kind == "text" {
			b.Text = r.long(data, kindAt)
		}
		if thought {
			b.Type = wire.ThinkingBlock
		}
		return appendText(blocks, b, signature)
	case "functionCall":
		b.Type, b.Call = wire.CallBlock, r.call(data, kindAt)
		b.Vendor, b.ID, b.Signature = wire.OpenSignature(wire.VendorGemini, signature)
	case "functionResponse":
		b.Type, b.Result = wire.ResultBlock, r.result(data, kindAt)
	case "inlineData", "fileData":
		b = r.media(data, kindAt, kind == "fileData")
		b.Media.Detail = detail
	default:
		b = wire.Block{Type: wire.RawBlock, Vendor: wire.VendorGemini, Raw: r.Raw(v)}
	}
	return append(blocks, b)
}

// redacted begins the id of a sealed signature that stands for thinking
// without words, which a part of Gemini's cannot tell from a signature that
// belongs to the text before it.
const redacted = "redacted:"

// appendText appends a text or a thought and its signature. A signature may
// come in a part of its own, without text, after the text that it belongs to.
func appendText(blocks []wire.Block, b wire.Block, signature string) []wire.Block {
	if signature == "" {
		if b.Text == "" {
			return blocks
		}
		return append(blocks, b)
	}
	b.Vendor, b.ID, b.Signature = wire.OpenSignature(wire.VendorGemini, signature)
	if b.Type == wire.ThinkingBlock && cutRedacted(&b.ID) {
		b.Type, b.Text = wire.RedactedBlock, ""
		return append(blocks, b)
	}
	if b.Text == "" && len(blocks) > 0 {
		if last := &blocks[len(blocks)-1]; last.Type == b.Type && last.Signature == "" {
			last.Vendor, last.ID, last.Signature = b.Vendor, b.ID, b.Signature
			return blocks
		}
	}
	return append(blocks, b)
}

func cutRedacted(id *string) bool {
	if len(*id) < len(redacted) || (*id)[:len(redacted)] != redacted {
		return false
	}
	*id = (*id)[len(redacted):]
	return true
}

func (r *reader) call(v jsonscan.Value, at *path) *wire.Call {
	call := &wire.Call{Arguments: "{}"}
	r.members(v, at, func(name string, at *path, v jsonscan.Value) {
		switch name {
		case "id":
			call.ID = r.text(v, at)
		case "name":
			call.Name = r.text(v, at)
		case "args":
			if v.Kind != jsonscan.ObjectKind {
				r.fail(at, "must be an object")
			}
			call.Arguments = r.LongRaw(v)
		default:
			r.extra(at, v)
		}
	})
	if call.Name == "" {
		r.fail(at.member("name"), "is missing")
	}
	return call
}

func (r *reader) result(v jsonscan.Value, at *path) *wire.Result {
	result := new(wire.Result)
	var media []wire.Block
	r.members(v, at, func(name string, at *path, v jsonscan.Value) {
		switch name {
		case "id":
			result.CallID = r.text(v, at)
		case "name":
			result.Name = r.text(v, at)
		case "response":
			if v.Kind != jsonscan.ObjectKind {
				r.fail(at, "must be an object")
				return
			}
			var text string
			if text, result.IsError = r.response(v); text != "" {
				result.Content = append(result.Content, wire.Block{Text: text})
			}
		case "parts":
			r.each(v, at, func(at *path, v jsonscan.Value) {
				for _, b := range r.part(nil, v, at) {
					if b.Media == nil {
						r.fail(at, "must hold inlineData or fileData")
						return
					}
					media = append(media, b)
				}
			})
		default:
			r.extra(at, v)
		}
	})
	result.Content = append(result.Content, media...)
	return result
}

// response is the text of a tool's answer, which Gemini wants as an object:
// "output" and "error" are the keys that it names, "result" is what libraries
// use that wrap a text.
func (r *reader) response(v jsonscan.Value) (text string, isError bool) {
	count := 0
	var key string
	var value jsonscan.Value
	for name, val := range r.Members(v) {
		key, value = name, val
		count++
	}
	if count != 1 || value.Kind == jsonscan.Null || !isWrapper(key) {
		return r.Raw(v), false
	}
	if isError = key == "error"; value.Kind == jsonscan.String {
		return r.Str(value), isError
	}
	return r.Raw(value), isError
}

func isWrapper(key string) bool { return key == "result" || key == "output" || key == "error" }

// link gives an id to every call that has none and tells results which call
// they answer: the one with their id, or else the first of their name in the
// step before that has no answer yet.
func (r *reader) link() {
	ids := make(map[string]bool)
	for _, m := range r.req.Messages {
		for _, b := range m.Blocks {
			if b.Call != nil && b.Call.ID != "" {
				ids[b.Call.ID] = true
			}
		}
	}
	made := 0
	id := func() string {
		for {
			id := "call_" + strconv.Itoa(made)
			if made++; !ids[id] {
				ids[id] = true
				return id
			}
		}
	}
	var pending []*wire.Call
	before := wire.RoleUser
	for i := range r.req.Messages {
		m := &r.req.Messages[i]
		if m.Role == wire.RoleAssistant && before != wire.RoleAssistant {
			pending = pending[:0]
		}
		before = m.Role
		for j := range m.Blocks {
			switch b := &m.Blocks[j]; {
			case b.Call != nil:
				if b.Call.ID == "" {
					b.Call.ID = id()
				}
				pending = append(pending, b.Call)
			case b.Result != nil:
				if at := answered(pending, b.Result); at >= 0 {
					b.Result.CallID = pending[at].ID
					pending = append(pending[:at], pending[at+1:]...)
				} else if b.Result.CallID == "" {
					b.Result.CallID = id()
				}
			}
		}
	}
}

// answered is the index of the call that res answers, or -1.
func answered(pending []*wire.Call, res *wire.Result) int {
	for i, c := range pending {
		if res.CallID != "" && c.ID == res.CallID {
			return i
		}
	}
	for i, c := range pending {
		if c.Name == res.Name {
			return i
		}
	}
	return -1
}
