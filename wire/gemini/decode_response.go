package gemini

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

// maxChoices bounds the index of a candidate; Gemini makes 8 at most.
const maxChoices = 128

// answerReader puts a whole answer together.
type answerReader struct {
	*wire.Doc
	res  *wire.Response
	made int

	// spread says that the answer comes in several pieces, whose texts are one.
	spread bool
}

func decodeResponse(d *wire.Doc) (*wire.Response, error) {
	r := &answerReader{Doc: d, res: new(wire.Response)}
	switch d.Root.Kind {
	case jsonscan.ObjectKind:
		if err := r.chunk(d.Root); err != nil {
			return nil, err
		}
	case jsonscan.Array:
		r.spread = true
		for e := range d.Elements(d.Root) {
			if err := r.chunk(e); err != nil {
				return nil, err
			}
		}
	default:
		return nil, fmt.Errorf("reading answer: %w: not an object", wire.ErrMalformed)
	}
	return r.res, nil
}

func (r *answerReader) chunk(root jsonscan.Value) error {
	if root.Kind != jsonscan.ObjectKind {
		return fmt.Errorf("reading answer: %w: not an object", wire.ErrMalformed)
	}
	if e := r.Get(root, "error"); e.Kind == jsonscan.ObjectKind || e.Kind == jsonscan.String {
		r.res.Failure = readError(r.Doc, e)
		return nil
	}
	if id := r.StrAt(root, "responseId"); id != "" {
		r.res.ID = id
	}
	if model := r.StrAt(root, "modelVersion"); model != "" {
		r.res.Model = model
	}
	r.res.Created = max(r.res.Created, createTime(r.Doc, root))
	readUsage(r.Doc, r.Get(root, "usageMetadata"), &r.res.Usage)
	r.res.Usage = r.res.Usage.Checked()
	r.res.ServiceTier = r.res.Usage.ServiceTier
	for candidate := range r.Elements(r.Get(root, "candidates")) {
		if err := r.candidate(candidate); err != nil {
			return err
		}
	}
	feedback := r.Get(root, "promptFeedback")
	if reason := r.StrAt(feedback, "blockReason"); reason != "" && len(r.res.Choices) == 0 {
		r.res.Choices = []wire.Choice{{
			Finish:      wire.FinishPolicy,
			Native:      reason,
			Explanation: r.StrAt(feedback, "blockReasonMessage"),
		}}
	}
	return nil
}

// createTime is the time of the answer in Unix seconds; only Vertex gives it.
func createTime(d *wire.Doc, root jsonscan.Value) int64 {
	v := d.Get(root, "createTime")
	if v.Kind != jsonscan.String {
		return 0
	}
	t, err := time.Parse(time.RFC3339Nano, d.Str(v))
	if err != nil || t.Unix() < 0 {
		return 0
	}
	return t.Unix()
}

var errIndex = fmt.Errorf("reading candidate: %w: no object with an index from 0 to %d", wire.ErrMalformed, maxChoices-1)

// candidateIndex is an index, 0 when it is left out.
func candidateIndex(d *wire.Doc, v jsonscan.Value) (int, error) {
	index := d.Int(v)
	if index < 0 || index >= maxChoices {
		return 0, errIndex
	}
	return int(index), nil
}

func (r *answerReader) candidate(candidate jsonscan.Value) error {
	if candidate.Kind != jsonscan.ObjectKind {
		return errIndex
	}
	index, err := candidateIndex(r.Doc, r.Get(candidate, "index"))
	if err != nil {
		return err
	}
	choice := r.choice(index)
	parts := make(map[int]int) // index of the block that a part became
	i := 0
	for part := range r.Elements(r.Get(candidate, "content", "parts")) {
		r.part(choice, part)
		parts[i] = len(choice.Blocks) - 1
		i++
	}
	if result := r.Get(candidate, "logprobsResult"); result.Exists() && choice.LogProbs == "" {
		choice.LogProbs = string(appendLogProbs(nil, r.Doc, result))
	}
	if isCited(r.Doc, candidate) {
		eachSpan(r.Doc, candidate, func(s span) { cite(choice.Blocks, parts, s) })
	}
	word := finishReason(r.Doc, r.Get(candidate, "finishReason"))
	calls := slices.ContainsFunc(choice.Blocks, func(b wire.Block) bool { return b.Type == wire.CallBlock })
	switch {
	case word != "":
		choice.Finish, choice.Native = finishOf(word, calls), word
		choice.Explanation = r.StrAt(candidate, "finishMessage")
	case calls && choice.Finish == wire.FinishNone: // who calls waits for results, also without a word
		choice.Finish = wire.FinishTools
	}
	return nil
}

