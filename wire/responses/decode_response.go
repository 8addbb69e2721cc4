package responses

import (
	"fmt"
	"strings"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

// DecodeResponse reads a response object.
func (Codec) DecodeResponse(body []byte) (*wire.Response, error) {
	d, err := wire.ParseDoc(body)
	if err != nil || d.Root.Kind != jsonscan.ObjectKind {
		return nil, fmt.Errorf("reading response: %w", wire.ErrMalformed)
	}
	res := &wire.Response{
		ID: d.StrAt(d.Root, "id"), Model: d.StrAt(d.Root, "model"),
		Created: seconds(d, d.Get(d.Root, "created_at")), ServiceTier: d.StrAt(d.Root, "service_tier"),
	}
	if report, ok := readReport(d, d.Get(d.Root, "usage")); ok {
		report.ServiceTier = res.ServiceTier
		res.Usage = report
	}
	end := readEnd(d, d.Root)
	if res.Failure = end.failure; res.Failure != nil {
		return res, nil
	}
	choice := wire.Choice{}
	r := answerReader{Doc: d, choice: &choice}
	for item := range d.Elements(d.Get(d.Root, "output")) {
		r.item(item)
	}
	r.flush()
	choice.Finish, choice.Native = end.finish, end.native
	settle(&choice.Finish, r.calls, r.refused)
	if len(r.logprobs) > 0 {
		choice.LogProbs = `{"content":[` + strings.Join(r.logprobs, ",") + `],"refusal":null}`
	}
	res.Choices = []wire.Choice{choice}
	return res, nil
}

// seconds is a Unix time; some servers write a fraction.
func seconds(d *wire.Doc, v jsonscan.Value) int64 {
	if n, ok := v.Int(d.Data); ok {
		return n
	}
	f, _ := v.Float(d.Data)
	return int64(f)
}

// end is how a response object says that it ended.
type end struct {
	finish  wire.Finish
	native  string
	failure *wire.Failure
}

func readEnd(d *wire.Doc, v jsonscan.Value) end {
	status := d.StrAt(v, "status")
	if e := d.Get(v, "error"); e.Kind == jsonscan.ObjectKind {
		return end{failure: failureOf(d, e)}
	}
	switch status {
	case "failed", "cancelled":
		return end{failure: &wire.Failure{Kind: wire.KindUpstream, Message: "the upstream's response was " + status}}
	case "queued", "in_progress":
		return end{native: status}
	case "incomplete":
		switch reason := d.StrAt(v, "incomplete_details", "reason"); reason {
		case "content_filter":
			return end{finish: wire.FinishPolicy, native: reason}
		case "":
			return end{finish: wire.FinishLength, native: status}
		default: // the cap, or something new that cut the answer
			return end{finish: wire.FinishLength, native: reason}
		}
	}
	return end{finish: wire.FinishStop, native: status}
}

// KnownFinish reports whether word, a status or the reason of an incomplete
// response, has a meaning that is known.
func KnownFinish(word string) bool {
	switch word {
	case "completed", "incomplete", "max_output_tokens", "content_filter":
		return true
	default:
		return false
	}
}

// settle corrects a plain stop by what the answer holds.
func settle(finish *wire.Finish, calls, refused bool) {
	switch {
	case *finish == wire.FinishStop && calls:
		*finish = wire.FinishTools
	case *finish == wire.FinishStop && refused:
		*finish = wire.FinishPolicy
	}
}

func failureOf(d *wire.Doc, e jsonscan.Value) *wire.Failure {
	f := readError(d.Data, e)
	f.Param = d.StrAt(e, "param")
	if f.Message == "" {
		f.Message = "the upstream's response failed"
	}
	return f
}

// answerReader reads the items of a whole answer.
type answerReader struct {
	*wire.Doc
	choice         *wire.Choice
	carriers       carriers
	calls, refused bool
	logprobs       []string
}

func (r *answerReader) add(b wire.Block) { r.choice.Blocks = append(r.choice.Blocks, b) }

func (r *answerReader) flush() {
	if b := r.carriers.release(); b != nil {
		r.add(*b)
	}
}

func (r *answerReader) item(v jsonscan.Value) {
	kind := r.StrAt(v, "type")
	if kind != "function_call" && kind != "custom_tool_call" {
		r.flush()
	}
	switch kind {
	case "message", "":
		for p := range r.Elements(r.Get(v, "content")) {
			r.part(p)
		}
	case "reasoning":
		b, signed := readReasoning(r.Doc, v)
		switch {
		case !signed && b.Text == "": // there is nothing to see
		case !signed:
			b.ID = ""
			r.add(b)
		case !r.carriers.take(&b, r.choice.Blocks):
			r.add(b)
		}
	case "function_call", "custom_tool_call":
		b := readCall(r.Doc, kind, v)
		r.carriers.give(&b)
		r.calls = true
		r.add(b)
	default:
		if r.Raw(v) != "" {
			r.add(wire.Block{Type: wire.RawBlock, Vendor: wire.VendorOpenAI, Raw: r.Raw(v)})
		}
	}
}

func (r *answerReader) part(p jsonscan.Value) {
	switch r.StrAt(p, "type") {
	case "refusal":
		r.refused = true
		r.add(wire.Block{Type: wire.RefusalBlock, Text: r.StrAt(p, "refusal")})
	case "reasoning_text":
		r.add(wire.Block{Type: wire.ThinkingBlock, Text: r.StrAt(p, "text")})
	default:
		r.add(wire.Block{Text: r.StrAt(p, "text"), Citations: readCitations(r.Doc, r.Get(p, "annotations"))})
		for e := range r.Elements(r.Get(p, "logprobs")) {
			if e.Kind == jsonscan.ObjectKind {
				r.logprobs = append(r.logprobs, r.Raw(e))
			}
		}
	}
}

func readCall(d *wire.Doc, kind string, v jsonscan.Value) wire.Block {
	c := &wire.Call{ID: d.StrAt(v, "call_id"), Name: d.StrAt(v, "name"), Custom: kind == "custom_tool_call"}
	if c.ID == "" {
		c.ID = d.StrAt(v, "id")
	}
	if c.Custom {
		c.Arguments = d.StrAt(v, "input")
	} else {
		c.Arguments = d.StrAt(v, "arguments")
	}
	return wire.Block{Type: wire.CallBlock, Call: c}
}
