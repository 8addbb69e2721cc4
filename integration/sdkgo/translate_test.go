package sdkgo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	anthropic "github.com/anthropics/anthropic-sdk-go"
	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/responses"
	"google.golang.org/genai"

	"github.com/weirproxy/weir/integration/weirtest"
	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/wiretest/recorded"
)

// player is a gateway in front of upstreams of every dialect, which all play
// the same recording.
type player struct {
	*weirtest.Gateway
	playing atomic.Pointer[recorded.Recording]
}

func newPlayer(t *testing.T) *player {
	t.Helper()
	t.Setenv("UPSTREAM_KEY", "sk-upstream")
	p := &player{}
	up := weirtest.NewUpstream(t, p.play)
	p.Gateway = weirtest.Start(t, providers(up.URL), "ai_gateway")
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return p
}

// providers are one of every dialect, all at one address.
func providers(address string) string {
	return fmt.Sprintf(`
provider chat openai_compatible {
	base_url %[1]s/v1
	serves chat
}
provider responses openai {
	base_url %[1]s/v1
	api_key {env.UPSTREAM_KEY}
	serves responses
}
provider messages anthropic {
	base_url %[1]s/v1
	api_key {env.UPSTREAM_KEY}
}
provider generate_content gemini {
	base_url %[1]s/v1beta
	api_key {env.UPSTREAM_KEY}
}
provider cohere_chat cohere {
	base_url %[1]s
	api_key {env.UPSTREAM_KEY}
}
`, address)
}

