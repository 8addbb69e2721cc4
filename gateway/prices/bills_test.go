package prices

import "testing"

// TestBills compares with bills that were worked out by hand from the vendors'
// price pages. They hold as long as the embedded catalogue's version does.
func TestBills(t *testing.T) {
	const k = 1000
	for _, tt := range []struct {
		provider, model string
		usage           Usage
		usd             string
	}{
		// 800k × 2.50 + 200k × 1.25 + 100k × 10 = 2.00 + 0.25 + 1.00
		{"openai", "gpt-4o", Usage{Input: 1000 * k, CacheRead: 200 * k, Output: 100 * k}, "3.25"},
		// 1234 × 0.15 + 567 × 0.60 = 0.0001851 + 0.0003402
		{"openai", "gpt-4o-mini", Usage{Input: 1234, Output: 567}, "0.0005253"},
		// 10k × 2 + 1k × 8, and at half of it in a batch
		{"openai", "gpt-4.1", Usage{Input: 10 * k, Output: 1 * k}, "0.028"},
		{"openai", "gpt-4.1-2025-04-14", Usage{Input: 10 * k, Output: 1 * k, Service: "batch"}, "0.014"},
		// 2k × 2 + 3k × 8; 2k of the output are reasoning at the same price
		{"openai", "o3", Usage{Input: 2 * k, Output: 3 * k, Reasoning: 2 * k}, "0.028"},
		// 100k × 1.25 + 10k × 10; priority: 100k × 2.50 + 10k × 20
		{"openai", "gpt-5", Usage{Input: 100 * k, Output: 10 * k}, "0.225"},
		{"openai", "gpt-5", Usage{Input: 100 * k, Output: 10 * k, Service: "priority"}, "0.45"},
		// 272k is not above 272k: × 2.50 + 1k × 15; one more: × 5 + 1k × 22.50
		{"openai", "gpt-5.4", Usage{Input: 272 * k, Output: 1 * k}, "0.695"},
		{"openai", "gpt-5.4", Usage{Input: 272*k + 1, Output: 1 * k}, "1.382505"},
		// 1M × 0.02
		{"openai", "text-embedding-3-small", Usage{Input: 1000 * k}, "0.02"},
		// 60 s × 0.006 a minute
		{"openai", "whisper-1", Usage{Milliseconds: 60 * k}, "0.006"},
		// 1k × 3 + 50k × 0.30 + 10k × 3.75 + 5k × 6 + 2k × 15, and two searches at
		// 10 a thousand
		{"anthropic", "claude-sonnet-4-5", Usage{Input: 66 * k, CacheRead: 50 * k, CacheWrite: 10 * k, CacheWrite1h: 5 * k, Output: 2 * k, Searches: 2}, "0.1355"},
		// 10k × 1 + 2k × 5
		{"anthropic", "claude-haiku-4-5-20251001", Usage{Input: 10 * k, Output: 2 * k}, "0.02"},
		// 10k × 5 + 2k × 25
		{"anthropic", "claude-opus-4-6", Usage{Input: 10 * k, Output: 2 * k}, "0.1"},
		// 200k × 1.25 + 1k × 10; 300k × 2.50 + 1k × 15
		{"gemini", "gemini-2.5-pro", Usage{Input: 200 * k, Output: 1 * k}, "0.26"},
		{"gemini", "models/gemini-2.5-pro", Usage{Input: 300 * k, Output: 1 * k}, "0.765"},
		// 1k text × 0.30 + 9k audio × 1 + 1k × 2.50
		{"gemini", "gemini-2.5-flash", Usage{Input: 10 * k, AudioInput: 9 * k, Output: 1 * k}, "0.0118"},
		// 10k × 3.30 + 1k × 16.50: 10 % more for a region
		{"bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", Usage{Input: 10 * k, Output: 1 * k}, "0.0495"},
		// 10k × 0.80 + 1k × 3.20
		{"bedrock", "amazon.nova-pro-v1:0", Usage{Input: 10 * k, Output: 1 * k}, "0.0112"},
		// 250k × 6 + 1k × 22.50
		{"vertex", "claude-sonnet-4-5@20250929", Usage{Input: 250 * k, Output: 1 * k}, "1.5225"},
		// 10k × 2 + 1k × 8
		{"azure_openai", "gpt-4.1", Usage{Input: 10 * k, Output: 1 * k}, "0.028"},
		// 8k × 0.28 + 2k × 0.028 + 1k × 0.42
		{"deepseek", "deepseek-chat", Usage{Input: 10 * k, CacheRead: 2 * k, Output: 1 * k}, "0.002716"},
		// 2 a thousand searches
		{"cohere", "rerank-v3.5", Usage{Requests: 1}, "0.002"},
		// 10k × 2.50 + 1k × 10
		{"cohere", "command-a-03-2025", Usage{Input: 10 * k, Output: 1 * k}, "0.035"},
		// 1k text × 5 + 2k picture × 10 + 4k picture out × 40
		{"openai", "gpt-image-1", Usage{Input: 3 * k, ImageInput: 2 * k, Output: 4 * k, ImageOutput: 4 * k}, "0.185"},
	} {
		t.Run(tt.provider+"/"+tt.model, func(t *testing.T) {
			price, ok := Default().Find(tt.provider, tt.model, now)
			if !ok || price.Match != Exact {
				t.Fatalf("not in the catalogue: %v", price)
			}
			cost := price.Cost(tt.usage)
			if got := FormatUSD(cost.Total); got != tt.usd {
				t.Errorf("got %s, want %s: %+v\n%s", got, tt.usd, cost, price)
			}
			if cost.PriceVersion != Default().Version() {
				t.Errorf("version %q", cost.PriceVersion)
			}
		})
	}
}
