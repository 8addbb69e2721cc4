package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/wire"
)

// modelsTimeout bounds what a list waits for upstreams: agents give up on
// theirs after three seconds.
const modelsTimeout = 2500 * time.Millisecond

// modelsCreated stands where a vendor's release date would: names that are
// configured have none.
const modelsCreated = 0

// serveModels answers GET /models and GET /models/{id}. Where the gateway is
// one account and no more, the vendor's own answer passes; else the answer is
// made of the configured names.
func (c *call) serveModels() error {
	c.identify()
	if stranger := c.stranger(); stranger != nil {
		return c.render(stranger)
	}
	g := c.proxy.gateway
	if c.route.Model != "" {
		return c.serveModel(c.route.Model)
	}
	everything := c.caller.key == nil || len(c.caller.key.Models) == 0
	if names := c.listers(); everything && len(g.Models()) == 0 && len(names) == 1 && len(g.ProviderNames()) == 1 && c.native(g.Provider(names[0])) {
		return c.passModels(g.Provider(names[0]), wire.ListModels.Path)
	}
	return c.renderModels(c.names())
}

// listers are the providers that can be asked for a list of models.
func (c *call) listers() []string {
	var names []string
	for _, name := range c.proxy.gateway.ProviderNames() {
		if c.proxy.gateway.Provider(name).Speaks(wire.ListModels) {
			names = append(names, name)
		}
	}
	return names
}

// native reports whether provider's lists have the shape that the client's
// dialect wants.
func (c *call) native(provider gateway.Provider) bool {
	return provider.Speaks(generation(c.route.Dialect))
}

// generation is the operation that makes text in a dialect.
func generation(dialect wire.Dialect) *wire.Operation {
	switch dialect {
	case wire.Anthropic:
		return wire.Messages
	case wire.Gemini:
		return wire.GeminiGenerate
	default:
		return wire.Chat
	}
}

// serveModel answers for one name: a configured one from the configuration,
// another one by its vendor's answer.
func (c *call) serveModel(id string) error {
	if err := wire.CheckModel(id); err != nil {
		return c.render(gateway.AsError(err))
	}
	g := c.proxy.gateway
	route, err := g.Resolve(generation(c.route.Dialect), id)
	if err != nil {
		if route, err = g.Resolve(wire.ListModels, id); err != nil {
			return c.render(gateway.AsError(c.unknown(err, id)))
		}
	}
	if c.caller.key != nil && !c.caller.key.Allows(id, route.Target.String()) {
		return c.render(&gateway.Error{Kind: wire.KindModelNotFound, Param: "model", Message: "the model '" + id + "' does not exist or is not yours to use"})
	}
	if route.Alias != "" || !route.Provider.Speaks(wire.ListModels) || !c.native(route.Provider) {
		body, err := json.Marshal(c.describe(id))
		if err != nil {
			return c.render(gateway.AsError(err))
		}
		return c.renderJSON(body)
	}
	return c.passModels(route.Provider, wire.ListModels.Path+"/"+route.Target.Model)
}

// passModels passes a vendor's answer on as it came.
func (c *call) passModels(provider gateway.Provider, path string) error {
	limit := gateway.Timeouts{}.Over(c.proxy.timeouts).WithDefaults()
	ctx, cancel := context.WithTimeoutCause(c.r.Context(), min(positive(limit.ResponseHeader), positive(limit.Total)), gateway.ErrHeaders)
	defer cancel()
	res, body, err := c.readModels(ctx, provider, path)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return c.render(gateway.AsError(err))
	}
	if res.StatusCode < http.StatusOK || res.StatusCode > maxStatus {
		return c.render(&gateway.Error{Kind: wire.KindUpstream, Message: "the upstream answered with the unexpected status " + strconv.Itoa(res.StatusCode)})
	}
	c.copyHeader(res.Header, upstreamID(provider, res.Header))
	if res.StatusCode >= http.StatusBadRequest {
		c.copyRetry(res.Header)
		body = redact(provider, body)
	}
	setHeader(c.out.w.Header(), "Content-Length", strconv.Itoa(len(body)))
	_ = c.out.whole(res.StatusCode, body)
	return nil
}

