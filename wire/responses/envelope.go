package responses

import (
	"strconv"
	"strings"

	"github.com/weirproxy/weir/internal/jsonw"
	"github.com/weirproxy/weir/wire"
)

// envelope is what all response objects of one answer have in common.
type envelope struct {
	id      string
	model   string
	created int64
	now     int64  // of the answer's end, as near as the encoder knows
	tail    []byte // members that repeat the request, with a comma before
	tier    string // that was asked for
}

func newEnvelope(reply *wire.Reply, id, model string, created int64) *envelope {
	e := &envelope{id: id, model: model, created: created}
	if e.id == "" {
		e.id = "resp_" + reply.ID
	}
	if e.model == "" {
		e.model = reply.Model
	}
	if e.created == 0 {
		e.created = reply.Created
	}
	e.now = max(e.created, reply.Created)
	e.tail = echo(reply.Request)
	if reply.Request != nil {
		e.tier = reply.Request.ServiceTier
	}
	return e
}

// defaults are what OpenAI answers for members that the request left out.
// Weir keeps no responses, so nothing is stored unless the client said so.
var defaults = []struct{ name, raw string }{
	{"background", "false"},
	{"instructions", "null"},
	{"max_output_tokens", "null"},
	{"max_tool_calls", "null"},
	{"metadata", "{}"},
	{"parallel_tool_calls", "true"},
	{"previous_response_id", "null"},
	{"prompt", ""},
	{"conversation", ""},
	{"prompt_cache_key", "null"},
	{"prompt_cache_options", ""},
	{"prompt_cache_retention", ""},
	{"safety_identifier", "null"},
	{"store", "false"},
	{"temperature", "1.0"},
	{"tool_choice", `"auto"`},
	{"tools", "[]"},
	{"top_logprobs", "0"},
	{"top_p", "1.0"},
	{"truncation", `"disabled"`},
	{"user", "null"},
}

// echo writes the members that repeat the request: strict clients read them.
func echo(req *wire.Request) []byte {
	if req == nil {
		req = &wire.Request{}
	}
	own := make(map[string]string, len(req.Echo))
	for _, x := range req.Echo {
		own[x.Name] = x.Raw
	}
	w := jsonw.Writer{B: []byte{' '}}
	for _, m := range defaults {
		raw := own[m.name]
		if raw == "" {
			raw = m.raw
		}
		w.RawIf(m.name, raw)
	}
	w.Key("text")
	w.Object()
	format := own["text.format"]
	if format == "" {
		format = `{"type":"text"}`
	}
	w.RawMember("format", format)
	verbosity := req.Verbosity
	if verbosity == "" {
		verbosity = "medium"
	}
	w.Str("verbosity", verbosity)
	w.End()
	w.Key("reasoning")
	w.Object()
	strOrNull(&w, "effort", req.Reasoning.Effort)
	strOrNull(&w, "summary", req.Reasoning.Show)
	w.End()
	w.B[0] = ','
	return w.B
}

func strOrNull(w *jsonw.Writer, name, s string) {
	w.Key(name)
	if s == "" {
		w.Null()
		return
	}
	w.String(s)
}

// outcome is how an answer ended.
type outcome struct {
	status  string
	reason  string // of an incomplete one
	failure *wire.Failure
}

// outcomeOf is the status of an answer that ended. A model's own refusal is a
// complete answer, a filter's is not.
func outcomeOf(finish wire.Finish, native string, refused bool) outcome {
	switch {
	case finish == wire.FinishLength, finish == wire.FinishWindow:
		return outcome{status: "incomplete", reason: "max_output_tokens"}
	case finish == wire.FinishPolicy && !refused:
		return outcome{status: "incomplete", reason: "content_filter"}
	case finish == wire.FinishBroken:
		return outcome{status: "failed", failure: &wire.Failure{Kind: wire.KindUpstream, Message: "the model wrote a call that cannot be read (" + native + ")"}}
	case finish == wire.FinishNone && (native == "queued" || native == "in_progress"):
		return outcome{status: native}
	}
	return outcome{status: "completed"}
}

// write writes a response object. output is the items, without brackets.
func (e *envelope) write(w *jsonw.Writer, o outcome, output []byte, usage *wire.Report, tier string) {
	w.Object()
	w.Str("id", e.id)
	w.Str("object", "response")
	w.Num("created_at", e.created)
	w.Str("status", o.status)
	w.Key("completed_at")
	if o.status == "completed" {
		w.Int(e.now)
	} else {
		w.Null()
	}
	w.Key("error")
	if o.failure == nil {
		w.Null()
	} else {
		w.Object()
		w.Str("code", o.failure.Kind.OpenAICode())
		w.Str("message", o.failure.Message)
		w.End()
	}
	w.Key("incomplete_details")
	if o.reason == "" {
		w.Null()
	} else {
		w.Object()
		w.Str("reason", o.reason)
		w.End()
	}
	w.Str("model", e.model)
	w.Key("output")
	w.Array()
	w.B = append(w.B, output...)
	w.EndArray()
	writeUsage(w, usage)
	w.Str("service_tier", e.served(tier))
	w.B = append(w.B, e.tail...)
	w.End()
}

// served is the tier in OpenAI's words: exhaustive clients break on others.
func (e *envelope) served(tier string) string {
	tier = strings.ToLower(tier)
	if isTier(tier) {
		return tier
	}
	if tier == "" && isTier(e.tier) {
		return e.tier
	}
	return "default"
}

// itemID is the id of output item n.
func itemID(prefix string, reply *wire.Reply, n int) string {
	return prefix + "_" + reply.ID + "_" + strconv.Itoa(n)
}
