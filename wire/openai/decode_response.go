package openai

import (
	"fmt"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

// DecodeResponse reads a whole chat completion of any compatible server.
func (Codec) DecodeResponse(body []byte) (*wire.Response, error) {
	doc, err := wire.ParseDoc(body)
	if err != nil || doc.Root.Kind != jsonscan.ObjectKind {
		return nil, fmt.Errorf("reading answer: %w", wire.ErrMalformed)
	}
	res := &wire.Response{
		ID:          doc.StrAt(doc.Root, "id"),
		Model:       doc.StrAt(doc.Root, "model"),
		Created:     doc.IntAt(doc.Root, "created"),
		ServiceTier: doc.StrAt(doc.Root, "service_tier"),
		Fingerprint: doc.StrAt(doc.Root, "system_fingerprint"),
		Failure:     readFailure(doc, doc.Get(doc.Root, "error")),
	}
	for v := range doc.Elements(doc.Get(doc.Root, "choices")) {
		if f := readFailure(doc, doc.Get(v, "error")); f != nil && res.Failure == nil {
			res.Failure = f
		}
		res.Choices = append(res.Choices, readChoice(doc, v, len(res.Choices)))
	}
	if res.Failure == nil && len(res.Choices) == 0 {
		return nil, fmt.Errorf("reading answer: %w: no choices", wire.ErrMalformed)
	}
	if len(res.Choices) > 0 {
		sources(doc, &res.Choices[0])
	}
	res.Usage, _ = readReport(doc, doc.Get(doc.Root, "usage"))
	return res, nil
}

func readChoice(d *wire.Doc, v jsonscan.Value, position int) wire.Choice {
	c := wire.Choice{Index: position}
	if n, ok := d.Get(v, "index").Int(d.Data); ok && n >= 0 && n < maxChoices {
		c.Index = int(n)
	}
	m := d.Get(v, "message")
	if text := d.Get(v, "text"); text.Kind == jsonscan.String { // legacy completions
		if s := d.Str(text); s != "" {
			c.Blocks = []wire.Block{{Text: s}}
		}
	} else {
		c.Blocks = readAnswer(d, m)
	}
	if lp := d.Get(v, "logprobs"); lp.Kind == jsonscan.ObjectKind {
		c.LogProbs = d.Raw(lp)
	}
	calls, refused := false, false
	for i := range c.Blocks {
		calls = calls || c.Blocks[i].Type == wire.CallBlock
		refused = refused || c.Blocks[i].Type == wire.RefusalBlock
	}
	c.Finish, c.Native = finishOf(d.StrAt(v, "finish_reason"), d.StrAt(v, "native_finish_reason"))
	if stop := d.Get(v, "stop_reason"); stop.Kind == jsonscan.String && c.Finish == wire.FinishStop { // vLLM
		c.Finish, c.StopString = wire.FinishString, d.Str(stop)
	}
	c.Finish = settle(c.Finish, calls, refused)
	return c
}

// maxChoices bounds the indexes that are believed.
const maxChoices = 1024

// readAnswer reads the message of an answer.
func readAnswer(d *wire.Doc, m jsonscan.Value) []wire.Block {
	blocks := readThinking(d, m)
	content := d.Get(m, "content")
	if content.Kind == jsonscan.String {
		if text := d.Str(content); text != "" {
			blocks = append(blocks, wire.Block{Text: text})
		}
	}
	for p := range d.Elements(content) {
		if b, problem := readPart(d, p); problem == "" && (b.Type != wire.TextBlock || b.Text != "") {
			blocks = append(blocks, b)
		}
	}
	for p := range d.Elements(d.Get(m, "images")) { // OpenRouter
		if b, problem := readPart(d, p); problem == "" && b.Type == wire.ImageBlock {
			blocks = append(blocks, b)
		}
	}
	if a := d.Get(m, "audio"); a.Kind == jsonscan.ObjectKind {
		blocks = append(blocks, wire.Block{Type: wire.AudioBlock, Vendor: wire.VendorOpenAI, Media: &wire.Media{
			FileID: d.StrAt(a, "id"), Data: d.StrAt(a, "data"), Text: d.StrAt(a, "transcript"),
		}})
	}
	cite(d, m, blocks)
	if refusal := d.StrAt(m, "refusal"); refusal != "" {
		blocks = append(blocks, wire.Block{Type: wire.RefusalBlock, Text: refusal})
	}
	first := len(blocks)
	for c := range d.Elements(d.Get(m, "tool_calls")) {
		blocks = append(blocks, readCall(d, c))
	}
	if f := d.Get(m, "function_call"); f.Kind == jsonscan.ObjectKind {
		blocks = append(blocks, wire.Block{Type: wire.CallBlock, Call: &wire.Call{Name: d.StrAt(f, "name"), Arguments: d.StrAt(f, "arguments")}})
	}
	placeSignatures(d, m, blocks, first)
	return blocks
}

// cite gives the annotations of a message to its last text.
func cite(d *wire.Doc, m jsonscan.Value, blocks []wire.Block) {
	annotations := d.Get(m, "annotations")
	for at := len(blocks) - 1; at >= 0; at-- {
		if blocks[at].Type == wire.TextBlock {
			for a := range d.Elements(annotations) {
				if c, ok := readAnnotation(d, a); ok {
					blocks[at].Citations = append(blocks[at].Citations, c)
				}
			}
			return
		}
	}
}

func readAnnotation(d *wire.Doc, a jsonscan.Value) (wire.Citation, bool) {
	if !d.Get(a, "type").Is(d.Data, "url_citation") {
		return wire.Citation{}, false
	}
	if inner := d.Get(a, "url_citation"); inner.Kind == jsonscan.ObjectKind {
		a = inner
	}
	return wire.Citation{
		URL: d.StrAt(a, "url"), Title: d.StrAt(a, "title"), Text: d.StrAt(a, "content"),
		Start: d.IntAt(a, "start_index"), End: d.IntAt(a, "end_index"),
	}, true
}

// sources reads Perplexity's sources, which say nothing of where they were
// used, into the first choice's text.
func sources(d *wire.Doc, c *wire.Choice) {
	for at := range c.Blocks {
		if b := &c.Blocks[at]; b.Type == wire.TextBlock && len(b.Citations) == 0 {
			b.Citations = readSources(d)
			return
		}
	}
}

func readSources(d *wire.Doc) []wire.Citation {
	var list []wire.Citation
	for v := range d.Elements(d.Get(d.Root, "search_results")) {
		if url := d.StrAt(v, "url"); url != "" {
			list = append(list, wire.Citation{URL: url, Title: d.StrAt(v, "title")})
		}
	}
	if list == nil {
		for _, url := range d.Strings(d.Get(d.Root, "citations")) {
			list = append(list, wire.Citation{URL: url})
		}
	}
	return list
}

// readFailure reads an error that came inside an answer; nil when v is none.
func readFailure(d *wire.Doc, v jsonscan.Value) *wire.Failure {
	if v.Kind != jsonscan.ObjectKind && v.Kind != jsonscan.String {
		return nil
	}
	f := readError(d.Data, v)
	if f.Message == "" {
		f.Message = "the upstream answered with an error"
	}
	f.Param = d.StrAt(v, "param")
	return f
}