func (r *answerReader) choice(index int) *wire.Choice {
	for i := range r.res.Choices {
		if r.res.Choices[i].Index == index {
			return &r.res.Choices[i]
		}
	}
	r.res.Choices = append(r.res.Choices, wire.Choice{Index: index})
	return &r.res.Choices[len(r.res.Choices)-1]
}

func (r *answerReader) part(choice *wire.Choice, part jsonscan.Value) {
	if part.Kind != jsonscan.ObjectKind {
		return
	}
	p := viewPart(r.Doc, part)
	signature, v := r.Str(p.signature), p.data
	switch p.kind {
	case "text":
		b := wire.Block{Text: r.Str(v)}
		if r.Bool(p.thought) {
			b.Type = wire.ThinkingBlock
		}
		if n := len(choice.Blocks); r.spread && n > 0 && b.Text != "" {
			if last := &choice.Blocks[n-1]; last.Type == b.Type && last.Signature == "" {
				last.Text += b.Text
				b.Text = ""
			}
		}
		choice.Blocks = appendText(choice.Blocks, b, signature)
	case "functionCall":
		b := wire.Block{Type: wire.CallBlock, Call: &wire.Call{ID: r.StrAt(v, "id"), Name: r.StrAt(v, "name"), Arguments: "{}"}}
		if b.Call.Name == "" {
			return
		}
		if b.Call.ID == "" {
			b.Call.ID = madeID(r.res.ID, &r.made)
		}
		if args := r.Get(v, "args"); args.Kind == jsonscan.ObjectKind {
			b.Call.Arguments = compact(args.Raw(r.Data))
		}
		b.Vendor, b.ID, b.Signature = wire.OpenSignature(wire.VendorGemini, signature)
		choice.Blocks = append(choice.Blocks, b)
	case "inlineData":
		b := mediaBlock(&wire.Media{
			MIME: r.StrAt(v, "mimeType"),
			Data: standardBase64(r.StrAt(v, "data")),
			Name: r.StrAt(v, "displayName"),
		})
		b.Vendor, b.ID, b.Signature = wire.OpenSignature(wire.VendorGemini, signature)
		choice.Blocks = append(choice.Blocks, b)
	case "":
	default:
		choice.Blocks = append(choice.Blocks, wire.Block{Type: wire.RawBlock, Vendor: wire.VendorGemini, Raw: compact(part.Raw(r.Data))})
	}
}

// partView is what one pass over a part finds.
type partView struct {
	// kind is the name of the part's data, or "raw" where that has no place in
	// the canonical model; "text" also for a part that is only a signature, ""
	// for one that is nothing at all.
	kind                     string
	data, thought, signature jsonscan.Value
}

func viewPart(d *wire.Doc, part jsonscan.Value) (p partView) {
	for name, v := range d.Members(part) {
		if v.Kind == jsonscan.Null {
			continue
		}
		switch name {
		case "videoMetadata", "partMetadata", "mediaResolution", "mediaProcessing", "speechMetadata", "audioTranscription":
		case "thought":
			p.thought = v
		case "thoughtSignature":
			p.signature = v
		case "text":
			p.kind, p.data = "text", v
		case "functionCall":
			p.kind, p.data = "functionCall", v
		case "inlineData":
			p.kind, p.data = "inlineData", v
		default:
			if p.kind == "" {
				p.kind = "raw"
			}
		}
	}
	if p.kind == "" && p.signature.Kind == jsonscan.String {
		p.kind = "text"
	}
	return p
}

// madeID is an id for a call of an answer that gave it none. It is made from
// the answer's own, so that it is unique in the conversation; an answer
// without one leaves the id to the dialect that needs it.
func madeID(answer string, made *int) string {
	if answer == "" {
		return ""
	}
	id := wire.SafeCallID("call_" + answer + "_" + strconv.Itoa(*made))
	*made++
	return id
}

// cite adds a citation to the text that it stands behind: the part that it
// names, if its words stand there, or the first in which they do.
func cite(blocks []wire.Block, parts map[int]int, s span) {
	named, first := -1, -1
	for i := range blocks {
		b := &blocks[i]
		if b.Type != wire.TextBlock {
			continue
		}
		if first < 0 {
			first = i
		}
		if at, ok := parts[s.part]; ok && at == i {
			named = i
		}
	}
	chosen := named
	if chosen < 0 {
		chosen = first
	}
	if chosen < 0 {
		return
	}
	if s.text != "" && !s.fits(blocks[chosen].Text) {
		for i := range blocks {
			if blocks[i].Type == wire.TextBlock && s.fits(blocks[i].Text) {
				chosen = i
				break
			}
		}
	}
	if c, ok := s.citation(blocks[chosen].Text); ok {
		blocks[chosen].Citations = append(blocks[chosen].Citations, c)
	}
}
