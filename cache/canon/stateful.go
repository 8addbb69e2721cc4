package canon

import (
	"strings"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

// searches are members that let the vendor, or a router before it, look
// something up that will be another thing tomorrow, or that put the answer off.
func searches(name string) bool {
	switch name {
	case "web_search_options", // OpenAI, Perplexity
		"search_parameters", "deferred", // xAI
		"search_mode", "search_domain_filter", "search_recency_filter", // Perplexity
		"data_sources",    // Azure
		"enable_search",   // Alibaba
		"plugins",         // OpenRouter
		"mcp_servers",     // Anthropic
		"compound_custom", // Groq
		"documents_from",  // Together
		"background", "store":
		return true
	}
	return false
}

// refers reports whether a member names what lies at the vendor's.
func refers(name string) bool {
	switch name {
	case "file_id", "file_ids", "fileId", "container", "container_id", "vector_store_ids", "thread", "thread_id",
		"conversation", "previous_response_id", "cached_content", "cachedContent", "server_url", "connector_id":
		return true
	}
	return false
}

// seek looks for what depends on the vendor's own state in a member without a
// canonical place, known by its path.
func (w *writer) seek(path, raw string) {
	if w.facts.Stateful != "" {
		return
	}
	data := []byte(raw)
	v, err := wire.ParseAnswer(data)
	if err != nil || !says(data, v) {
		return
	}
	name := path[strings.LastIndexByte(path, '.')+1:]
	if searches(name) || refers(name) || reference(data, v) {
		w.stateful(strings.TrimPrefix(path, "."))
	}
}

// says is false for values by which members are switched off.
func says(data []byte, v jsonscan.Value) bool {
	switch v.Kind {
	case jsonscan.Null:
		return false
	case jsonscan.Bool:
		b, _ := v.Bool(data)
		return b
	}
	return true
}

// reference reports whether a member that refers stands anywhere in v.
func reference(data []byte, v jsonscan.Value) bool {
	return anywhere(data, v, func(name string, val jsonscan.Value) bool { return refers(name) && says(data, val) })
}

// anywhere reports whether a member for which is is true stands in v, however
// deep.
func anywhere(data []byte, v jsonscan.Value, is func(name string, val jsonscan.Value) bool) bool {
	for e := range jsonscan.Elements(data, v) {
		if anywhere(data, e, is) {
			return true
		}
	}
	for key, val := range jsonscan.Members(data, v) {
		if name, _ := key.Text(data, nil); is(string(name), val) || anywhere(data, val, is) {
			return true
		}
	}
	return false
}
