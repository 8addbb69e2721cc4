// Package canon says when two requests ask for the same. It reduces a request
// to a digest that does not depend on how it was spelled, nor, where they mean
// the same, on its dialect; and it states the facts that rules of caching rest
// on.
//
// An answer that is kept may be shown for every request with its digest, so
// the digest errs to one side: requests that could be answered differently
// never share one, requests that mean the same may have two. What upstreams get
// is often the client's own bytes, of which a canonical request knows a part
// only. Whatever a decoder passes over is therefore part of the digest too, as
// the residue: see [reader].
//
// The model is not part of a digest, since the name that was asked for is not
// what answers, and neither is who asks. Both are for the caller to add.
package canon

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/doors"
)

// version begins every digest. Raise it whenever the same request gets another
// encoding: digests outlive the process in shared stores.
const version = "weir/canon/1"

// Digest is a SHA-256 over an injective encoding of what is asked for.
type Digest [32]byte

// Options change what counts as the same.
type Options struct {
	// IgnoreSeed leaves the seed out.
	IgnoreSeed bool
}

// Facts are what rules of caching have to know of a request.
type Facts struct {
	// Partition is the digest of everything but LastUser.
	Partition Digest

	// LastUser is the text of the last message, when it is the user's and holds
	// nothing but text; its blocks are joined by line feeds. Else it is empty,
	// as it always is for completions and embeddings.
	LastUser string

	// Stateful names the first member found that makes the answer depend on, or
	// change, what the vendor keeps or finds elsewhere; empty: none. Such a
	// request must not be answered from a cache.
	Stateful string

	// UserTurns is the number of messages of the user that are more than
	// results of tools.
	UserTurns int

	// Choices is how many answers are asked for, at least 1: n, candidateCount,
	// and for completions the prompts and best_of.
	Choices int64

	// Temperature is the one asked for when HasTemperature is true. One that no
	// float can hold is infinite.
	Temperature    float64
	HasTemperature bool

	HasSeed bool

	// Tools says that a tool is offered, Media that something else than text is
	// part of the prompt, OtherOutput that something else than text is asked for.
	Tools       bool
	Media       bool
	OtherOutput bool
}

var (
	// ErrOperation is for operations whose answers are never kept.
	ErrOperation = errors.New("the operation cannot be cached")

	// ErrAmbiguous is for bodies that two parsers may read differently: a member
	// stands twice in an object, or text is no Unicode.
	ErrAmbiguous = errors.New("the request can be read in two ways")
)

// Knows reports whether requests of op have digests.
func Knows(op *wire.Operation) bool {
	switch op {
	case wire.Chat, wire.Completions, wire.Responses, wire.Messages, wire.GeminiGenerate,
		wire.Embeddings, wire.GeminiEmbed, wire.GeminiBatchEmbed:
		return true
	}
	return false
}

// Of is the digest of the request in body, a JSON object as a client of op
// sends it, and the facts about it. A request that leads to an error has to go
// on uncached; its fault is the upstream's to judge. The error wraps
// ErrOperation, ErrAmbiguous, or the decoder's *wire.Failure.
func Of(op *wire.Operation, body []byte, o Options) (Digest, Facts, error) {
	return of(op, body, o, true)
}

// of is Of, with LastUser where that is needed alone.
func of(op *wire.Operation, body []byte, o Options, needText bool) (Digest, Facts, error) {
	if !Knows(op) {
		return Digest{}, Facts{}, fmt.Errorf("reading %s: %w", op.Name, ErrOperation)
	}
	w := newWriter(o)
	defer w.release()
	doc := &w.doc
	if err := doc.Reset(body); err != nil || doc.Root.Kind != jsonscan.ObjectKind {
		return Digest{}, Facts{}, fmt.Errorf("reading %s: %w", op.Name, &wire.Failure{Kind: wire.KindInvalid, Message: "the body must be a JSON object"})
	}
	// Decoders replace what is no Unicode, each in its own way.
	if !utf8.Valid(body) || loneSurrogate(body) {
		return Digest{}, Facts{}, fmt.Errorf("reading %s: %w: text is not Unicode", op.Name, ErrAmbiguous)
	}
	w.begin()
	if err := w.operation(op, doc); err != nil {
		return Digest{}, Facts{}, fmt.Errorf("reading %s: %w", op.Name, err)
	}
	w.facts.Partition = w.sum()
	digest, facts := w.whole(), w.facts
	if !needText {
		facts.LastUser = ""
	}
	facts.LastUser = strings.Clone(facts.LastUser) // it is a part of what is given back
	return digest, facts, nil
}

// domain keeps operations apart whose answers are never the same.
type domain byte

const (
	conversation domain = iota + 1
	completion
	embedding
	tokenEmbedding
)

func (w *writer) operation(op *wire.Operation, doc *wire.Doc) error {
	switch op {
	case wire.Completions:
		w.byte(byte(completion))
		return w.completion(doc)
	case wire.Embeddings:
		if ofTokens(doc) {
			w.byte(byte(tokenEmbedding))
			return w.plain(doc, "input")
		}
		fallthrough
	case wire.GeminiEmbed, wire.GeminiBatchEmbed:
		req, err := doors.Embedder(op).DecodeEmbedRequest(doc.Data)
		if err != nil {
			return err
		}
		w.byte(byte(embedding))
		w.embed(req, op.Dialect)
	default:
		req, err := doors.Codec(op).DecodeRequest(doc.Data)
		if err != nil {
			return err
		}
		w.decoded = req
		w.byte(byte(conversation))
		w.request(req)
	}
	r := &w.reader
	r.doc, r.dialect = doc, op.Dialect
	return r.residue(shapeOf(op))
}

// whole is the digest of everything, once Partition is known.
func (w *writer) whole() Digest {
	w.begin()
	w.str(string(w.facts.Partition[:]))
	for _, text := range w.last {
		w.byte(more)
		w.str(text)
	}
	w.byte(end)
	return w.sum()
}
