package gateway

import "strings"

// windows are the context windows, in tokens, of models whose vendors publish
// one; the first prefix that fits wins. A model that is not here has no limit
// of Weir's: the vendor refuses for itself. Where a family has several sizes
// the largest stands, since a wrong refusal is worse than a paid one.
var windows = []struct {
	prefix string
	tokens int64
}{
	{"gpt-4.1", 1_047_576},
	{"gpt-4o", 128_000},
	{"gpt-4-turbo", 128_000},
	{"gpt-4-32k", 32_768},
	{"gpt-4-0613", 8_192},
	{"gpt-3.5-turbo-instruct", 4_096},
	{"gpt-3.5-turbo", 16_385},
	{"chatgpt-4o", 128_000},
	{"gpt-5", 400_000},
	{"o1-mini", 128_000},
	{"o1", 200_000},
	{"o3", 200_000},
	{"o4-mini", 200_000},
	{"claude-", 1_000_000},
}

// contextWindow returns the window of model, 0 when it is not known.
func contextWindow(model string) int64 {
	for _, w := range windows {
		if strings.HasPrefix(model, w.prefix) {
			return w.tokens
		}
	}
	return 0
}
