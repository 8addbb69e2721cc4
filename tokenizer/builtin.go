package tokenizer

import (
	_ "embed"
	"fmt"
	"sync"
)

// The vocabularies of OpenAI, packed by internal/gen/vocab.
//
//go:generate go run ./internal/gen/vocab
var (
	//go:embed data/o200k_base.vocab
	packedO200k string
	//go:embed data/cl100k_base.vocab
	packedCl100k string
	//go:embed data/p50k_base.vocab
	packedP50k string
)

// r50kSize is where r50k_base ends and p50k_base goes on.
const r50kSize = 50256

// builtin are the encodings that are always there. They live as long as the
// process: a vocabulary is unpacked once whatever reloads, and is read-only
// from then on.
var builtin = func() []*Encoding {
	load := func(packed *string, limit int) func() (*bpe, error) {
		return sync.OnceValues(func() (*bpe, error) {
			v, err := unpackVocab(*packed, limit)
			if err != nil {
				return nil, err
			}
			return newBPE(v), nil
		})
	}
	o200k, cl100k := load(&packedO200k, 0), load(&packedCl100k, 0)
	p50k, r50k := load(&packedP50k, 0), load(&packedP50k, r50kSize)

	const end, prefix, middle, suffix = "<|endoftext|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>"
	encoding := func(name string, fast fastRule, split splitFunc, vocabulary func() (*bpe, error), special map[int]string) *Encoding {
		return &Encoding{name: name, build: func() (*model, error) {
			b, err := vocabulary()
			return &model{split: split, bpe: b, special: special, fast: fast}, err
		}}
	}
	return []*Encoding{
		encoding("o200k_base", fastO200k, splitO200k, o200k, map[int]string{199999: end, 200018: "<|endofprompt|>"}),
		encoding("o200k_harmony", fastO200k, splitO200k, o200k, harmonySpecial()),
		encoding("cl100k_base", fastCl100k, splitCl100k, cl100k, map[int]string{
			100257: end, 100258: prefix, 100259: middle, 100260: suffix, 100276: "<|endofprompt|>",
		}),
		encoding("p50k_base", fastNone, splitGPT2, p50k, map[int]string{50256: end}),
		encoding("p50k_edit", fastNone, splitGPT2, p50k, map[int]string{50256: end, 50281: prefix, 50282: middle, 50283: suffix}),
		encoding("r50k_base", fastNone, splitGPT2, r50k, map[int]string{50256: end}),
	}
}()

// harmonySpecial are the special tokens of gpt-oss.
func harmonySpecial() map[int]string {
	special := map[int]string{
		199998: "<|startoftext|>", 199999: "<|endoftext|>",
		200002: "<|return|>", 200003: "<|constrain|>", 200005: "<|channel|>", 200006: "<|start|>",
		200007: "<|end|>", 200008: "<|message|>", 200012: "<|call|>",
	}
	for id := 200000; id < 201088; id++ {
		if special[id] == "" {
			special[id] = fmt.Sprintf("<|reserved_%d|>", id)
		}
	}
	return special
}
