//go:build !race

package tokenizer

const sampled = 1
