package tokenizer

import (
	"fmt"
	"sync"
	"sync/atomic"
)

// Encoding is one vocabulary with its split rule. It is immutable once loaded
// and safe for concurrent use. The vocabulary is unpacked by the first use, by
// Load, or in the background by Preload.
type Encoding struct {
	name  string
	build func() (*model, error)
	once  sync.Once
	model atomic.Pointer[model]
	err   error
}

// ByName returns the encoding that OpenAI publishes under name: o200k_base,
// o200k_harmony, cl100k_base, p50k_base, p50k_edit or r50k_base (also known as
// gpt2). Nothing is loaded yet.
func ByName(name string) (*Encoding, error) {
	for _, e := range builtin {
		if e.name == name {
			return e, nil
		}
	}
	if name == "gpt2" {
		return ByName("r50k_base")
	}
	return nil, fmt.Errorf("finding encoding: no encoding is named %q", name)
}

// Names lists the built-in encodings.
func Names() []string {
	names := make([]string, len(builtin))
	for i, e := range builtin {
		names[i] = e.name
	}
	return names
}

// Name returns the published name, such as "o200k_base".
func (e *Encoding) Name() string { return e.name }

// Load unpacks the vocabulary unless that has happened, and waits for it.
func (e *Encoding) Load() error {
	e.once.Do(func() {
		m, err := e.build()
		if err != nil {
			e.err = fmt.Errorf("loading vocabulary %s: %w", e.name, err)
			return
		}
		e.model.Store(m)
	})
	return e.err
}

// Preload starts loading in the background and returns at once.
func (e *Encoding) Preload() {
	if !e.Ready() {
		go e.Load() //nolint:errcheck // kept in e.err; the next user meets it
	}
}

// Ready reports whether a count would start without waiting for the load.
func (e *Encoding) Ready() bool { return e.model.Load() != nil }

func (e *Encoding) loaded() (*model, error) {
	if m := e.model.Load(); m != nil {
		return m, nil
	}
	if err := e.Load(); err != nil {
		return nil, err
	}
	return e.model.Load(), nil
}

// Count returns the number of tokens of text. The names of special tokens are
// ordinary text, as in tiktoken's encode_ordinary; bytes that are not UTF-8
// count as U+FFFD, one for each maximal ill-formed part (Unicode 16, §3.9).
// It allocates nothing and takes time linear in len(text) for every text. A
// vocabulary that cannot be loaded gives the upper bound, len(text).
func (e *Encoding) Count(text []byte) int { return e.CountString(bytesAsString(text)) }

// CountString is Count for a string.
func (e *Encoding) CountString(text string) int {
	m, err := e.loaded()
	if err != nil {
		return len(text)
	}
	return m.count(text, false)
}

// Encode appends the token ids of text to dst, as tiktoken's encode_ordinary
// gives them.
func (e *Encoding) Encode(dst []int, text string) []int {
	m, err := e.loaded()
	if err != nil {
		return dst
	}
	return m.encode(dst, text)
}

// Decode appends the bytes of the tokens to dst. A sequence of tokens may end
// inside a UTF-8 sequence. An id outside the vocabulary is an error; special
// tokens decode to their names.
func (e *Encoding) Decode(dst []byte, ids []int) ([]byte, error) {
	m, err := e.loaded()
	if err != nil {
		return dst, err
	}
	return m.decode(dst, ids)
}
