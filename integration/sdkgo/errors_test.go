package sdkgo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"

	anthropic "github.com/anthropics/anthropic-sdk-go"
	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/responses"

	"github.com/weirproxy/weir/integration/weirtest"
)

const (
	rateLimited = `{"error":{"message":"slow down","type":"rate_limit_error","param":null,"code":"rate_limit_exceeded"}}`
	refused     = `{"error":{"message":"no","type":"invalid_request_error","param":"temperature","code":"invalid_value"}}`
	overloaded  = `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`

	chunk   = "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"some-model\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"Hello\"},\"finish_reason\":null}]}\n\n"
	opening = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"some-model\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":5,\"output_tokens\":1}}}\n\n" +
		"event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n" +
		"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hello\"}}\n\n"
	delta = "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"sequence_number\":1,\"item_id\":\"m\",\"output_index\":0,\"content_index\":0,\"delta\":\"Hello\"}\n\n"
)

// refuse answers with an error, and with headers given as name, value, ….
func refuse(status int, body string, headers ...string) func(http.ResponseWriter, *weirtest.Request) {
	return func(w http.ResponseWriter, _ *weirtest.Request) {
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// stream answers with the beginning of a stream and then does what end does.
func stream(beginning string, end func(http.ResponseWriter, *weirtest.Request)) func(http.ResponseWriter, *weirtest.Request) {
	return func(w http.ResponseWriter, r *weirtest.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, beginning)
		weirtest.Flush(w)
		end(w, r)
	}
}

func ends(http.ResponseWriter, *weirtest.Request) {}

func resets(w http.ResponseWriter, _ *weirtest.Request) { weirtest.Reset(w) }

func says(text string) func(http.ResponseWriter, *weirtest.Request) {
	return func(w http.ResponseWriter, _ *weirtest.Request) { _, _ = io.WriteString(w, text) }
}

func TestOpenAIRetries(t *testing.T) {
	s := script(t, "openai")
	client := openAI(s.Gateway, 2)
	ask := func() (err error) {
		_, err = client.Chat.Completions.New(t.Context(), openai.ChatCompletionNewParams{Model: "m", Messages: question})
		return err
	}
	for _, tt := range []struct {
		name   string
		answer func(http.ResponseWriter, *weirtest.Request)
		status int
		code   string
		calls  int
	}{
		{"429 with retry-after-ms", refuse(429, rateLimited, "Retry-After-Ms", "1"), 429, "rate_limit_exceeded", 3},
		{"429 with retry-after", refuse(429, rateLimited, "Retry-After", "0"), 429, "rate_limit_exceeded", 3},
		{"429 that forbids it", refuse(429, rateLimited, "X-Should-Retry", "false"), 429, "rate_limit_exceeded", 1},
		{"500", refuse(500, `{"error":{"message":"oops","type":"server_error","param":null,"code":"server_error"}}`, "Retry-After-Ms", "1"), 500, "server_error", 3},
		{"400", refuse(400, refused), 400, "invalid_value", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s.answers(tt.answer)
			var err error
			if got := s.calls(func() { err = ask() }); got != tt.calls {
				t.Errorf("the upstream was called %d times, want %d", got, tt.calls)
			}
			var api *openai.Error
			if !errors.As(err, &api) || api.StatusCode != tt.status || api.Code != tt.code {
				t.Errorf("error %v", err)
			}
		})
	}
	t.Run("unknown model", func(t *testing.T) {
		var err error
		got := s.calls(func() {
			_, err = client.Chat.Completions.New(t.Context(), openai.ChatCompletionNewParams{Model: "nobody", Messages: question})
		})
		var api *openai.Error
		if got != 0 || !errors.As(err, &api) || api.StatusCode != 404 || api.Code != "model_not_found" || api.Param != "model" {
			t.Errorf("%d calls, error %v", got, err)
		}
	})
}

func TestAnthropicRetries(t *testing.T) {
	s := script(t, "anthropic")
	client := anthropicClient(s.Gateway, 2)
	for _, tt := range []struct {
		name   string
		model  string
		answer func(http.ResponseWriter, *weirtest.Request)
		status int
		calls  int
	}{
		{"529", "m", refuse(529, overloaded, "Retry-After-Ms", "1", "X-Should-Retry", "true"), 529, 3},
		{"429", "m", refuse(429, `{"type":"error","error":{"type":"rate_limit_error","message":"slow down"}}`, "Retry-After", "0"), 429, 3},
		{"400", "m", refuse(400, `{"type":"error","error":{"type":"invalid_request_error","message":"no"}}`), 400, 1},
		{"unknown model", "nobody", refuse(500, overloaded), 404, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s.answers(tt.answer)
			var err error
			got := s.calls(func() { _, err = client.Messages.New(t.Context(), prompt(tt.model)) })
			var api *anthropic.Error
			if got != tt.calls || !errors.As(err, &api) || api.StatusCode != tt.status || api.RequestID == "" {
				t.Errorf("%d calls, want %d; error %v", got, tt.calls, err)
			}
		})
	}
}

