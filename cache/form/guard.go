package form

import (
	"bytes"
	"fmt"

	"github.com/weirproxy/weir/cache"
	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
)

func loses(what string) error {
	return fmt.Errorf("converting kept answer: %w: %s", ErrLoses, what)
}

// vendors are those whose raw blocks a client's dialect can hold.
var vendors = map[*wire.Operation]wire.Vendor{
	wire.Responses:      wire.VendorOpenAI,
	wire.Messages:       wire.VendorAnthropic,
	wire.GeminiGenerate: wire.VendorGemini,
}

// carries checks that the form that is wanted has a place for all of res that
// matters.
func carries(a *cache.Answer, res *wire.Response, want Want) error {
	op := want.Operation
	one := op == wire.Responses || op == wire.Messages // answers to a request
	switch {
	case res.Failure != nil:
		return loses("it is an error")
	case len(res.Choices) == 0:
		return loses("it is empty")
	case one && (len(res.Choices) > 1 || res.Choices[0].Index != 0):
		return loses("it is one of several")
	}
	for i := range res.Choices {
		c := &res.Choices[i]
		switch c.Finish {
		case wire.FinishNone, wire.FinishBroken:
			return loses("it is not complete")
		case wire.FinishPause:
			if op != wire.Messages {
				return loses("it paused")
			}
		}
		if want.Stream && c.LogProbs != "" && !speaks(c) {
			return loses("log probabilities without a text")
		}
		if err := carriesBlocks(a, c.Blocks, want); err != nil {
			return err
		}
	}
	return nil
}

// speaks reports whether a choice has a text.
func speaks(c *wire.Choice) bool {
	for i := range c.Blocks {
		if t := c.Blocks[i].Type; t == wire.TextBlock || t == wire.RefusalBlock {
			return true
		}
	}
	return false
}

func carriesBlocks(a *cache.Answer, blocks []wire.Block, want Want) error {
	raw, cited, nowhere := false, false, false
	for i := range blocks {
		b := &blocks[i]
		switch b.Type {
		case wire.TextBlock, wire.RefusalBlock, wire.ThinkingBlock, wire.RedactedBlock:
		case wire.CallBlock:
			if want.Operation == wire.Completions {
				return loses("a call in a completion")
			}
		case wire.RawBlock:
			if raw = true; b.Vendor != vendors[want.Operation] {
				return loses("a block that only " + string(b.Vendor) + " has")
			}
		default:
			return loses("a block of type " + b.Type.String())
		}
		for j := range b.Citations {
			cited = true
			nowhere = nowhere || b.Citations[j].URL == ""
		}
	}
	// Anthropic's citations point into documents, or hold what the vendor wants
	// back; the canonical form keeps neither.
	if cited && want.Operation == wire.Messages && (raw || nowhere || a.Form.Operation == wire.Messages) {
		return loses("the places of citations")
	}
	return nil
}

// readable checks that what matters of f survives being read.
func readable(f cache.Form) error {
	var read func(data []byte, root jsonscan.Value) error
	switch f.Operation {
	case wire.Chat:
		read = readableChat
	case wire.Messages:
		read = readableMessage
	default:
		return nil
	}
	if f.Stream {
		return events(f.Body, func(ev *sse.Event) error {
			root, err := wire.ParseAnswer(ev.Data)
			if err != nil {
				return nil // [DONE], or for the decoder to judge
			}
			return read(ev.Data, root)
		})
	}
	root, err := wire.ParseAnswer(f.Body)
	if err != nil {
		return fmt.Errorf("reading kept answer: %w", err)
	}
	return read(f.Body, root)
}

// readableChat refuses what compatible servers put into a message and the
// canonical form has no place for, such as sound in a stream.
func readableChat(data []byte, root jsonscan.Value) error {
	for choice := range jsonscan.Elements(data, jsonscan.Lookup(data, root, "choices")) {
		for _, member := range [...]string{"message", "delta"} {
			for key, v := range jsonscan.Members(data, jsonscan.Lookup(data, choice, member)) {
				if v.Kind == jsonscan.Null || v.Kind != jsonscan.Number && v.End-v.Start == 2 {
					continue
				}
				switch name := data[key.Start+1 : key.End-1]; string(name) {
				case "role", "index", "content", "refusal", "reasoning", "reasoning_content", "reasoning_details",
					"tool_calls", "function_call", "extra_content", "annotations", "obfuscation", "channel", "audio", "images":
					if member == "delta" && (string(name) == "audio" || string(name) == "images") {
						return loses("streamed " + string(name))
					}
				default:
					return loses("the member '" + string(name) + "' of a message")
				}
			}
		}
	}
	return nil
}

// readableMessage refuses what a client has to send back and the canonical form
// does not know: the container that tools of the vendor's ran in.
func readableMessage(data []byte, root jsonscan.Value) error {
	for _, path := range [...][]string{{"container"}, {"delta", "container"}, {"message", "container"}} {
		if v := jsonscan.Lookup(data, root, path...); v.Exists() && v.Kind != jsonscan.Null {
			return loses("a container")
		}
	}
	return nil
}

// grounded reports whether an answer of Gemini's names its sources, of which
// its own form says more than the canonical one.
func grounded(f cache.Form) bool {
	return bytes.Contains(f.Body, []byte(`"groundingMetadata"`)) || bytes.Contains(f.Body, []byte(`"citationMetadata"`)) || bytes.Contains(f.Body, []byte(`"urlContextMetadata"`))
}
