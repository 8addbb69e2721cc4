package tokenizer

import "slices"

// longestToken is the length in bytes of the longest token of the built-in
// vocabularies: 128 spaces in o200k_base.
const longestToken = 128

// Bound returns how few and how many tokens a text of n bytes can have in any
// built-in encoding. Most limit checks are decided by it without a count.
func Bound(n int) (least, most int) {
	return (n + longestToken - 1) / longestToken, n
}

// Most returns no less than a prompt without attachments counts whose JSON has n
// bytes; ok is false for tokenizers from files, whose normalisers may make a text
// longer. What vendors add to each message, call and tool is less than the JSON
// around it takes; a tool's is not by much where its JSON is what counts.
func (f *Family) Most(n int) (tokens int, ok bool) {
	if !slices.Contains(builtin, f.Encoding) {
		return 0, false
	}
	r, ratio := f.rules, f.Ratio
	if r.toolStyle == toolJSON {
		ratio = max(ratio, r.toolRatio) * 5 / 4
	}
	_, most := Bound(n)
	return scale(most, ratio) + r.once + r.toolsOnce + r.ownSystem + r.forced + r.chatTools + r.format + perName, true
}

// perName is room for the role of a message that the dialect has elsewhere.
const perName = 64
