package tokenizer

// longestToken is the length in bytes of the longest token of the built-in
// vocabularies: 128 spaces in o200k_base.
const longestToken = 128

// Bound returns how few and how many tokens a text of n bytes can have in any
// built-in encoding. Most limit checks are decided by it without a count.
func Bound(n int) (least, most int) {
	return (n + longestToken - 1) / longestToken, n
}
