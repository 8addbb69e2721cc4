package bedrock

import (
	"strings"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/internal/jsonw"
	"github.com/weirproxy/weir/wire"
)

// EncodeRequest writes a body of Converse: system, toolConfig, messages, then
// the rest.
func (Codec) EncodeRequest(dst []byte, req *wire.Request, loss *wire.Loss) ([]byte, error) {
	if err := wire.RefuseState(req); err != nil {
		return dst, err
	}
	e := &encoder{Writer: jsonw.Writer{B: dst}, req: req, loss: loss, ability: wire.AbilityOf(req.Model), maker: makerOf(req.Model), names: make(map[string]int)}
	if e.maker != makerClaude {
		e.ability = wire.Ability{}
	}
	start := len(e.B)
	e.B = append(e.B, '{')
	e.turns = e.prepare()
	e.think()
	e.system()
	e.toolConfig()
	e.messages()
	e.inference()
	e.output()
	e.additional()
	e.rest()
	e.End()
	if e.err != nil {
		return e.B[:start], e.err
	}
	return e.B, nil
}

// encoder writes one request body.
type encoder struct {
	jsonw.Writer
	req     *wire.Request
	loss    *wire.Loss
	ability wire.Ability
	maker   maker

	turns    []turn
	thinking thinking
	marks    int            // cache points written
	names    map[string]int // of documents
	choice   string         // Claude's own tool_choice, raw
	err      error
}

// fail keeps the first error.
func (e *encoder) fail(err error) {
	if e.err == nil {
		e.err = err
	}
}

func (e *encoder) system() {
	open := false
	for i := range e.req.System {
		b := &e.req.System[i]
		raw := b.Type == wire.RawBlock && b.Vendor == wire.VendorBedrock
		if !raw && (b.Type != wire.TextBlock || strings.TrimSpace(b.Text) == "") {
			continue
		}
		if !open {
			open = true
			e.Key("system")
			e.Array()
		}
		if raw {
			e.Raw(b.Raw)
		} else {
			e.text(b.Text)
		}
		e.mark(b.Cache)
	}
	if open {
		e.EndArray()
	}
}

func (e *encoder) messages() {
	list := e.turns
	if n := len(list); n > 0 && list[n-1].assistant && e.ability.NoPrefill {
		e.fail(wire.Unmappable("messages", "a last message of the assistant", "model '"+e.req.Model+"'"))
	}
	e.Key("messages")
	e.Array()
	for i, t := range list {
		e.Object()
		role := "user"
		if t.assistant {
			role = "assistant"
		}
		e.Str("role", role)
		e.Key("content")
		e.Array()
		for j, b := range t.blocks {
			last := i == len(list)-1 && j == len(t.blocks)-1
			if last && t.assistant && b.Type == wire.TextBlock {
				// Claude refuses a last text that ends in white space.
				trimmed := *b
				trimmed.Text = strings.TrimRight(b.Text, " \t\r\n")
				b = &trimmed
			}
			e.block(b)
			if cache := markOf(b); cache != nil {
				e.mark(cache)
			} else if last {
				e.mark(e.req.CacheAuto)
			}
		}
		e.EndArray()
		e.End()
	}
	e.EndArray()
}

func (e *encoder) inference() {
	req := e.req
	temperature, topP, stop := e.sampling()
	extra := e.hasExtra(inference)
	if req.MaxTokens == 0 && temperature == "" && topP == "" && len(stop) == 0 && !extra {
		return
	}
	e.Key("inferenceConfig")
	e.Object()
	e.NumIf("maxTokens", req.MaxTokens)
	e.RawIf("temperature", string(temperature))
	e.RawIf("topP", string(topP))
	if len(stop) > 0 {
		e.Key("stopSequences")
		e.Array()
		for _, s := range stop {
			e.String(s)
		}
		e.EndArray()
	}
	e.extras(inference)
	e.End()
}

