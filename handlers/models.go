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
	if len(g.Models()) == 0 {
		if names := c.speakers(); len(names) == 1 && len(g.ProviderNames()) == 1 {
			return c.passModels(g.Provider(names[0]), wire.ListModels.Path)
		}
	}
	return c.renderModels(c.names())
}

// speakers are the providers that may be asked for a list in the dialect of
// the request.
func (c *call) speakers() []string {
	want := wire.Chat
	if c.route.Dialect == wire.Anthropic {
		want = wire.Messages
	}
	var names []string
	for _, name := range c.proxy.gateway.ProviderNames() {
		p := c.proxy.gateway.Provider(name)
		if p.Speaks(want) && p.Speaks(wire.ListModels) {
			names = append(names, name)
		}
	}
	return names
}

// serveModel answers for one name: a configured one from the configuration,
// another one by its vendor's answer.
func (c *call) serveModel(id string) error {
	g := c.proxy.gateway
	op := wire.Chat
	if c.route.Dialect == wire.Anthropic {
		op = wire.Messages
	}
	route, err := g.Resolve(op, id)
	if err != nil {
		if route, err = g.Resolve(wire.ListModels, id); err != nil {
			return c.render(gateway.AsError(err))
		}
	}
	if route.Alias != "" || !route.Provider.Speaks(wire.ListModels) {
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
	c.upstream = provider
	ctx, cancel := context.WithCancel(c.r.Context())
	defer cancel()
	res, err := c.fetchModels(ctx, provider, path)
	if err != nil {
		return c.render(gateway.AsError(err))
	}
	defer discard(res.Body)
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return c.render(&gateway.Error{Kind: wire.KindUpstream, Message: "the upstream broke off its answer", Cause: err})
	}
	c.copyHeader(res.Header)
	if res.StatusCode >= http.StatusBadRequest {
		c.copyRetry(res.Header)
		body = c.redact(body)
	}
	setHeader(c.out.w.Header(), "Content-Length", strconv.Itoa(len(body)))
	_ = c.out.whole(res.StatusCode, body)
	return nil
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
	add := func(name string) {
		if !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	for _, model := range g.Models() {
		if !strings.HasSuffix(model.Name, "*") {
			add(model.Name)
		}
	}
	ctx, cancel := context.WithTimeout(c.r.Context(), modelsTimeout)
	defer cancel()
	for _, list := range c.listAll(ctx) {
		for _, id := range list.ids {
			if owner, ok := g.Provider(list.provider).(gateway.Owner); ok && owner.Owns(id) {
				add(id)
			} else {
				add(list.provider + "/" + id)
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
	providers := c.speakers()
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
	}
	if res.StatusCode != http.StatusOK {
		return nil, errList
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, 4<<20)).Decode(&list); err != nil {
		return nil, errList
	}
	ids := make([]string, 0, len(list.Data))
	for _, model := range list.Data {
		ids = append(ids, model.ID)
	}
	return ids, nil
}

// openAIModel and anthropicModel are one entry of the two vendors' lists.
type openAIModel struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	OwnedBy string `json:"owned_by"`
}

type anthropicModel struct {
	Type        string `json:"type"`
	ID          string `json:"id"`
	DisplayName string `json:"display_name"`
	CreatedAt   string `json:"created_at"`
}

func (c *call) describe(id string) any {
	if c.route.Dialect == wire.Anthropic {
		return anthropicModel{"model", id, id, time.Unix(modelsCreated, 0).UTC().Format(time.RFC3339)}
	}
	return openAIModel{id, "model", modelsCreated, "weir"}
}

func (c *call) renderModels(names []string) error {
	data := make([]any, len(names))
	for i, name := range names {
		data[i] = c.describe(name)
	}
	var list any
	if c.route.Dialect == wire.Anthropic {
		page := struct {
			Data    []any   `json:"data"`
			HasMore bool    `json:"has_more"`
			FirstID *string `json:"first_id"`
			LastID  *string `json:"last_id"`
		}{Data: data}
		if len(names) > 0 {
			page.FirstID, page.LastID = &names[0], &names[len(names)-1]
		}
		list = page
	} else {
		list = struct {
			Object string `json:"object"`
			Data   []any  `json:"data"`
		}{"list", data}
	}
	body, err := json.Marshal(list)
	if err != nil {
		return c.render(gateway.AsError(err))
	}
	return c.renderJSON(body)
}

func (c *call) renderJSON(body []byte) error {
	h := c.out.w.Header()
	setHeader(h, "Content-Type", "application/json")
	setHeader(h, "Content-Length", strconv.Itoa(len(body)))
	_ = c.out.whole(http.StatusOK, body)
	return nil
}
