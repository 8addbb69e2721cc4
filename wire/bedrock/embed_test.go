package bedrock_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/bedrock"
)

func TestEmbedRequest(t *testing.T) {
	for _, tt := range []struct {
		name string
		req  wire.EmbedRequest
		want string
		lost string
	}{
		{"Titan v2", wire.EmbedRequest{Model: "amazon.titan-embed-text-v2:0", Inputs: []string{"a"}, Dimensions: 256, User: "u", Task: "x"}, `{"inputText":"a","dimensions":256}`, "user, task"},
		{"Titan v1", wire.EmbedRequest{Model: "amazon.titan-embed-text-v1", Inputs: []string{"a"}, Dimensions: 256}, `{"inputText":"a"}`, "dimensions"},
		{"Titan, several for calls of their own", wire.EmbedRequest{Model: "amazon.titan-embed-text-v2:0", Inputs: []string{"a", "b"}}, `{"inputText":["a","b"]}`, ""},
		{"Cohere v3", wire.EmbedRequest{Model: "cohere.embed-english-v3", Inputs: []string{"a", "b"}, Dimensions: 256, Task: "RETRIEVAL_QUERY"}, `{"texts":["a","b"],"input_type":"search_query"}`, "dimensions"},
		{"Cohere v4", wire.EmbedRequest{Model: "us.cohere.embed-v4:0", Inputs: []string{"a", "b"}, Dimensions: 256}, `{"texts":["a","b"],"input_type":"search_document","embedding_types":["float"],"output_dimension":256}`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			loss := new(wire.Loss)
			got, err := bedrock.EmbedCodec{}.EncodeEmbedRequest(nil, &tt.req, loss)
			if err != nil || string(got) != tt.want || loss.String() != tt.lost {
				t.Errorf("%s, want %s; lost %q; %v", got, tt.want, loss, err)
			}
			back, err := bedrock.EmbedCodec{}.DecodeEmbedRequest(got)
			if err != nil || !cmp.Equal(back.Inputs, tt.req.Inputs) {
				t.Errorf("read back as %+v, %v", back, err)
			}
		})
	}
}

func TestEmbedResponse(t *testing.T) {
	for _, tt := range []struct {
		name, body, model string
		want              wire.EmbedResponse
	}{
		{"Titan, from several calls", `{"embeddings":[[0.5],[1]],"inputTextTokenCount":3}`, "", wire.EmbedResponse{Vectors: [][]float32{{0.5}, {1}}, Input: 3}},
		{"Titan", `{"embedding":[0.5,-1e-3,2],"inputTextTokenCount":3,"embeddingsByType":{"float":[]}}`, "amazon.titan-embed-text-v2:0", wire.EmbedResponse{Vectors: [][]float32{{0.5, -1e-3, 2}}, Input: 3}},
		{"Cohere floats", `{"embeddings":[[1],[2]],"id":"x","response_type":"embeddings_floats","texts":["a","b"]}`, "cohere.embed-english-v3", wire.EmbedResponse{Vectors: [][]float32{{1}, {2}}}},
		{"Cohere by type", `{"embeddings":{"float":[[1],[2]]},"response_type":"embeddings_by_type"}`, "cohere.embed-v4:0", wire.EmbedResponse{Vectors: [][]float32{{1}, {2}}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := bedrock.EmbedCodec{}.DecodeEmbedResponse([]byte(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&tt.want, got); diff != "" {
				t.Error(diff)
			}
			again, err := bedrock.EmbedCodec{}.DecodeEmbedResponse(bedrock.EmbedCodec{}.EncodeEmbedResponse(nil, got, &wire.EmbedRequest{Model: tt.model}))
			if diff := cmp.Diff(got, again); diff != "" || err != nil {
				t.Error(err, diff)
			}
		})
	}
	for _, body := range []string{`[]`, `{}`, `{"embedding":["a"]}`, `{"embedding":[1e99]}`, `{"embeddings":{"int8":[[1]]}}`, `{"embeddings":[1]}`} {
		if _, err := (bedrock.EmbedCodec{}).DecodeEmbedResponse([]byte(body)); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: %v", body, err)
		}
	}
}
