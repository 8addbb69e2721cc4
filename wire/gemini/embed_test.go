package gemini_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/gemini"
)

var (
	batch  = gemini.EmbedCodec{Op: wire.GeminiBatchEmbed}
	single = gemini.EmbedCodec{Op: wire.GeminiEmbed}
)

func TestEmbedRequests(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		codec      gemini.EmbedCodec
		want       wire.EmbedRequest
		again      string
	}{
		{
			"a batch", `{"requests":[{"model":"models/e","content":{"parts":[{"text":"a"}]},"task_type":"RETRIEVAL_QUERY","outputDimensionality":8},{"model":"models/e","content":{"parts":[{"text":"b"},{"text":"c"}]},"taskType":"RETRIEVAL_QUERY","outputDimensionality":8}]}`,
			batch,
			wire.EmbedRequest{Model: "e", Inputs: []string{"a", "b\nc"}, Task: "RETRIEVAL_QUERY", Dimensions: 8},
			`{"requests":[{"model":"models/e","content":{"parts":[{"text":"a"}]},"taskType":"RETRIEVAL_QUERY","outputDimensionality":8},{"model":"models/e","content":{"parts":[{"text":"b\nc"}]},"taskType":"RETRIEVAL_QUERY","outputDimensionality":8}]}`,
		},
		{
			"one", `{"content":{"parts":[{"text":"a"}]},"title":"t"}`, single,
			wire.EmbedRequest{Single: true, Inputs: []string{"a"}, Title: "t"},
			`{"content":{"parts":[{"text":"a"}]},"title":"t"}`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.codec.DecodeEmbedRequest([]byte(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&tt.want, got); diff != "" {
				t.Error(diff)
			}
			again, err := tt.codec.EncodeEmbedRequest(nil, got, wire.NewLoss(&wire.Request{}))
			if err != nil || string(again) != tt.again {
				t.Errorf("%s: %v", again, err)
			}
		})
	}
}

func TestEmbedRefuses(t *testing.T) {
	for name, body := range map[string]string{
		"nothing":       `{"requests":[]}`,
		"an image":      `{"requests":[{"content":{"parts":[{"inlineData":{"mimeType":"image/png","data":"AA=="}}]}}]}`,
		"no content":    `{"requests":[{}]}`,
		"unequal tasks": `{"requests":[{"content":{"parts":[{"text":"a"}]}},{"content":{"parts":[{"text":"a"}]},"taskType":"X"}]}`,
		"no object":     `3`,
	} {
		var f *wire.Failure
		if _, err := batch.DecodeEmbedRequest([]byte(body)); !errors.As(err, &f) || f.Kind != wire.KindInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := single.EncodeEmbedRequest(nil, &wire.EmbedRequest{Inputs: []string{"a", "b"}}, wire.NewLoss(&wire.Request{})); err == nil {
		t.Error("two inputs in one")
	}
}

func TestEmbedOfOthers(t *testing.T) {
	loss := wire.NewLoss(&wire.Request{})
	got, err := batch.EncodeEmbedRequest(nil, &wire.EmbedRequest{Model: "e", Inputs: []string{"a"}, Task: "search_document", User: "u"}, loss)
	if want := `{"requests":[{"model":"models/e","content":{"parts":[{"text":"a"}]},"taskType":"RETRIEVAL_DOCUMENT"}]}`; err != nil || string(got) != want || loss.String() != "user" {
		t.Errorf("%s lost %q: %v", got, loss, err)
	}
}

func TestEmbedAnswers(t *testing.T) {
	for _, tt := range []struct {
		codec gemini.EmbedCodec
		res   wire.EmbedResponse
		want  string
	}{
		{batch, wire.EmbedResponse{Vectors: [][]float32{{0.5, -1e-7}, {}}, Input: 3}, `{"embeddings":[{"values":[0.5,-1e-07]},{"values":[]}],"usageMetadata":{"promptTokenCount":3}}`},
		{single, wire.EmbedResponse{Vectors: [][]float32{{0.1}}}, `{"embedding":{"values":[0.1]}}`},
	} {
		got := tt.codec.EncodeEmbedResponse(nil, &tt.res, nil)
		if string(got) != tt.want {
			t.Errorf("%s", got)
		}
		again, err := tt.codec.DecodeEmbedResponse(got)
		if diff := cmp.Diff(&tt.res, again); err != nil || diff != "" {
			t.Error(err, diff)
		}
	}
	for _, bad := range []string{`{}`, `x`, `{"embeddings":[{"values":["a"]}]}`, `{"embedding":{}}`} {
		if _, err := batch.DecodeEmbedResponse([]byte(bad)); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestRecordedEmbeddings(t *testing.T) {
	for _, r := range recordings(t, "embeddings") {
		if r.status != 200 || r.name == "gemini/embeddings-image-in" {
			continue
		}
		req, err := batch.DecodeEmbedRequest(r.request)
		if err != nil || len(req.Inputs) == 0 || req.Model != r.model() {
			t.Errorf("%s: %+v, %v", r.name, req, err)
		}
		res, err := batch.DecodeEmbedResponse(r.response)
		if err != nil || len(res.Vectors) != len(req.Inputs) || len(res.Vectors[0]) != int(req.Dimensions) || res.Input == 0 {
			t.Errorf("%s: %v", r.name, err)
		}
	}
}
