package handlers

import (
	"encoding/json"
	"time"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/wire"
)

// openAIModel, anthropicModel and geminiModel are one entry of the vendors'
// lists.
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

type geminiModel struct {
	Name        string   `json:"name"`
	DisplayName string   `json:"displayName"`
	Methods     []string `json:"supportedGenerationMethods"`
}

func (c *call) describe(id string) any {
	switch c.route.Dialect {
	case wire.Anthropic:
		return anthropicModel{"model", id, id, time.Unix(modelsCreated, 0).UTC().Format(time.RFC3339)}
	case wire.Gemini:
		return geminiModel{"models/" + id, id, []string{"generateContent", "streamGenerateContent", "countTokens"}}
	default:
		return openAIModel{id, "model", modelsCreated, "weir"}
	}
}

func (c *call) renderModels(names []string) error {
	data := make([]any, len(names))
	for i, name := range names {
		data[i] = c.describe(name)
	}
	var list any
	switch c.route.Dialect {
	case wire.Anthropic:
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
	case wire.Gemini:
		list = struct {
			Models []any `json:"models"`
		}{data}
	default:
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