// TestBrokenStreams is the promise that a truncated stream never looks
// complete, as the SDKs see it.
func TestBrokenStreams(t *testing.T) {
	t.Run("openai", func(t *testing.T) {
		s := script(t, "openai")
		client := openAI(s.Gateway, 0)
		chat := func() (got string, err error) {
			stream := client.Chat.Completions.NewStreaming(t.Context(), openai.ChatCompletionNewParams{Model: "m", Messages: question})
			defer stream.Close()
			for stream.Next() {
				for _, choice := range stream.Current().Choices {
					got += choice.Delta.Content
				}
			}
			return got, stream.Err()
		}
		response := func() (got string, err error) {
			stream := client.Responses.NewStreaming(t.Context(), responses.ResponseNewParams{
				Model: "m", Input: responses.ResponseNewParamsInputUnion{OfString: openai.String("hi")},
			})
			defer stream.Close()
			for stream.Next() {
				switch event := stream.Current().AsAny().(type) {
				case responses.ResponseTextDeltaEvent:
					got += event.Delta
				case responses.ResponseFailedEvent:
					return got, fmt.Errorf("response failed: %s", event.Response.Error.Message)
				case responses.ResponseCompletedEvent:
					return got, nil
				}
			}
			return got, stream.Err()
		}
		for name, answer := range map[string]func(http.ResponseWriter, *weirtest.Request){
			"ended":       stream(chunk, ends),
			"reset":       stream(chunk, resets),
			"error event": stream(chunk, says("data: {\"error\":{\"message\":\"oops\",\"type\":\"server_error\",\"param\":null,\"code\":null}}\n\n")),
			"garbage":     stream(chunk, says("data: {\"id\":\n\n")),
		} {
			t.Run(name, func(t *testing.T) {
				s.answers(answer)
				if got, err := chat(); got != "Hello" || err == nil {
					t.Errorf("text %q, error %v", got, err)
				}
			})
		}
		for name, answer := range map[string]func(http.ResponseWriter, *weirtest.Request){
			"responses ended":       stream(delta, ends),
			"responses reset":       stream(delta, resets),
			"responses error event": stream(delta, says("event: error\ndata: {\"type\":\"error\",\"sequence_number\":2,\"code\":\"server_error\",\"message\":\"oops\",\"param\":null}\n\n")),
		} {
			t.Run(name, func(t *testing.T) {
				s.answers(answer)
				if got, err := response(); got != "Hello" || err == nil {
					t.Errorf("text %q, error %v", got, err)
				}
			})
		}
	})
	t.Run("anthropic", func(t *testing.T) {
		s := script(t, "anthropic")
		client := anthropicClient(s.Gateway, 0)
		for name, answer := range map[string]func(http.ResponseWriter, *weirtest.Request){
			"ended":       stream(opening, ends),
			"reset":       stream(opening, resets),
			"error event": stream(opening, says("event: error\ndata: "+overloaded+"\n\n")),
		} {
			t.Run(name, func(t *testing.T) {
				s.answers(answer)
				got, err := accumulate(t, client, prompt("m"))
				if len(got.Content) != 1 || got.Content[0].Text != "Hello" || err == nil {
					t.Errorf("message %+v, error %v", got.Content, err)
				}
			})
		}
	})
}

// TestClientLeaves checks that an upstream learns that nobody listens.
func TestClientLeaves(t *testing.T) {
	s := script(t, "openai")
	client := openAI(s.Gateway, 0)
	called := make(chan (<-chan struct{}), 1)
	waits := func(w http.ResponseWriter, r *weirtest.Request) {
		called <- r.Gone
		<-r.Gone
	}
	t.Run("in a stream", func(t *testing.T) {
		s.answers(stream(chunk, waits))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		stream := client.Chat.Completions.NewStreaming(ctx, openai.ChatCompletionNewParams{Model: "m", Messages: question})
		defer stream.Close()
		if !stream.Next() {
			t.Fatal(stream.Err())
		}
		gone := <-called
		cancel()
		if !weirtest.Within(gone) {
			t.Error("the upstream was not told")
		}
	})
	t.Run("before the answer", func(t *testing.T) {
		s.answers(waits)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		failed := make(chan error, 1)
		go func() {
			_, err := client.Chat.Completions.New(ctx, openai.ChatCompletionNewParams{Model: "m", Messages: question})
			failed <- err
		}()
		gone := <-called
		cancel()
		if !weirtest.Within(gone) {
			t.Error("the upstream was not told")
		}
		if err := <-failed; !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	})
	for _, record := range s.Records.Wait(t, 2) {
		if !record.ClientGone {
			t.Errorf("record %+v", record)
		}
	}
}
