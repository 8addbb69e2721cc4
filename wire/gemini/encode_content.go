package gemini

import (
	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

// skipSignature stands for the signature of a call that Gemini did not make.
// Gemini 3 refuses a history whose calls have none.
const skipSignature = "skip_thought_signature_validator"

// contents writes the turns. A turn of results comes right after its calls and
// holds nothing else; what the user or the operator said beside them follows
// in a turn of its own, as recorded clients do it.
func (e *encoder) contents() error {
	w := &e.w
	w.Key("contents")
	w.Array()
	messages := e.req.Messages
	if !e.own && (len(messages) == 0 || messages[0].Role == wire.RoleAssistant) {
		e.filler() // the first turn must be the user's
	}
	for i := 0; i < len(messages); {
		if messages[i].Role == wire.RoleAssistant {
			if err := e.assistant(messages[i].Blocks); err != nil {
				return err
			}
			i++
			continue
		}
		from := i
		for i < len(messages) && messages[i].Role != wire.RoleAssistant {
			i++
		}
		if err := e.user(messages[from:i]); err != nil {
			return err
		}
	}
	w.EndArray()
	return nil
}

// filler writes a turn of the user's that says nothing; an empty text is
// refused.
func (e *encoder) filler() {
	e.open("user")
	e.textPart(" ")
	e.close(-1)
}

// open begins a turn and returns where its parts begin, for close.
func (e *encoder) open(role string) (before, inside int) {
	before = len(e.w.B)
	e.w.Object()
	e.w.Str("role", role)
	e.w.Key("parts")
	e.w.Array()
	return before, len(e.w.B)
}

func (e *encoder) close(before int) {
	if before >= 0 {
		e.w.B = e.w.B[:before]
		return
	}
	e.w.EndArray()
	e.w.End()
}

// turn writes a turn of what fill writes, and nothing when that is nothing.
func (e *encoder) turn(role string, fill func() error) error {
	before, inside := e.open(role)
	if err := fill(); err != nil {
		return err
	}
	if len(e.w.B) != inside {
		before = -1
	}
	e.close(before)
	return nil
}

// user writes messages of the user and of the system between two turns of the
// model. Gemini has no instructions in mid-conversation: they become text.
func (e *encoder) user(messages []wire.Message) error {
	var moved []*wire.Block // media out of results, for models that have them nowhere else
	err := e.turn("user", func() error {
		for i := range messages {
			for j := range messages[i].Blocks {
				if b := &messages[i].Blocks[j]; b.Type == wire.ResultBlock {
					media, err := e.result(b.Result)
					if err != nil {
						return err
					}
					moved = append(moved, media...)
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return e.turn("user", func() error {
		for _, b := range moved {
			if err := e.mediaPart(b); err != nil {
				return err
			}
		}
		for i := range messages {
			for j := range messages[i].Blocks {
				if err := e.userBlock(&messages[i].Blocks[j]); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func (e *encoder) userBlock(b *wire.Block) error {
	switch b.Type {
	case wire.ResultBlock:
	case wire.TextBlock, wire.RefusalBlock:
		e.signedText(b)
	case wire.ImageBlock, wire.DocumentBlock, wire.AudioBlock, wire.VideoBlock:
		return e.mediaPart(b)
	case wire.RawBlock:
		return e.rawPart(b)
	case wire.ThinkingBlock, wire.RedactedBlock:
		e.thought(b)
	case wire.CallBlock:
		e.callPart(b, "")
	}
	return nil
}

// assistant writes a turn of the model. A signature that came with thinking,
// in the dialects that have it there, belongs to the call that follows.
func (e *encoder) assistant(blocks []wire.Block) error {
	return e.turn("model", func() error {
		carried := ""
		first := true
		for i := range blocks {
			switch b := &blocks[i]; b.Type {
			case wire.ThinkingBlock, wire.RedactedBlock:
				if !e.own && b.Vendor == wire.VendorGemini {
					carried = b.Signature
					continue
				}
				e.thought(b)
			case wire.CallBlock:
				if first && carried == "" && e.ability.Signatures {
					carried = skipSignature
				}
				e.callPart(b, carried)
				first, carried = false, ""
			default:
				if err := e.userBlock(b); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// thought writes thinking for clients of this dialect. Gemini does not need
// its thoughts back, only the signatures, and has no use for those of others.
func (e *encoder) thought(b *wire.Block) {
	if !e.own || b.Signature != "" && b.Vendor != wire.VendorGemini {
		e.loss.Drop("thinking")
		return
	}
	w := &e.w
	w.Object()
	if b.Type == wire.ThinkingBlock {
		w.Str("text", b.Text)
	}
	w.Flag("thought", true)
	e.signature(b)
	w.End()
}

func (e *encoder) textPart(text string) {
	e.w.Object()
	e.w.Str("text", text)
	e.w.End()
}

func (e *encoder) signedText(b *wire.Block) {
	signed := b.Signature != "" && b.Vendor == wire.VendorGemini
	if b.Text == "" && !signed {
		return // empty parts are refused
	}
	e.w.Object()
	e.w.Str("text", b.Text)
	if signed {
		e.signature(b)
	}
	e.w.End()
}

// signature writes a signature that is Gemini's. One whose id matters can only
// be a client's that Weir sealed.
func (e *encoder) signature(b *wire.Block) {
	if b.Vendor != wire.VendorGemini || b.Signature == "" {
		return
	}
	if b.Type == wire.RedactedBlock && e.own {
		e.w.Str("thoughtSignature", wire.Seal(b.Vendor, redacted+b.ID, b.Signature))
		return
	}
	e.w.Str("thoughtSignature", b.Signature)
}

// callPart writes a call; carried is the signature for a call without one.
func (e *encoder) callPart(b *wire.Block, carried string) {
	w := &e.w
	w.Object()
	w.Key("functionCall")
	w.Object()
	w.StrIf("id", b.Call.ID)
	w.Str("name", b.Call.Name)
	arguments := b.Call.Arguments
	if b.Call.Custom {
		arguments = wire.WrapCustom(arguments)
	}
	w.RawMember("args", wire.ArgumentsObject(arguments))
	w.End()
	if b.Signature != "" && b.Vendor == wire.VendorGemini {
		carried = b.Signature
	}
	w.StrIf("thoughtSignature", carried)
	w.End()
}

func (e *encoder) rawPart(b *wire.Block) error {
	if b.Vendor != wire.VendorGemini {
		return wire.Unmappable(e.where, "a "+b.Type.String()+" of another vendor", "Gemini")
	}
	e.w.Raw(b.Raw)
	return nil
}

// result writes a functionResponse. Gemini 3 takes media in it; those for
// older models are returned, to follow in the user's turn.
func (e *encoder) result(res *wire.Result) (moved []*wire.Block, err error) {
	w := &e.w
	w.Object()
	w.Key("functionResponse")
	w.Object()
	w.StrIf("id", res.CallID)
	name := res.Name
	if name == "" { // demanded, and the call that had it is gone
		name = res.CallID
	}
	w.Str("name", name)
	w.Key("response")
	e.response(wire.JoinText(res.Content), res.IsError)
	parts := false
	for i := range res.Content {
		b := &res.Content[i]
		switch b.Type {
		case wire.TextBlock, wire.RefusalBlock:
		case wire.ImageBlock, wire.DocumentBlock, wire.AudioBlock, wire.VideoBlock:
			if !e.own && !e.ability.Levels {
				moved = append(moved, b)
				continue
			}
			if !parts {
				w.Key("parts")
				w.Array()
				parts = true
			}
			if err := e.mediaPart(b); err != nil {
				return nil, err
			}
		default:
			return nil, wire.Unmappable(e.where, "a "+b.Type.String()+" in a tool's result", "Gemini")
		}
	}
	if parts {
		w.EndArray()
	}
	w.End()
	w.End()
	return moved, nil
}

// response writes a tool's text as the object that Gemini wants: an object
// that the text already is, or the text in a member of its own.
func (e *encoder) response(text string, isError bool) {
	w := &e.w
	if !isError && isPlainObject(text) {
		w.Raw(text)
		return
	}
	w.Object()
	if isError {
		w.Str("error", text)
	} else {
		w.Str("result", text)
	}
	w.End()
}

// isPlainObject reports whether text is an object that nobody will take for a
// wrapped text.
func isPlainObject(text string) bool {
	if text == "" || text[0] != '{' {
		return false
	}
	data := []byte(text)
	root, err := jsonscan.Parse(data)
	if err != nil || root.End != len(data) {
		return false
	}
	count, wrapper := 0, false
	for key, value := range jsonscan.Members(data, root) {
		name, _ := key.Text(data, nil)
		wrapper = isWrapper(string(name)) && value.Kind != jsonscan.Null
		count++
	}
	return count != 1 || !wrapper
}
