package cohere_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/cohere"
)

func TestEmbed(t *testing.T) {
	codec := cohere.EmbedCodec{}
	req := &wire.EmbedRequest{Model: "embed-v4.0", Inputs: []string{"a", "b"}, Dimensions: 256, Task: "RETRIEVAL_QUERY", User: "u", Title: "t", Extra: []wire.Extra{{Name: "x", Raw: "1"}}}
	loss := new(wire.Loss)
	body, err := codec.EncodeEmbedRequest(nil, req, loss)
	if want := `{"model":"embed-v4.0","texts":["a","b"],"input_type":"search_query","embedding_types":["float"],"output_dimension":256}`; err != nil || string(body) != want || loss.String() != "title, user, x" {
		t.Errorf("%s, lost %q, %v", body, loss, err)
	}
	back, err := codec.DecodeEmbedRequest(body)
	if diff := cmp.Diff(&wire.EmbedRequest{Model: "embed-v4.0", Inputs: []string{"a", "b"}, Dimensions: 256, Task: "search_query"}, back); diff != "" || err != nil {
		t.Error(err, diff)
	}
	res, err := codec.DecodeEmbedResponse(fixture(t, "embed-basic.json"))
	if err != nil || len(res.Vectors) != 1 || len(res.Vectors[0]) < 256 || res.Vectors[0][0] != 0.02832291 || res.Input == 0 {
		t.Errorf("%+v, %v", res, err)
	}
	again, err := codec.DecodeEmbedResponse(codec.EncodeEmbedResponse(nil, res, req))
	if diff := cmp.Diff(res, again); diff != "" || err != nil {
		t.Error(err, diff)
	}
	if _, err := codec.DecodeEmbedResponse([]byte(`{"embeddings":{"int8":[[1]]}}`)); !errors.Is(err, wire.ErrMalformed) {
		t.Errorf("error %v", err)
	}
}

func TestInputType(t *testing.T) {
	for task, want := range map[string]string{"": "search_document", "search_query": "search_query", "RETRIEVAL_DOCUMENT": "search_document", "CLUSTERING": "clustering", "classification": "classification"} {
		if got := cohere.InputType(task); got != want {
			t.Errorf("%s: %s, want %s", task, got, want)
		}
	}
}

func TestRerank(t *testing.T) {
	const request = `{"model":"rank","query":"q\n","documents":["a",{"text":"b"},{"title":"c"}],"top_n":2,"return_documents":true,"rank_fields":["x"],"max_chunks_per_doc":null}`
	loss := new(wire.Loss)
	body, err := cohere.RerankRequest(nil, []byte(request), "rerank-v3.5", loss)
	if want := `{"model":"rerank-v3.5","query":"q\n","documents":["a","b","{\"title\":\"c\"}"],"top_n":2}`; err != nil || string(body) != want || loss.String() != "rank_fields" {
		t.Errorf("%s, lost %q, %v", body, loss, err)
	}
	answer, err := cohere.RerankAnswer(nil, fixture(t, "rerank-basic.json"), []byte(request))
	if want := `{"id":"a2c52bb8-3297-4630-b008-62283af7dd4a","results":[{"index":1,"relevance_score":0.7140302,"document":{"text":"b"}},{"index":0,"relevance_score":0.51580286,"document":{"text":"a"}}],"meta":{"api_version":{"version":"1"},"billed_units":{"search_units":1}}}`; err != nil || string(answer) != want {
		t.Errorf("%s, %v", answer, err)
	}
	for param, bad := range map[string]string{"query": `{"documents":[]}`, "documents": `{"query":"q","documents":"a"}`, "documents[1]": `{"query":"q","documents":["a",1]}`} {
		var f *wire.Failure
		if _, err := cohere.RerankRequest(nil, []byte(bad), "m", loss); !errors.As(err, &f) || f.Param != param || f.Kind != wire.KindInvalid {
			t.Errorf("%s: %v", bad, err)
		}
	}
	for _, bad := range []string{`{}`, `x`, `{"results":[{"index":"a"}]}`} {
		if _, err := cohere.RerankAnswer(nil, []byte(bad), []byte(request)); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func FuzzRerank(f *testing.F) {
	f.Add([]byte(`{"query":"q","documents":["a",{"text":"b"}],"return_documents":true}`), []byte(`{"id":"x","results":[{"index":0,"relevance_score":1}],"meta":{}}`))
	f.Fuzz(func(t *testing.T, request, answer []byte) {
		if out, err := cohere.RerankRequest(nil, request, "m", new(wire.Loss)); err == nil && !json.Valid(out) {
			t.Errorf("no JSON: %s", out)
		}
		if out, err := cohere.RerankAnswer(nil, answer, request); err == nil && !json.Valid(out) {
			t.Errorf("no JSON: %s", out)
		}
		_, _ = cohere.EmbedCodec{}.DecodeEmbedResponse(answer)
	})
}