// output writes outputConfig: a schema, which the vendor takes as a string.
func (e *encoder) output() {
	f := &e.req.Format
	binds := f.Kind == "json_schema" && f.Schema != "" && !e.ability.NoFormat
	if !binds && f.Kind != "" && f.Kind != "text" {
		e.loss.Drop("response_format") // there is no form for JSON without a schema
	}
	if !binds && !e.hasExtra(output) {
		return
	}
	e.Key("outputConfig")
	e.Object()
	if binds {
		e.Key("textFormat")
		e.Object()
		e.Str("type", "json_schema")
		e.Key("structure")
		e.Object()
		e.Key("jsonSchema")
		e.Object()
		schema := f.Schema
		if e.req.Dialect != wire.Bedrock {
			schema, _ = wire.CloseObjects(schema) // the vendor demands it
		}
		e.Str("schema", schema)
		e.StrIf("name", f.Name)
		e.StrIf("description", f.Description)
		e.End()
		e.End()
		e.End()
	}
	e.extras(output)
	e.End()
}

// rest writes the members that steer the service, and notes what has no place.
func (e *encoder) rest() {
	req := e.req
	if len(req.Stop) > 0 && e.maker == makerClaude {
		// The stop string that was met is only told when asked for.
		e.RawMember("additionalModelResponseFieldPaths", `["/stop_sequence"]`)
	}
	if legalMetadata(req.Metadata) {
		e.RawMember("requestMetadata", req.Metadata)
	} else {
		e.loss.DropAsked(req, "metadata")
	}
	switch req.ServiceTier {
	case "", "auto":
	case "default", "flex", "priority", "reserved":
		e.Key("serviceTier")
		e.Object()
		e.Str("type", req.ServiceTier)
		e.End()
	default:
		e.loss.Drop("service_tier")
	}
	if req.Dialect == wire.Bedrock {
		e.extras("")
	} else {
		e.loss.DropExtra(req)
	}
	e.loss.DropAsked(req, "n", "seed", "frequency_penalty", "presence_penalty", "logit_bias", "logprobs", "top_logprobs", "verbosity",
		"modalities", "user", "prompt_cache_key", "prompt_cache_options", "store")
}

// legalMetadata checks the vendor's rules for requestMetadata: at most 16
// strings of letters, digits, white space and a few signs. Metadata only
// labels a request, so it is not worth a refusal.
func legalMetadata(raw string) bool {
	data := []byte(raw)
	root, err := wire.ParseAnswer(data)
	if err != nil || root.Kind != jsonscan.ObjectKind {
		return false
	}
	n := 0
	for key, v := range jsonscan.Members(data, root) {
		n++
		name, _ := key.Text(data, nil)
		value, ok := v.Text(data, nil)
		if !ok || n > 16 || len(name) == 0 || len(name) > 256 || len(value) > 256 || !labelOnly(name) || !labelOnly(value) {
			return false
		}
	}
	return n > 0
}

func labelOnly(s []byte) bool {
	for _, c := range s {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte(" \t\n\r:_@$#=/+,-.", c) >= 0) {
			return false
		}
	}
	return true
}

// hasExtra says whether there are kept members of the object that prefix
// names; extras writes them, or those of the body itself when it is empty.
func (e *encoder) hasExtra(prefix string) bool {
	if e.req.Dialect == wire.Bedrock {
		for _, x := range e.req.Extra {
			if strings.HasPrefix(x.Name, prefix) {
				return true
			}
		}
	}
	return false
}

func (e *encoder) extras(prefix string) {
	if e.req.Dialect != wire.Bedrock {
		return
	}
	for _, x := range e.req.Extra {
		name, mine := strings.CutPrefix(x.Name, prefix)
		if prefix == "" {
			mine = !strings.HasPrefix(name, additional) && !strings.HasPrefix(name, inference) && !strings.HasPrefix(name, output)
		}
		if mine {
			e.member(name, x.Raw)
		}
	}
}

// member writes a member whose name may need escapes.
func (e *encoder) member(name, raw string) {
	e.String(name)
	e.B = append(e.B, ':')
	e.Raw(raw)
}