// readModels reads a vendor's whole answer.
func (c *call) readModels(ctx context.Context, provider gateway.Provider, path string) (*http.Response, []byte, error) {
	res, err := c.fetchModels(ctx, provider, path)
	if err != nil {
		return nil, nil, err
	}
	defer discard(res.Body)
	plain, err := unpack(res)
	if err != nil {
		return nil, nil, err
	}
	body, err := io.ReadAll(io.LimitReader(plain, maxAnswer))
	if err != nil {
		return nil, nil, &gateway.Error{Kind: wire.KindUpstream, Message: "the upstream broke off its answer", Cause: err}
	}
	return res, body, nil
}

func (c *call) fetchModels(ctx context.Context, provider gateway.Provider, path string) (*http.Response, error) {
	return provider.Do(ctx, &gateway.Call{Operation: wire.ListModels, Path: path, Method: http.MethodGet, Header: c.r.Header, RequestID: c.id})
}

// names are the models that a client may name: the configured ones, and what
// providers list, as `provider/model` or, where the name is the vendor's own,
// as it is.
func (c *call) names() []string {
	g := c.proxy.gateway
	var names []string
	seen := make(map[string]bool)
	add := func(name, target string) {
		if !seen[name] && (c.caller.key == nil || c.caller.key.Allows(name, target)) {
			seen[name] = true
			names = append(names, name)
		}
	}
	for _, model := range g.Models() {
		if !strings.HasSuffix(model.Name, "*") {
			add(model.Name, model.Targets[0].String())
		}
	}
	ctx, cancel := context.WithTimeout(c.r.Context(), modelsTimeout)
	defer cancel()
	for _, list := range c.listAll(ctx) {
		for _, id := range list.ids {
			if owner, ok := g.Provider(list.provider).(gateway.Owner); ok && owner.Owns(id) {
				add(id, list.provider+"/"+id)
			} else {
				add(list.provider+"/"+id, list.provider+"/"+id)
			}
		}
	}
	return names
}

type modelList struct {
	provider string
	ids      []string
}

// listAll asks all providers at once; one that does not answer in time is
// left out.
func (c *call) listAll(ctx context.Context) []modelList {
	providers := c.listers()
	lists := make([]modelList, len(providers))
	done := make(chan int, len(providers))
	for i, name := range providers {
		go func() {
			ids, err := c.list(ctx, c.proxy.gateway.Provider(name))
			if err == nil {
				lists[i] = modelList{name, ids}
			}
			done <- i
		}()
	}
	for range providers {
		<-done
	}
	return lists
}

var errList = errors.New("listing models: unexpected answer")

func (c *call) list(ctx context.Context, provider gateway.Provider) ([]string, error) {
	res, err := c.fetchModels(ctx, provider, wire.ListModels.Path)
	if err != nil {
		return nil, err
	}
	defer discard(res.Body)
	var list struct {
		Data []struct {
			ID string `json:"id"`
		} `json:"data"`
		Models []struct { // Gemini's
			Name string `json:"name"`
		} `json:"models"`
	}
	if res.StatusCode != http.StatusOK {
		return nil, errList
	}
	plain, err := unpack(res)
	if err != nil {
		return nil, err
	}
	if err := json.NewDecoder(io.LimitReader(plain, 4<<20)).Decode(&list); err != nil {
		return nil, errList
	}
	ids := make([]string, 0, len(list.Data))
	for _, model := range list.Data {
		ids = append(ids, model.ID)
	}
	for _, model := range list.Models {
		ids = append(ids, strings.TrimPrefix(model.Name, "models/"))
	}
	return ids, nil
}

func (c *call) renderJSON(body []byte) error {
	h := c.out.w.Header()
	setHeader(h, "Content-Type", "application/json")
	setHeader(h, "Content-Length", strconv.Itoa(len(body)))
	_ = c.out.whole(http.StatusOK, body)
	return nil
}
