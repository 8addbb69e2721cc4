package sdkgo

import (
	"testing"

	anthropic "github.com/anthropics/anthropic-sdk-go"
)

func prompt(model string) anthropic.MessageNewParams {
	return anthropic.MessageNewParams{
		Model:     anthropic.Model(model),
		MaxTokens: 1024,
		Messages:  []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock("What is a weir?"))},
	}
}

// accumulate reads a stream to its end.
func accumulate(t *testing.T, client anthropic.Client, params anthropic.MessageNewParams) (anthropic.Message, error) {
	t.Helper()
	stream := client.Messages.NewStreaming(t.Context(), params)
	defer stream.Close()
	message := anthropic.Message{}
	for stream.Next() {
		if err := message.Accumulate(stream.Current()); err != nil {
			t.Fatal(err)
		}
	}
	return message, stream.Err()
}

func TestAnthropicMessages(t *testing.T) {
	client := anthropicClient(simulated(t), 0)
	whole, err := client.Messages.New(t.Context(), prompt("claude"))
	if err != nil {
		t.Fatal(err)
	}
	streamed, err := accumulate(t, client, prompt("claude"))
	if err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string]*anthropic.Message{"whole": whole, "streamed": &streamed} {
		if len(got.Content) != 1 || got.Content[0].Text == "" || got.StopReason != anthropic.StopReasonEndTurn || got.Usage.InputTokens == 0 || got.Usage.OutputTokens == 0 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestAnthropicTools(t *testing.T) {
	client := anthropicClient(simulated(t), 0)
	params := prompt("sim/tool")
	params.Tools = []anthropic.ToolUnionParam{{OfTool: &anthropic.ToolParam{
		Name:        "get_weather",
		InputSchema: anthropic.ToolInputSchemaParam{Properties: map[string]any{"city": map[string]any{"type": "string"}}, Required: []string{"city"}},
	}}}
	streamed, err := accumulate(t, client, params)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := client.Messages.New(t.Context(), params)
	if err != nil {
		t.Fatal(err)
	}
	var id string
	for name, got := range map[string]*anthropic.Message{"whole": whole, "streamed": &streamed} {
		if got.StopReason != anthropic.StopReasonToolUse {
			t.Errorf("%s: stop reason %s", name, got.StopReason)
		}
		calls := 0
		for _, block := range got.Content {
			if call, ok := block.AsAny().(anthropic.ToolUseBlock); ok && call.Name == "get_weather" {
				id = call.ID
				calls++
			}
		}
		if calls != 1 {
			t.Errorf("%s: %d calls", name, calls)
		}
	}
	for _, block := range whole.Content {
		if call, ok := block.AsAny().(anthropic.ToolUseBlock); ok {
			id = call.ID
		}
	}
	params.Messages = append(params.Messages, whole.ToParam(), anthropic.NewUserMessage(anthropic.NewToolResultBlock(id, "sunny", false)))
	got, err := client.Messages.New(t.Context(), params)
	if err != nil {
		t.Fatal(err)
	}
	if got.StopReason != anthropic.StopReasonEndTurn {
		t.Errorf("answer %+v", got)
	}
}

func TestAnthropicCountTokens(t *testing.T) {
	client := anthropicClient(simulated(t), 0)
	got, err := client.Messages.CountTokens(t.Context(), anthropic.MessageCountTokensParams{Model: "claude", Messages: prompt("claude").Messages})
	if err != nil || got.InputTokens == 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestAnthropicModels(t *testing.T) {
	client := anthropicClient(simulated(t), 0)
	list, err := client.Models.List(t.Context(), anthropic.ModelListParams{})
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, model := range list.Data {
		found = found || model.ID == "claude"
	}
	if !found {
		t.Errorf("models %+v", list.Data)
	}
	if got, err := client.Models.Get(t.Context(), "claude", anthropic.ModelGetParams{}); err != nil || got.ID != "claude" {
		t.Errorf("%+v, %v", got, err)
	}
}
