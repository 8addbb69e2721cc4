package wire_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/wire"
)

func TestMatchStream(t *testing.T) {
	got := wire.Match("POST", "/v1beta/models/g:streamGenerateContent", false)
	want := wire.Route{Operation: wire.GeminiGenerate, Dialect: wire.Gemini, Model: "g", Stream: true}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestMatch(t *testing.T) {
	for _, tt := range []struct {
		name, method, path string
		versioned          bool
		operation          *wire.Operation
		dialect            wire.Dialect
		model, allow       string
	}{
		{"chat", "POST", "/v1/chat/completions", false, wire.Chat, wire.OpenAI, "", ""},
		{"an unknown verb of a tuned model", "POST", "/v1beta/tunedModels/a/models/b:foo", false, nil, wire.Gemini, "", ""},
		{"a verb asked for", "GET", "/v1beta/models/gemini-2.5-flash:generateContent", false, wire.GeminiGenerate, wire.Gemini, "gemini-2.5-flash", "POST"},
		{"a model with a colon", "GET", "/v1/models/ft:gpt-4o:org", false, wire.ListModels, wire.OpenAI, "ft:gpt-4o:org", ""},
		{"completions", "POST", "/v1/completions", false, wire.Completions, wire.OpenAI, "", ""},
		{"responses", "POST", "/v1/responses", false, wire.Responses, wire.OpenAI, "", ""},
		{"input tokens", "POST", "/v1/responses/input_tokens", false, wire.ResponsesTokens, wire.OpenAI, "", ""},
		{"compact", "POST", "/v1/responses/compact", false, wire.ResponsesFold, wire.OpenAI, "", ""},
		{"embeddings", "POST", "/v1/embeddings", false, wire.Embeddings, wire.OpenAI, "", ""},
		{"moderations", "POST", "/v1/moderations", false, wire.Moderations, wire.OpenAI, "", ""},
		{"rerank", "POST", "/v1/rerank", false, wire.Rerank, wire.OpenAI, "", ""},
		{"rerank v2", "POST", "/v2/rerank", false, wire.Rerank, wire.OpenAI, "", ""},
		{"images", "POST", "/v1/images/generations", false, wire.ImageGeneration, wire.OpenAI, "", ""},
		{"image edits", "POST", "/v1/images/edits", false, wire.ImageEdit, wire.OpenAI, "", ""},
		{"image variations", "POST", "/v1/images/variations", false, wire.ImageVariation, wire.OpenAI, "", ""},
		{"speech", "POST", "/v1/audio/speech", false, wire.Speech, wire.OpenAI, "", ""},
		{"transcription", "POST", "/v1/audio/transcriptions", false, wire.Transcription, wire.OpenAI, "", ""},
		{"translation", "POST", "/v1/audio/translations", false, wire.Translation, wire.OpenAI, "", ""},
		{"messages", "POST", "/v1/messages", false, wire.Messages, wire.Anthropic, "", ""},
		{"count tokens", "POST", "/v1/messages/count_tokens", true, wire.CountTokens, wire.Anthropic, "", ""},
		{"tokenize", "POST", "/v1/tokenize", false, wire.Tokenize, wire.OpenAI, "", ""},
		{"gemini count", "POST", "/v1beta/models/gemini-2.5-flash:countTokens", false, wire.GeminiCount, wire.Gemini, "gemini-2.5-flash", ""},
		{"gemini count by get", "GET", "/v1beta/models/g:countTokens", false, wire.GeminiCount, wire.Gemini, "g", "POST"},

		{"gemini", "POST", "/v1beta/models/gemini-2.5-flash:generateContent", false, wire.GeminiGenerate, wire.Gemini, "gemini-2.5-flash", ""},
		{"gemini, a target", "POST", "/v1beta/models/openai/gpt-4.1:generateContent", false, wire.GeminiGenerate, wire.Gemini, "openai/gpt-4.1", ""},
		{"gemini, version 1", "POST", "/v1/models/g:generateContent", false, wire.GeminiGenerate, wire.Gemini, "g", ""},
		{"vertex", "POST", "/v1/projects/p/locations/l/publishers/google/models/g:generateContent", false, wire.GeminiGenerate, wire.Gemini, "g", ""},
		{"gemini by get", "GET", "/v1beta/models/g:generateContent", false, wire.GeminiGenerate, wire.Gemini, "g", "POST"},
		{"gemini embedding", "POST", "/v1beta/models/g:embedContent", false, wire.GeminiEmbed, wire.Gemini, "g", ""},
		{"gemini embeddings", "POST", "/v1beta/models/g:batchEmbedContents", false, wire.GeminiBatchEmbed, wire.Gemini, "g", ""},
		{"gemini models", "GET", "/v1beta/models", false, wire.ListModels, wire.Gemini, "", ""},
		{"one of gemini's", "GET", "/v1beta/models/g", false, wire.ListModels, wire.Gemini, "g", ""},

		{"models", "GET", "/v1/models", false, wire.ListModels, wire.OpenAI, "", ""},
		{"models by head", "HEAD", "/v1/models", false, wire.ListModels, wire.OpenAI, "", ""},
		{"models by post", "POST", "/v1/models", false, wire.ListModels, wire.OpenAI, "", "GET"},
		{"anthropic models", "GET", "/v1/models", true, wire.ListModels, wire.Anthropic, "", ""},
		{"one model", "GET", "/v1/models/gpt-4.1", false, wire.ListModels, wire.OpenAI, "gpt-4.1", ""},
		{"a model with a slash", "GET", "/v1/models/openai/gpt-4.1", false, wire.ListModels, wire.OpenAI, "openai/gpt-4.1", ""},
		{"one of anthropic's", "GET", "/v1/models/claude-sonnet-4-5", true, wire.ListModels, wire.Anthropic, "claude-sonnet-4-5", ""},

		{"prefix", "POST", "/team/a/openai/v1/chat/completions", false, wire.Chat, wire.OpenAI, "", ""},
		{"no version", "POST", "/chat/completions", false, wire.Chat, wire.OpenAI, "", ""},
		{"slash at the end", "POST", "/v1/messages/", false, wire.Messages, wire.Anthropic, "", ""},
		{"the path beats the header", "POST", "/v1/chat/completions", true, wire.Chat, wire.OpenAI, "", ""},
		{"wrong method", "GET", "/v1/chat/completions", false, wire.Chat, wire.OpenAI, "", "POST"},
		{"wrong method for messages", "DELETE", "/v1/messages", false, wire.Messages, wire.Anthropic, "", "POST"},

		{"unknown", "POST", "/v1/nothing", false, nil, wire.OpenAI, "", ""},
		{"root", "GET", "/", false, nil, wire.OpenAI, "", ""},
		{"unknown with the header", "POST", "/v1/nothing", true, nil, wire.Anthropic, "", ""},
		{"below messages", "POST", "/v1/messages/batches", false, nil, wire.Anthropic, "", ""},
		{"anthropic's oldest", "POST", "/v1/complete", false, nil, wire.Anthropic, "", ""},
		{"gemini's other verbs", "POST", "/v1beta/models/gemini-2.5-flash:predict", false, nil, wire.Gemini, "", ""},
		{"no part of a word", "POST", "/v1/modelsx", false, nil, wire.OpenAI, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := wire.Match(tt.method, tt.path, tt.versioned)
			want := wire.Route{Operation: tt.operation, Dialect: tt.dialect, Model: tt.model, Allow: tt.allow}
			if got.Operation != want.Operation {
				t.Errorf("operation %+v, want %+v", got.Operation, want.Operation)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
