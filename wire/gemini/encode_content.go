package gemini

import "github.com/weirproxy/weir/wire"

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
