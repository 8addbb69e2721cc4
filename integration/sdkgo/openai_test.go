package sdkgo

import (
	"encoding/json"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/responses"
	"github.com/openai/openai-go/v3/shared"
)

var question = []openai.ChatCompletionMessageParamUnion{openai.UserMessage("What is a weir?")}

var weather = shared.FunctionDefinitionParam{
	Name:        "get_weather",
	Description: openai.String("The weather of a city."),
	Parameters: shared.FunctionParameters{
		"type":       "object",
		"properties": map[string]any{"city": map[string]any{"type": "string"}},
		"required":   []string{"city"},
	},
}

func TestOpenAIChat(t *testing.T) {
	client := openAI(simulated(t), 0)
	got, err := client.Chat.Completions.New(t.Context(), openai.ChatCompletionNewParams{Model: "chat", Messages: question})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Choices) != 1 || got.Choices[0].Message.Content == "" || got.Choices[0].FinishReason != "stop" || got.Usage.CompletionTokens == 0 {
		t.Errorf("answer %s", got.RawJSON())
	}
}

func TestOpenAIChatStream(t *testing.T) {
	client := openAI(simulated(t), 0)
	for _, usage := range []bool{false, true} {
		params := openai.ChatCompletionNewParams{Model: "chat", Messages: question}
		if usage {
			params.StreamOptions.IncludeUsage = openai.Bool(true)
		}
		stream := client.Chat.Completions.NewStreaming(t.Context(), params)
		acc := openai.ChatCompletionAccumulator{}
		for stream.Next() {
			if !acc.AddChunk(stream.Current()) {
				t.Fatalf("the accumulator refuses %s", stream.Current().RawJSON())
			}
		}
		if err := stream.Close(); err != nil {
			t.Error(err)
		}
		if err := stream.Err(); err != nil {
			t.Fatal(err)
		}
		if len(acc.Choices) != 1 || acc.Choices[0].Message.Content == "" || acc.Choices[0].FinishReason != "stop" {
			t.Errorf("accumulated %+v", acc.ChatCompletion)
		}
		if got := acc.Usage.TotalTokens > 0; got != usage {
			t.Errorf("usage %+v, asked for: %v", acc.Usage, usage)
		}
	}
}

// TestOpenAITools runs a tool loop: a call, its result, an answer.
func TestOpenAITools(t *testing.T) {
	client := openAI(simulated(t), 0)
	params := openai.ChatCompletionNewParams{
		Model:    "sim/tool",
		Messages: question,
		Tools:    []openai.ChatCompletionToolUnionParam{openai.ChatCompletionFunctionTool(weather)},
	}
	stream := client.Chat.Completions.NewStreaming(t.Context(), params)
	acc := openai.ChatCompletionAccumulator{}
	finished := 0
	for stream.Next() {
		acc.AddChunk(stream.Current())
		if call, ok := acc.JustFinishedToolCall(); ok && call.Name == "get_weather" {
			finished++
		}
	}
	if err := stream.Err(); err != nil {
		t.Fatal(err)
	}
	_ = stream.Close()
	got, err := client.Chat.Completions.New(t.Context(), params)
	if err != nil {
		t.Fatal(err)
	}
	for _, choice := range [][]openai.ChatCompletionChoice{acc.Choices, got.Choices} {
		calls := choice[0].Message.ToolCalls
		if len(calls) != 1 || calls[0].ID == "" || calls[0].Function.Name != "get_weather" || !json.Valid([]byte(calls[0].Function.Arguments)) || choice[0].FinishReason != "tool_calls" {
			t.Fatalf("calls %+v, finish reason %s", calls, choice[0].FinishReason)
		}
	}
	if finished != 1 {
		t.Errorf("the accumulator saw %d calls finish", finished)
	}
	params.Messages = append(params.Messages, got.Choices[0].Message.ToParam(), openai.ToolMessage("sunny", got.Choices[0].Message.ToolCalls[0].ID))
	got, err = client.Chat.Completions.New(t.Context(), params)
	if err != nil {
		t.Fatal(err)
	}
	if got.Choices[0].FinishReason != "stop" || got.Choices[0].Message.Content == "" {
		t.Errorf("answer %s", got.RawJSON())
	}
}

func TestOpenAIEmbeddings(t *testing.T) {
	client := openAI(simulated(t), 0)
	got, err := client.Embeddings.New(t.Context(), openai.EmbeddingNewParams{
		Model: "sim/text-embedding",
		Input: openai.EmbeddingNewParamsInputUnion{OfArrayOfStrings: []string{"one", "two"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Data) != 2 || len(got.Data[1].Embedding) == 0 || got.Usage.PromptTokens == 0 {
		t.Errorf("%d embeddings, usage %+v", len(got.Data), got.Usage)
	}
}

func TestOpenAIResponses(t *testing.T) {
	client := openAI(simulated(t), 0)
	params := responses.ResponseNewParams{
		Model: "chat",
		Input: responses.ResponseNewParamsInputUnion{OfString: openai.String("What is a weir?")},
	}
	got, err := client.Responses.New(t.Context(), params)
	if err != nil {
		t.Fatal(err)
	}
	if got.OutputText() == "" || got.Status != responses.ResponseStatusCompleted || got.Usage.OutputTokens == 0 {
		t.Errorf("response %s", got.RawJSON())
	}
	stream := client.Responses.NewStreaming(t.Context(), params)
	text, completed := "", false
	for stream.Next() {
		switch event := stream.Current().AsAny().(type) {
		case responses.ResponseTextDeltaEvent:
			text += event.Delta
		case responses.ResponseCompletedEvent:
			completed = true
			if event.Response.OutputText() != text || event.Response.Usage.OutputTokens == 0 {
				t.Errorf("the final response says %q, the deltas %q", event.Response.OutputText(), text)
			}
		}
	}
	if err := stream.Err(); err != nil || text == "" || !completed {
		t.Errorf("text %q, completed %v, error %v", text, completed, err)
	}
	_ = stream.Close()
}

func TestOpenAIModels(t *testing.T) {
	client := openAI(simulated(t), 0)
	list, err := client.Models.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	names := make(map[string]bool)
	for _, model := range list.Data {
		names[model.ID] = true
	}
	if !names["chat"] {
		t.Errorf("models %v", names)
	}
	for _, name := range []string{"chat", "sim/echo"} {
		if got, err := client.Models.Get(t.Context(), name); err != nil || got.ID == "" {
			t.Errorf("model %s: %+v, %v", name, got, err)
		}
	}
}
