package wire

import "testing"

func TestPrefillOf(t *testing.T) {
	for _, tt := range []struct {
		op    *Operation
		model string
		chat  Prefill
		want  Prefill
	}{
		{Messages, "claude-sonnet-4-5", PrefillNone, PrefillPlain},
		{Messages, "claude-opus-4-6", PrefillNone, PrefillNone},
		{Messages, "deepseek-chat", PrefillMark, PrefillNone},
		{Converse, "us.anthropic.claude-sonnet-4-5-20250929-v1:0", PrefillNone, PrefillPlain},
		{Converse, "amazon.nova-pro-v1:0", PrefillNone, PrefillNone},
		{Chat, "mistral-large", PrefillMark, PrefillMark},
		{Chat, "claude-sonnet-4-5", PrefillNone, PrefillNone},
		{Responses, "gpt-4o", PrefillTemplate, PrefillNone},
		{GeminiGenerate, "gemini-2.5-pro", PrefillNone, PrefillNone},
	} {
		if got := PrefillOf(tt.op, tt.model, tt.chat); got != tt.want {
			t.Errorf("%s of %s: %v", tt.op.Name, tt.model, got)
		}
	}
}
