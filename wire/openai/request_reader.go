package openai

import (
	"strconv"
	"strings"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

// requestReader reads one request body. The first failure is kept, and what
// is read after it does not matter.
type requestReader struct {
	*wire.Doc
	req     *wire.Request
	failure *wire.Failure

	// calls counts function_call members of old clients, which have no ids;
	// byName is the id made up for the last call of a function.
	calls  int
	byName map[string]string

	cacheTTL string // of all breakpoints: it stands once, in prompt_cache_options

	room []wire.Block // where lists of one are
}

// newReader parses body, which an envelope has checked already.
func newReader(body []byte) (*requestReader, error) {
	doc, ok := wire.RequestDoc(body)
	if !ok {
		return nil, &wire.Failure{Kind: wire.KindInvalid, Message: "the body must be a JSON object"}
	}
	return &requestReader{Doc: doc, req: &wire.Request{Texts: doc.Texts, Dialect: wire.OpenAI, Spelling: map[string]string{}}}, nil
}

func (r *requestReader) fail(param, message string) {
	if r.failure == nil {
		r.failure = &wire.Failure{Kind: wire.KindInvalid, Param: param, Message: message}
	}
}

// is reports whether v has kind. Null counts as absent; anything else fails.
func (r *requestReader) is(param string, v jsonscan.Value, kind jsonscan.Kind) bool {
	if v.Kind == kind {
		return true
	}
	if v.Kind != jsonscan.Null && v.Kind != jsonscan.Invalid {
		r.fail(param, "'"+param+"' must be "+article(kind)+", not "+article(v.Kind))
	}
	return false
}

func article(kind jsonscan.Kind) string {
	if kind == jsonscan.Array || kind == jsonscan.ObjectKind {
		return "an " + kind.String()
	}
	return "a " + kind.String()
}

func (r *requestReader) str(param string, v jsonscan.Value) string {
	if !r.is(param, v, jsonscan.String) {
		return ""
	}
	return r.Str(v)
}

func (r *requestReader) num(param string, v jsonscan.Value) wire.Number {
	if !r.is(param, v, jsonscan.Number) {
		return ""
	}
	return r.Num(v)
}

// whole reads an integer of at least least.
func (r *requestReader) whole(param string, v jsonscan.Value, least int64) int64 {
	if !r.is(param, v, jsonscan.Number) {
		return 0
	}
	n, ok := v.Int(r.Data)
	if !ok || n < least {
		r.fail(param, "'"+param+"' must be a whole number of at least "+strconv.FormatInt(least, 10))
	}
	return n
}

func (r *requestReader) tri(param string, v jsonscan.Value) wire.Tri {
	if !r.is(param, v, jsonscan.Bool) {
		return wire.Unset
	}
	return r.Tri(v)
}

func (r *requestReader) object(param string, v jsonscan.Value) string {
	if !r.is(param, v, jsonscan.ObjectKind) {
		return ""
	}
	return r.Raw(v)
}

// extra keeps a member that the canonical model has no place for.
func (r *requestReader) extra(name string, v jsonscan.Value) {
	if raw := r.Raw(v); raw != "" {
		r.req.Extra = append(r.req.Extra, wire.Extra{Name: strings.Clone(name), Raw: raw})
	}
}

// common reads the members that chat and legacy completions share.
func (r *requestReader) common(name string, v jsonscan.Value) bool {
	req := r.req
	switch name {
	case "model":
		req.Model = r.str(name, v)
	case "stream":
		req.Stream = r.tri(name, v) == wire.Yes
	case "stream_options":
		r.streamOptions(v)
	case "max_tokens":
		if n := r.whole(name, v, 0); n > 0 && req.Spelling["max_tokens"] == "" {
			req.MaxTokens = n
		}
	case "temperature":
		req.Temperature = r.num(name, v)
	case "top_p":
		req.TopP = r.num(name, v)
	case "top_k":
		req.TopK = r.num(name, v)
	case "frequency_penalty":
		req.FrequencyPenalty = r.num(name, v)
	case "presence_penalty":
		req.PresencePenalty = r.num(name, v)
	case "seed":
		req.Seed = r.num(name, v)
	case "n":
		req.Choices = r.whole(name, v, 1)
	case "stop":
		req.Stop = r.strings(name, v)
	case "logit_bias":
		req.LogitBias = r.object(name, v)
	case "user":
		r.user(name, v)
	default:
		return false
	}
	return true
}

// strings reads a string or an array of strings.
func (r *requestReader) strings(name string, v jsonscan.Value) []string {
	if v.Kind == jsonscan.String || !r.is(name, v, jsonscan.Array) {
		return r.Strings(v)
	}
	i := 0
	for e := range r.Elements(v) {
		r.is(at(name, i), e, jsonscan.String)
		i++
	}
	return r.Strings(v)
}

func (r *requestReader) streamOptions(v jsonscan.Value) {
	if !r.is("stream_options", v, jsonscan.ObjectKind) {
		return
	}
	for name, val := range r.Members(v) {
		if name == "include_usage" {
			r.req.IncludeUsage = r.Bool(val)
		} else {
			r.extra(streamOption+name, val)
		}
	}
}

// streamOption begins the names of extra members of stream_options.
const streamOption = "stream_options."

// user takes user and safety_identifier; the second is the newer name of the
// same, and wins.
func (r *requestReader) user(name string, v jsonscan.Value) {
	held, newer := r.req.User, r.req.Spelling["user"] != ""
	switch text := r.str(name, v); {
	case text == "":
	case name == "safety_identifier":
		if held != "" && !newer {
			r.req.Extra = append(r.req.Extra, wire.Extra{Name: "user", Raw: string(jsonscan.AppendString(nil, held))})
		}
		r.req.User, r.req.Spelling["user"] = text, name
	case newer:
		r.extra(name, v)
	default:
		r.req.User = text
	}
}

// at is the path of element i of an array member.
func at(name string, i int) string { return name + "[" + strconv.Itoa(i) + "]" }