func (p *player) play(w http.ResponseWriter, _ *weirtest.Request) {
	rec := p.playing.Load()
	if !rec.Stream {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(rec.Answer)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	random := rand.New(rand.NewPCG(uint64(len(rec.Answer)), 7))
	for rest := rec.Answer; len(rest) > 0; {
		n := min(1+random.IntN(400), len(rest))
		_, _ = w.Write(rest[:n])
		weirtest.Flush(w)
		rest = rest[n:]
	}
}

// TestRecordingsThroughSDKs plays every recorded answer to the SDK of every
// other dialect and compares what the SDK makes of it.
func TestRecordingsThroughSDKs(t *testing.T) {
	p := newPlayer(t)
	for _, rec := range recorded.All(t, filepath.Join("..", "testdata", "fixtures")) {
		if rec.Op == wire.Converse || rec.Op == wire.Completions {
			continue // framed by the provider; wire/doors translates these. Nothing is translated into completions
		}
		res, err := rec.Decode(0)
		if err != nil || res.Failure != nil || len(res.Choices) == 0 || res.Choices[0].Finish == wire.FinishNone {
			continue
		}
		want := recorded.MeaningOf(res, 0)
		for _, client := range clients {
			if client.op == rec.Op {
				continue
			}
			if client.op == wire.Chat && rec.Stream && slices.ContainsFunc(res.Choices[0].Blocks, func(b wire.Block) bool { return b.Call != nil && b.Call.Custom }) {
				continue // the SDK's accumulator leaves custom calls out; wire/doors checks them
			}
			t.Run(rec.Name+"/"+client.op.Name, func(t *testing.T) {
				p.playing.Store(rec)
				got, err := client.ask(p.Gateway, rec.Op.Name+"/"+modelOf(rec.Op), rec.Stream)
				if err != nil {
					t.Fatal(err)
				}
				if diff := client.sees(want).Diff(got); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

func modelOf(op *wire.Operation) string {
	switch op {
	case wire.Messages:
		return "claude-sonnet-4-5"
	case wire.GeminiGenerate:
		return "gemini-2.5-flash"
	default:
		return "a-model"
	}
}

// client is one dialect's SDK: ask makes a call and reads the answer, sees is
// what of an answer the SDK shows.
type client struct {
	op   *wire.Operation
	ask  func(g *weirtest.Gateway, model string, stream bool) (recorded.Meaning, error)
	sees func(recorded.Meaning) recorded.Meaning
}

var clients = []client{
	{wire.Chat, askChat, func(m recorded.Meaning) recorded.Meaning { m.Thinking = ""; return m }},
	{wire.Responses, askResponses, func(m recorded.Meaning) recorded.Meaning { return m }},
	{wire.Messages, askMessages, func(m recorded.Meaning) recorded.Meaning { return m }},
	{wire.GeminiGenerate, askGemini, func(m recorded.Meaning) recorded.Meaning { return m }},
}

func askChat(g *weirtest.Gateway, model string, stream bool) (m recorded.Meaning, err error) {
	c := openAI(g, 0)
	params := openai.ChatCompletionNewParams{Model: model, Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("Hello!")}}
	var answer *openai.ChatCompletion
	if stream {
		params.StreamOptions.IncludeUsage = openai.Bool(true)
		s := c.Chat.Completions.NewStreaming(context.Background(), params)
		defer s.Close()
		var acc openai.ChatCompletionAccumulator
		for s.Next() {
			if !acc.AddChunk(s.Current()) {
				return m, errors.New("the accumulator refuses a chunk")
			}
		}
		if s.Err() != nil {
			return m, s.Err()
		}
		answer = &acc.ChatCompletion
	} else if answer, err = c.Chat.Completions.New(context.Background(), params); err != nil {
		return m, err
	}
	choice := answer.Choices[0]
	m.Text = choice.Message.Content + choice.Message.Refusal
	for _, call := range choice.Message.ToolCalls {
		if call.Type == "custom" || call.Custom.Name != "" {
			m.Calls = append(m.Calls, call.Custom.Name+" "+recorded.CanonicalJSON(wire.WrapCustom(call.Custom.Input)))
			continue
		}
		m.Calls = append(m.Calls, call.Function.Name+" "+recorded.CanonicalJSON(call.Function.Arguments))
	}
	m.Finish = map[string]string{"stop": "stop", "length": "length", "tool_calls": "tools", "content_filter": "policy"}[choice.FinishReason]
	if choice.Message.Refusal != "" { // OpenAI's refusals end with "stop"
		m.Finish = "policy"
	}
	m.Usage = wire.Usage{
		Input: answer.Usage.PromptTokens, Output: answer.Usage.CompletionTokens,
		CacheRead: answer.Usage.PromptTokensDetails.CachedTokens, Reasoning: answer.Usage.CompletionTokensDetails.ReasoningTokens,
	}
	return m, nil
}

func askResponses(g *weirtest.Gateway, model string, stream bool) (m recorded.Meaning, err error) {
	c := openAI(g, 0)
	params := responses.ResponseNewParams{Model: model, Input: responses.ResponseNewParamsInputUnion{OfString: openai.String("Hello!")}}
	var answer *responses.Response
	if stream {
		s := c.Responses.NewStreaming(context.Background(), params)
		defer s.Close()
		deltas := ""
		next := int64(0)
		for s.Next() {
			ev := s.Current()
			if ev.SequenceNumber != next {
				return m, fmt.Errorf("sequence number %d, want %d", ev.SequenceNumber, next)
			}
			next++
			if ev.Type == "response.output_text.delta" || ev.Type == "response.refusal.delta" {
				deltas += ev.Delta
			}
			if strings.HasPrefix(ev.Type, "response.") && ev.Response.ID != "" && slices.Contains([]string{"response.completed", "response.incomplete", "response.failed"}, ev.Type) {
				answer = &ev.Response
			}
		}
		if s.Err() != nil {
			return m, s.Err()
		}
		if answer == nil {
			return m, errors.New("no terminal event")
		}
		defer func() {
			if err == nil && deltas != m.Text {
				err = fmt.Errorf("deltas %q, text %q", deltas, m.Text)
			}
		}()
	} else if answer, err = c.Responses.New(context.Background(), params); err != nil {
		return m, err
	}
	refused := false
	for _, item := range answer.Output {
		switch item.Type {
		case "message":
			for _, part := range item.Content {
				m.Text += part.Text + part.Refusal
				refused = refused || part.Refusal != ""
			}
		case "reasoning":
			for _, part := range item.Summary {
				m.Thinking += part.Text
			}
		case "function_call":
			m.Calls = append(m.Calls, item.Name+" "+recorded.CanonicalJSON(item.Arguments.OfString))
		}
	}
	switch {
	case len(m.Calls) > 0:
		m.Finish = "tools"
	case refused:
		m.Finish = "policy"
	case answer.Status == "completed":
		m.Finish = "stop"
	case answer.IncompleteDetails.Reason == "max_output_tokens":
		m.Finish = "length"
	case answer.IncompleteDetails.Reason == "content_filter":
		m.Finish = "policy"
	}
	m.Usage = wire.Usage{
		Input: answer.Usage.InputTokens, Output: answer.Usage.OutputTokens,
		CacheRead: answer.Usage.InputTokensDetails.CachedTokens, Reasoning: answer.Usage.OutputTokensDetails.ReasoningTokens,
	}
	return m, nil
}

func askMessages(g *weirtest.Gateway, model string, stream bool) (m recorded.Meaning, err error) {
	c := anthropicClient(g, 0)
	params := anthropic.MessageNewParams{Model: anthropic.Model(model), MaxTokens: 1000, Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock("Hello!"))}}
	var answer anthropic.Message
	if stream {
		s := c.Messages.NewStreaming(context.Background(), params)
		defer s.Close()
		for s.Next() {
			if err := answer.Accumulate(s.Current()); err != nil {
				return m, err
			}
		}
		if s.Err() != nil {
			return m, s.Err()
		}
	} else {
		whole, err := c.Messages.New(context.Background(), params)
		if err != nil {
			return m, err
		}
		answer = *whole
	}
	for _, b := range answer.Content {
		switch b.Type {
		case "text":
			m.Text += b.Text
		case "thinking":
			m.Thinking += b.Thinking
		case "tool_use":
			m.Calls = append(m.Calls, b.Name+" "+recorded.CanonicalJSON(string(b.Input)))
		}
	}
	cut := answer.StopReason == "max_tokens" && len(m.Calls) > 0
	m.Finish = map[anthropic.StopReason]string{"end_turn": "stop", "stop_sequence": "stop", "pause_turn": "stop", "max_tokens": "length", "model_context_window_exceeded": "length", "tool_use": "tools", "refusal": "policy"}[answer.StopReason]
	if cut { // in the middle of a call, whose input no SDK can parse
		m.Finish, m.Calls[len(m.Calls)-1] = "tools", recorded.Cut
	}
	u := answer.Usage
	m.Usage = wire.Usage{
		Input: u.InputTokens + u.CacheReadInputTokens + u.CacheCreationInputTokens, Output: u.OutputTokens,
		CacheRead: u.CacheReadInputTokens, Reasoning: u.OutputTokensDetails.ThinkingTokens,
	}
	return m, nil
}

func askGemini(g *weirtest.Gateway, model string, stream bool) (m recorded.Meaning, err error) {
	ctx := context.Background()
	c, err := genai.NewClient(ctx, &genai.ClientConfig{APIKey: "unused", HTTPClient: http.DefaultClient, HTTPOptions: genai.HTTPOptions{BaseURL: g.URL}})
	if err != nil {
		return m, err
	}
	var chunks []*genai.GenerateContentResponse
	if stream {
		for chunk, err := range c.Models.GenerateContentStream(ctx, model, genai.Text("Hello!"), nil) {
			if err != nil {
				return m, err
			}
			chunks = append(chunks, chunk)
		}
	} else {
		whole, err := c.Models.GenerateContent(ctx, model, genai.Text("Hello!"), nil)
		if err != nil {
			return m, err
		}
		chunks = append(chunks, whole)
	}
	for _, chunk := range chunks {
		if u := chunk.UsageMetadata; u != nil {
			m.Usage = wire.Usage{
				Input: int64(u.PromptTokenCount + u.ToolUsePromptTokenCount), Output: int64(u.CandidatesTokenCount + u.ThoughtsTokenCount),
				CacheRead: int64(u.CachedContentTokenCount), Reasoning: int64(u.ThoughtsTokenCount),
			}
		}
		for _, candidate := range chunk.Candidates {
			if candidate.Index == 0 {
				readCandidate(candidate, &m)
			}
		}
		if chunk.PromptFeedback != nil && chunk.PromptFeedback.BlockReason != "" {
			m.Finish = "policy"
		}
	}
	if len(m.Calls) > 0 {
		m.Finish = "tools"
	}
	return m, nil
}

func readCandidate(candidate *genai.Candidate, m *recorded.Meaning) {
	if candidate.Content != nil {
		for _, part := range candidate.Content.Parts {
			switch {
			case part.FunctionCall != nil:
				args, _ := json.Marshal(part.FunctionCall.Args)
				if part.FunctionCall.Args == nil {
					args = []byte("{}")
				}
				m.Calls = append(m.Calls, part.FunctionCall.Name+" "+recorded.CanonicalJSON(string(args)))
			case part.Thought:
				m.Thinking += part.Text
			default:
				m.Text += part.Text
			}
		}
	}
	switch candidate.FinishReason {
	case "":
	case genai.FinishReasonStop, genai.FinishReasonMalformedFunctionCall, genai.FinishReasonOther:
		m.Finish = "stop"
	case genai.FinishReasonMaxTokens:
		m.Finish = "length"
	default:
		m.Finish = "policy"
	}
}
