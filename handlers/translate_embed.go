package handlers

import (
	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/cohere"
	"github.com/weirproxy/weir/wire/doors"
)

// embedding translates a request for embeddings.
type embedding struct {
	client   wire.EmbedCodec
	upstream wire.EmbedCodec
	asked    *wire.EmbedRequest
}

func newEmbedding(op *wire.Operation, route *gateway.Route, body []byte) (*embedding, error) {
	t := &embedding{client: doors.Embedder(op), upstream: doors.Embedder(route.Operation)}
	var err error
	if t.asked, err = t.client.DecodeEmbedRequest(body); err != nil {
		return nil, err
	}
	t.asked.Model = route.Target.Model
	return t, nil
}

func (t *embedding) request(dst []byte, loss *wire.Loss) ([]byte, error) {
	return t.upstream.EncodeEmbedRequest(dst, t.asked, loss)
}

func (t *embedding) answer(dst, body []byte) ([]byte, error) {
	res, err := t.upstream.DecodeEmbedResponse(body)
	if err != nil {
		return nil, err
	}
	if res.Model == "" {
		res.Model = t.asked.Model
	}
	return t.client.EncodeEmbedResponse(dst, res, t.asked), nil
}

// reranking translates a request to rank documents.
type reranking struct {
	model string
	body  []byte
}

func (t *reranking) request(dst []byte, loss *wire.Loss) ([]byte, error) {
	return cohere.RerankRequest(dst, t.body, t.model, loss)
}

func (t *reranking) answer(dst, body []byte) ([]byte, error) {
	return cohere.RerankAnswer(dst, body, t.body)
}
