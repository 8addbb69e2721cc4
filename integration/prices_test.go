package integration

import (
	"strings"
	"testing"
)

// TestPriceInForce charges the price of the day.
func TestPriceInForce(t *testing.T) {
	g, _ := access(t, `key ci {env.CI_KEY}
price openai/gpt-4o input 1 output 1 until 2026-01-01
price openai/gpt-4o input 100 output 1000 from 2026-01-01 until 2999-01-01
price openai/gpt-4o free from 2999-01-01`, "ai_gateway", hello)
	status, header, body := askWith(t, g, "/v1/chat/completions", "a-secret-of-ci-0001", hi)
	if status != 200 || header.Get("X-Ai-Cost-Usd") != "0.006" {
		t.Errorf("status %d, cost %q: %s", status, header.Get("X-Ai-Cost-Usd"), body)
	}
	if r := g.Records.Wait(t, 1)[0]; r.Cost.PriceVersion != "override@2026-01-01" || !r.Priced || r.CostEstimated {
		t.Errorf("version %q, %+v", r.Cost.PriceVersion, r)
	}
}

// TestEstimatedPrices holds what becomes of models whose own price nobody
// knows: one whose name begins as that of a known model, and one of none.
func TestEstimatedPrices(t *testing.T) {
	const family, unknown = "openai/gpt-4o-mini-enormous", "openai/nobody-knows-1"
	for _, tt := range []struct {
		name, policy, limit, model string

		status    int
		cost      string // as the header has it
		version   string // how the price's ends
		priced    bool
		estimated bool
	}{
		{"family, no budget", "deny", "", family, 200, "0.0000045", "~openai/gpt-4o-mini", false, true}, // 10 × 0.15 and 5 × 0.60
		{"family, budget", "deny", "limit usd 1 1M", family, 403, "", "", false, false},
		{"family, budget, estimate", "estimate", "limit usd 1 1M", family, 200, "0.0000045", "~openai/gpt-4o-mini", false, true},
		{"family, budget, free", "free", "limit usd 1 1M", family, 200, "0.0000045", "~openai/gpt-4o-mini", false, true},
		{"snapshot, budget", "deny", "limit usd 1 1M", "openai/gpt-4o-mini-2031-01-01", 200, "0.0000045", "", true, false},
		{"latest, budget", "deny", "limit usd 1 1M", "openai/gpt-4o-mini-latest", 200, "0.0000045", "", true, false},
		{"unknown, no budget", "deny", "", unknown, 200, "", "", false, false},
		{"unknown, budget", "deny", "limit usd 1 1M", unknown, 403, "", "", false, false},
		{"unknown, budget, estimate", "estimate", "limit usd 1 1M", unknown, 200, "0.000525", "~*", false, true}, // 10 × 15 and 5 × 75
		{"unknown, budget, free", "free", "limit usd 1 1M", unknown, 200, "", "", false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g, _ := access(t, "unpriced "+tt.policy+"\nmodel near "+tt.model+"\nkey ci {env.CI_KEY} {\nlimit requests 9 1m\n"+tt.limit+"\n}", "ai_gateway", hello)
			status, header, body := askWith(t, g, "/v1/chat/completions", "a-secret-of-ci-0001", strings.Replace(hi, `"m"`, `"near"`, 1))
			if status != tt.status || header.Get("X-Ai-Cost-Usd") != tt.cost {
				t.Errorf("status %d, cost %q: %s", status, header.Get("X-Ai-Cost-Usd"), body)
			}
			r := g.Records.Wait(t, 1)[0]
			if status == 403 {
				if !strings.Contains(body, "price of '"+tt.model+"' is not known") || r.Cost.Total != 0 {
					t.Errorf("%s: %+v", body, r)
				}
				return
			}
			if r.Priced != tt.priced || r.CostEstimated != tt.estimated || !strings.HasSuffix(r.Cost.PriceVersion, tt.version) || tt.estimated != strings.Contains(r.Cost.PriceVersion, "~") {
				t.Errorf("priced %v, estimated %v, version %q", r.Priced, r.CostEstimated, r.Cost.PriceVersion)
			}
		})
	}
}
