package cohere

import (
	"fmt"
	"strings"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/internal/jsonw"
	"github.com/weirproxy/weir/wire"
)

// RerankRequest appends the body of v2/rerank for a client's POST /v1/rerank:
// {model, query, documents, top_n, return_documents}, where documents are texts
// or objects with a text. model is the upstream's name. Members that v2 does
// not have are noted in loss; the error is a *wire.Failure.
func RerankRequest(dst, body []byte, model string, loss *wire.Loss) ([]byte, error) {
	d, err := wire.ParseDoc(body)
	if err != nil || d.Root.Kind != jsonscan.ObjectKind {
		return dst, &wire.Failure{Kind: wire.KindInvalid, Message: "the body must be a JSON object"}
	}
	query, documents := d.Get(d.Root, "query"), d.Get(d.Root, "documents")
	if query.Kind != jsonscan.String {
		return dst, &wire.Failure{Kind: wire.KindInvalid, Param: "query", Message: "'query' must be a string"}
	}
	if documents.Kind != jsonscan.Array {
		return dst, &wire.Failure{Kind: wire.KindInvalid, Param: "documents", Message: "'documents' must be an array"}
	}
	w := jsonw.Writer{B: append(dst, '{')}
	w.Str("model", model)
	w.Str("query", d.Str(query))
	w.Key("documents")
	w.Array()
	i := 0
	for e := range d.Elements(documents) {
		text, ok := documentOf(d, e)
		if !ok {
			return dst, &wire.Failure{Kind: wire.KindInvalid, Param: at("documents", i), Message: "'" + at("documents", i) + "' must be a string or an object"}
		}
		w.String(text)
		i++
	}
	w.EndArray()
	for name, v := range d.Members(d.Root) {
		switch {
		case name == "model", name == "query", name == "documents", name == "return_documents", v.Kind == jsonscan.Null:
		case name == "top_n", name == "max_tokens_per_doc":
			w.RawMember(name, d.Raw(v))
		default:
			loss.Drop(strings.Clone(name))
		}
	}
	w.End()
	return w.B, nil
}

// documentOf is the text of a document. An object without a text is given as
// it is spelled, which the vendor reads as structured data.
func documentOf(d *wire.Doc, v jsonscan.Value) (text string, ok bool) {
	switch v.Kind {
	case jsonscan.String:
		return d.Str(v), true
	case jsonscan.ObjectKind:
		if text := d.Get(v, "text"); text.Kind == jsonscan.String {
			return d.Str(text), true
		}
		return d.Raw(v), true
	}
	return "", false
}

// RerankAnswer appends the client's answer for the vendor's: {id, results:
// [{index, relevance_score, document?}], meta}. request is the client's body,
// whose return_documents asks for the documents; v2 does not send them back.
// The error wraps wire.ErrMalformed.
func RerankAnswer(dst, answer, request []byte) ([]byte, error) {
	a, err := wire.ParseDoc(answer)
	results := jsonscan.Value{}
	if err == nil {
		results = a.Get(a.Root, "results")
	}
	if results.Kind != jsonscan.Array {
		return dst, fmt.Errorf("reading ranks: %w", wire.ErrMalformed)
	}
	var texts []string
	if r, err := wire.ParseDoc(request); err == nil && r.Bool(r.Get(r.Root, "return_documents")) {
		for e := range r.Elements(r.Get(r.Root, "documents")) {
			text, _ := documentOf(r, e)
			texts = append(texts, text)
		}
	}
	w := jsonw.Writer{B: append(dst, '{')}
	w.Str("id", a.StrAt(a.Root, "id"))
	w.Key("results")
	w.Array()
	for e := range a.Elements(results) {
		index, score := a.Get(e, "index"), a.Get(e, "relevance_score")
		if index.Kind != jsonscan.Number || score.Kind != jsonscan.Number {
			return dst, fmt.Errorf("reading ranks: %w: a result without index or score", wire.ErrMalformed)
		}
		w.Object()
		w.RawMember("index", a.Raw(index))
		w.RawMember("relevance_score", a.Raw(score))
		if n := a.Int(index); n >= 0 && n < int64(len(texts)) {
			w.Key("document")
			w.Object()
			w.Str("text", texts[n])
			w.End()
		}
		w.End()
	}
	w.EndArray()
	w.RawIf("meta", a.RawAt(a.Root, "meta"))
	w.End()
	return w.B, nil
}
