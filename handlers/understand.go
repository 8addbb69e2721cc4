package handlers

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/weirproxy/weir/cache/semantic"
	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/gateway/limits"
	"github.com/weirproxy/weir/gateway/prices"
	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/doors"
)

// errSlowEmbedder ends a call to the embedder that nobody waits for any longer.
var errSlowEmbedder = &gateway.Error{Kind: wire.KindTimeout, Phase: "embedder", Message: "the embedder did not answer within its deadline"}

// understand makes the vector that a query for text lacks, and names the target that did.
func (c *call) understand(query semantic.Query, text string) (_ semantic.Query, by string, err error) {
	s := c.keeping.semantic
	if s.model != nil {
		query.Vector = s.model.Embed(nil, text)
		return query, "", nil
	}
	query.Vector, by, err = c.embed(text)
	return query, by, err
}

// embed asks the configured model for a vector, one of its own targets: those of
// fallbacks could not be compared with theirs. It is a call of the gateway's own:
// what it costs is in the record, but no caller is charged for it.
func (c *call) embed(text string) (vector []float32, by string, err error) {
	s, g := c.keeping.semantic, c.proxy.gateway
	ctx, cancel := context.WithTimeoutCause(c.ctx, time.Duration(s.Deadline), errSlowEmbedder)
	defer cancel()
	trip, err := g.Itinerary(&gateway.Ask{Operation: wire.Embeddings, Model: s.Embedder, Internal: true})
	if err != nil {
		return nil, "", err
	}
	pick, err := trip.First()
	if err != nil {
		return nil, "", err
	}
	if !trip.IsOwn(pick.Route) {
		pick.Health.Abandon()
		return nil, "", errors.New("no target of the embedder is healthy")
	}
	if !pick.Health.Enter() {
		pick.Health.Abandon()
		return nil, "", errors.New("the embedder's provider has no place free")
	}
	vector, err = c.askEmbedder(ctx, pick, text)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause
	}
	pick.Health.End(verdict(err))
	return vector, pick.Route.Target.String(), err
}

func (c *call) askEmbedder(ctx context.Context, pick *gateway.Pick, text string) ([]float32, error) {
	route := pick.Route
	codec := doors.Embedder(route.Operation)
	asked := &wire.EmbedRequest{Model: route.Target.Model, Inputs: []string{text}, Single: true}
	body, err := codec.EncodeEmbedRequest(nil, asked, wire.NewLoss(&wire.Request{}))
	if err != nil {
		return nil, err
	}
	res, err := route.Provider.Do(ctx, ownCall(route, pick.Account, body))
	c.proxy.metrics.Attempt(route.Target.Provider, res, err)
	if err != nil {
		return nil, err
	}
	defer discard(res.Body)
	pick.Health.Headers(res.StatusCode, res.Header)
	content, err := unpack(res)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(content, maxError))
	switch {
	case err != nil:
		return nil, &gateway.Error{Kind: wire.KindUpstream, Phase: "embedder", Message: "the embedder broke off its answer", Cause: err}
	case res.StatusCode != http.StatusOK:
		e, _ := refused(res, data, c.proxy.gateway.Now())
		return nil, e
	}
	answer, err := codec.DecodeEmbedResponse(data)
	if err != nil || len(answer.Vectors) != 1 {
		return nil, &gateway.Error{Kind: wire.KindUpstream, Phase: "embedder", Message: "the embedder's answer is no vector", Cause: err}
	}
	if price := c.priceOf(route.Target); price != nil {
		cost := price.Cost(prices.FromUsage(wire.Usage{Input: answer.Input})).Total
		c.x.Update(func() { c.x.Overhead = limits.Add(c.x.Overhead, cost) })
	}
	return answer.Vectors[0], nil
}
