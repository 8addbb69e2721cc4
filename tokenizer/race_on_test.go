//go:build race

package tokenizer

// sampled is how few of the vectors are compared: the race detector makes the
// comparison fifteen times slower and has nothing to find in most of it.
const sampled = 12
