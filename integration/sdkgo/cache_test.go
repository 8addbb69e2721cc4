package sdkgo

import (
	"net/http"
	"testing"

	anthropic "github.com/anthropics/anthropic-sdk-go"
	"github.com/openai/openai-go/v3"
	openaioption "github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/responses"

	"github.com/weirproxy/weir/integration/weirtest"
)

// TestKeptAnswers holds that the SDKs read answers from the cache as they read those
// of upstreams: whole and streamed, each after a request of another form.
func TestKeptAnswers(t *testing.T) {
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	g := weirtest.Start(t, "provider sim simulator\nmodel chat sim/default\nmodel claude sim/default", "ai_gateway {\nresume 1m\ncache exact\n}")
	client, claude := openAI(g, 0), anthropicClient(g, 0)
	var head *http.Response
	watch := openaioption.WithResponseInto(&head)
	hit := func(name, want string) {
		t.Helper()
		if got := head.Header.Get("X-AI-Cache"); got != want {
			t.Errorf("%s is a %s, want %s", name, got, want)
		}
	}
	stream := func(options ...openaioption.RequestOption) string {
		t.Helper()
		s := client.Chat.Completions.NewStreaming(t.Context(), openai.ChatCompletionNewParams{Model: "chat", Messages: question}, append(options, watch)...)
		acc := openai.ChatCompletionAccumulator{}
		for s.Next() {
			acc.AddChunk(s.Current())
		}
		if err := s.Err(); err != nil {
			t.Fatal(err)
		}
		_ = s.Close()
		if len(acc.Choices) != 1 || acc.Choices[0].FinishReason != "stop" {
			t.Fatalf("accumulated %+v", acc.ChatCompletion)
		}
		return acc.Choices[0].Message.Content
	}
	text := stream()
	hit("the first", "miss")
	for name, options := range map[string][]openaioption.RequestOption{
		"a stream": nil, "with metadata": {openaioption.WithHeader("X-AI-Metadata", "on")}, "to come back to": {openaioption.WithHeader("X-AI-Resume", "on")},
	} {
		if got := stream(options...); got != text {
			t.Errorf("%s says %q, want %q", name, got, text)
		}
		hit(name, "hit")
	}
	whole, err := client.Chat.Completions.New(t.Context(), openai.ChatCompletionNewParams{Model: "chat", Messages: question}, watch)
	if err != nil || whole.Choices[0].Message.Content != text || whole.Usage.CompletionTokens == 0 {
		t.Errorf("%v, %s", err, whole.RawJSON())
	}
	hit("whole", "hit")

	params := responses.ResponseNewParams{Model: "chat", Input: responses.ResponseNewParamsInputUnion{OfString: openai.String("What is a weir?")}, User: openai.String("alice")}
	for range 2 {
		s := client.Responses.NewStreaming(t.Context(), params, watch)
		said, completed := "", false
		for s.Next() {
			switch event := s.Current().AsAny().(type) {
			case responses.ResponseTextDeltaEvent:
				said += event.Delta
			case responses.ResponseCompletedEvent:
				completed = event.Response.OutputText() == said
			}
		}
		if err := s.Err(); err != nil || said != text || !completed {
			t.Errorf("%v, completed %v, %q", err, completed, said)
		}
		_ = s.Close()
		hit("a response", "hit") // of the same question in chat
	}

	for _, want := range []string{"miss", "hit"} {
		e, err := client.Embeddings.New(t.Context(), openai.EmbeddingNewParams{
			Model: "sim/text-embedding", Input: openai.EmbeddingNewParamsInputUnion{OfArrayOfStrings: []string{"one", "two"}},
		}, watch)
		if err != nil || len(e.Data) != 2 || len(e.Data[1].Embedding) == 0 {
			t.Errorf("%v, %+v", err, e)
		}
		hit("embeddings", want)
	}

	asked := anthropic.MessageNewParams{Model: "claude", MaxTokens: 1000, Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock("What is a weir?"))}}
	first, err := claude.Messages.New(t.Context(), asked)
	if err != nil {
		t.Fatal(err)
	}
	s := claude.Messages.NewStreaming(t.Context(), asked)
	got := anthropic.Message{}
	for s.Next() {
		if err := got.Accumulate(s.Current()); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Err(); err != nil || len(got.Content) != 1 || got.Content[0].Text != first.Content[0].Text || got.StopReason != first.StopReason {
		t.Errorf("%v, %+v", err, got)
	}
	_ = s.Close()
	if records := g.Records.Wait(t, 11); records[10].Cache != "hit" {
		t.Errorf("the last is a %s", records[10].Cache)
	}
}
