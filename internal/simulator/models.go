package simulator

import (
	"io"
	"net/http"
	"strings"
)

// catalogue are the names that a listing shows; others work too.
var catalogue = []string{
	"lorem", "echo", "fast", "slow", "json", "tool", "refuse", "length", "hang", "nousage", "garbage", "html",
	"err-429", "err-500", "err-529", "err-context", "cut-20", "stall-10", "err-stream-10", "text-embedding",
}

// created is the age of every model: the day of this API's first release.
const created = 1672531200

// models answers GET …/models and …/models/{id}. Every id exists, except where
// its own words say otherwise.
func (x *exchange) models(path string) (*http.Response, error) {
	var body []byte
	if id, ok := modelID(path); ok {
		x.setModel(id)
		if f := x.do.refusal(x); f != nil {
			return x.fail(f)
		}
		body = x.appendModel(nil, id)
	} else if strings.HasSuffix(path, "/models") {
		body = x.listModels()
	} else {
		return x.fail(invalidURL(x.req))
	}
	if x.dialect == openAI {
		body = indent(body)
	}
	return x.respond(http.StatusOK, x.header("application/json"), &whole{ctx: x.req.Context(), data: body, end: io.EOF}, len(body)), nil
}

func (x *exchange) listModels() []byte {
	dst := []byte(`{"object":"list","data":[`)
	if x.dialect == anthropic {
		dst = []byte(`{"data":[`)
	}
	for i, id := range catalogue {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = x.appendModel(dst, id)
	}
	if x.dialect == anthropic {
		return format(dst, `],"has_more":false,"first_id":?,"last_id":?}`, catalogue[0], catalogue[len(catalogue)-1])
	}
	return append(dst, "]}"...)
}

func (x *exchange) appendModel(dst []byte, id string) []byte {
	if x.dialect == anthropic {
		return format(dst, `{"type":"model","id":?,"display_name":?,"created_at":"2023-01-01T00:00:00Z","max_input_tokens":200000,"max_tokens":64000}`, id, "Simulator "+id)
	}
	return format(dst, `{"id":?,"object":"model","created":?,"owned_by":"simulator"}`, id, created)
}
