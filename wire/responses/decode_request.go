package responses

import (
	"slices"
	"strconv"
	"strings"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

// echoed are the members that a response repeats from the request.
var echoed = []string{
	"background", "instructions", "max_output_tokens", "max_tool_calls", "metadata", "parallel_tool_calls",
	"previous_response_id", "prompt", "conversation", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention",
	"safety_identifier", "store", "temperature", "tool_choice", "tools", "top_logprobs", "top_p", "truncation", "user",
}

// requestReader reads one request. The first fault found is kept.
type requestReader struct {
	*wire.Doc
	req      *wire.Request
	failure  *wire.Failure
	cacheTTL string // of all marks: it stands once, in prompt_cache_options
	include  []string
	carriers carriers
	system   bool // no other item has come yet
}

// DecodeRequest reads a Responses request. An absent `strict` of a function
// is read as true, which is what it means here and nowhere else.
func (Codec) DecodeRequest(body []byte) (*wire.Request, error) {
	doc, ok := wire.RequestDoc(body)
	if !ok {
		return nil, invalid("", "the body must be a JSON object")
	}
	r := &requestReader{Doc: doc, system: true, req: &wire.Request{
		Texts:   doc.Texts,
		Dialect: wire.OpenAI, IncludeUsage: true,
		Spelling: map[string]string{
			"messages": ownName, "max_tokens": "max_output_tokens", "response_format": "text.format",
			"verbosity": "text.verbosity", "reasoning_effort": "reasoning.effort", "thinking": "reasoning",
			"logprobs": "include", "cache_control": "prompt_cache_breakpoint",
		},
	}}
	var input, instructions, choice jsonscan.Value
	var names []string
	for name, v := range doc.Members(doc.Root) {
		if slices.Contains(names, name) {
			r.fail(strings.Clone(name), "'"+name+"' stands twice")
			break
		}
		names = append(names, strings.Clone(name))
		if v.Kind == jsonscan.Null {
			continue
		}
		if slices.Contains(echoed, name) {
			r.echo(strings.Clone(name), v)
		}
		switch name {
		case "input":
			input = v
		case "instructions":
			instructions = v
		case "tool_choice":
			choice = v
		default:
			r.member(names[len(names)-1], v)
		}
	}
	r.finish()
	r.toolChoice(choice)
	if text := r.long("instructions", instructions); text != "" {
		r.req.System = append(r.req.System, wire.Block{Text: text})
	}
	r.input(input)
	if r.failure != nil {
		return nil, r.failure
	}
	if r.req.Normalize(); len(r.req.Messages) == 0 {
		r.req.Messages = nil
	}
	return r.req, nil
}

func (r *requestReader) echo(name string, v jsonscan.Value) {
	r.req.Echo = append(r.req.Echo, wire.Extra{Name: name, Raw: oneLine(r.Raw(v))})
}

// member reads one top-level member that does not depend on others.
func (r *requestReader) member(name string, v jsonscan.Value) {
	req := r.req
	switch name {
	case "model":
		req.Model = r.str(name, v)
	case "stream":
		req.Stream = r.tri(name, v) == wire.Yes
	case "max_output_tokens":
		n, ok := v.Int(r.Data)
		if !ok || n < 1 {
			r.fail(name, "'max_output_tokens' must be a whole number of at least 1")
		}
		req.MaxTokens = n
	case "temperature":
		req.Temperature = r.num(name, v)
	case "top_p":
		req.TopP = r.num(name, v)
	case "top_logprobs":
		req.TopLogProbs = r.num(name, v)
	case "parallel_tool_calls":
		req.ParallelTools = r.tri(name, v)
	case "store":
		req.Store = r.tri(name, v)
	case "metadata":
		req.Metadata = r.object(name, v)
	case "user", "safety_identifier":
		r.user(name, v)
	case "service_tier":
		req.ServiceTier = r.str(name, v)
	case "prompt_cache_key":
		req.CacheKey = r.str(name, v)
	case "prompt_cache_options":
		req.CacheOptions = r.object(name, v)
		switch r.StrAt(v, "ttl") {
		case "30m":
			r.cacheTTL = "5m"
		case "12h":
			r.cacheTTL = "1h"
		}
	case "tools":
		r.tools(v)
	case "text":
		r.text(v)
	case "reasoning":
		r.reasoning(v)
	case "include":
		r.includes(v)
	case "previous_response_id", "conversation", "prompt":
		req.State = append(req.State, wire.Extra{Name: name, Raw: r.Raw(v)})
	case "background":
		if r.tri(name, v) == wire.Yes {
			req.State = append(req.State, wire.Extra{Name: name, Raw: "true"})
		}
	default:
		r.extra(name, v)
	}
}

func (r *requestReader) user(name string, v jsonscan.Value) {
	user := r.str(name, v)
	switch {
	case user == "":
	case name == "safety_identifier":
		if r.req.User != "" { // both: the one that is not deprecated counts
			r.req.Extra = append(r.req.Extra, wire.Extra{Name: "user", Raw: quote(r.req.User)})
		}
		r.req.User, r.req.Spelling["user"] = user, name
	case r.req.User != "":
		r.extra(name, v)
	default:
		r.req.User = user
	}
}

func quote(s string) string { return string(jsonscan.AppendString(nil, s)) }

func (r *requestReader) includes(v jsonscan.Value) {
	if v.Kind != jsonscan.Array {
		r.fail("include", "'include' must be an array")
	}
	for e := range r.Elements(v) {
		switch r.Str(e) {
		case includeEncrypted:
			r.req.Reasoning.Encrypted = true
		case includeLogProbs:
			r.req.LogProbs = true
		default:
			r.include = append(r.include, r.Raw(e))
		}
	}
}

// finish completes what several members make up.
func (r *requestReader) finish() {
	if len(r.include) > 0 {
		r.req.Extra = append(r.req.Extra, wire.Extra{Name: "include", Raw: "[" + strings.Join(r.include, ",") + "]"})
	}
}

func (r *requestReader) reasoning(v jsonscan.Value) {
	if r.object("reasoning", v) == "" {
		return
	}
	for name, val := range r.Members(v) {
		switch name {
		case "effort":
			r.req.Reasoning.Effort = r.str("reasoning.effort", val)
		case "summary":
			r.req.Reasoning.Show = r.str("reasoning.summary", val)
		default:
			r.extra("reasoning."+name, val)
		}
	}
}

func (r *requestReader) text(v jsonscan.Value) {
	if r.object("text", v) == "" {
		return
	}
	for name, val := range r.Members(v) {
		switch name {
		case "format":
			if val.Kind != jsonscan.Null {
				r.echo("text.format", val)
				r.format(val)
			}
		case "verbosity":
			r.req.Verbosity = r.str("text.verbosity", val)
		default:
			r.extra("text."+name, val)
		}
	}
}

func (r *requestReader) format(v jsonscan.Value) {
	if r.object("text.format", v) == "" {
		return
	}
	f := &r.req.Format
	switch kind := r.StrAt(v, "type"); kind {
	case "text", "json_object":
		f.Kind = kind
	case "json_schema":
		f.Kind = kind
		f.Name = r.str("text.format.name", r.Get(v, "name"))
		f.Description = r.str("text.format.description", r.Get(v, "description"))
		f.Schema = r.object("text.format.schema", r.Get(v, "schema"))
		f.Strict = r.tri("text.format.strict", r.Get(v, "strict"))
	default:
		r.extra("text.format", v)
	}
}

// The rest read values of one kind; null is absent.

func (r *requestReader) fail(param, message string) {
	if r.failure == nil {
		r.failure = invalid(param, message)
	}
}

func (r *requestReader) is(param string, v jsonscan.Value, kind jsonscan.Kind) bool {
	if v.Kind == kind {
		return true
	}
	if v.Kind != jsonscan.Invalid && v.Kind != jsonscan.Null {
		r.fail(param, "'"+param+"' must be a "+kind.String()+", not a "+v.Kind.String())
	}
	return false
}

func (r *requestReader) str(param string, v jsonscan.Value) string {
	if !r.is(param, v, jsonscan.String) {
		return ""
	}
	return r.Str(v)
}

// long is str for what may be long, of a message.
func (r *requestReader) long(param string, v jsonscan.Value) string {
	if !r.is(param, v, jsonscan.String) {
		return ""
	}
	return r.Long(v)
}

func (r *requestReader) num(param string, v jsonscan.Value) wire.Number {
	r.is(param, v, jsonscan.Number)
	return r.Num(v)
}

func (r *requestReader) tri(param string, v jsonscan.Value) wire.Tri {
	r.is(param, v, jsonscan.Bool)
	return r.Tri(v)
}

func (r *requestReader) object(param string, v jsonscan.Value) string {
	if !r.is(param, v, jsonscan.ObjectKind) {
		return ""
	}
	return r.Raw(v)
}

func (r *requestReader) extra(name string, v jsonscan.Value) {
	if raw := r.Raw(v); raw != "" {
		r.req.Extra = append(r.req.Extra, wire.Extra{Name: strings.Clone(name), Raw: raw})
	}
}

func at(name string, i int) string { return name + "[" + strconv.Itoa(i) + "]" }
