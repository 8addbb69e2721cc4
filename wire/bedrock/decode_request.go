package bedrock

import (
	"strconv"
	"strings"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

// The objects whose unknown members are kept under a dotted name.
const (
	additional = "additionalModelRequestFields."
	inference  = "inferenceConfig."
	output     = "outputConfig."
)

// DecodeRequest reads a body of Converse. The model and whether a stream is
// asked for are in the path.
func (Codec) DecodeRequest(body []byte) (*wire.Request, error) {
	doc, ok := wire.RequestDoc(body)
	if !ok {
		return nil, &wire.Failure{Kind: wire.KindInvalid, Message: "the body must be a JSON object"}
	}
	r := &reader{Doc: doc, req: &wire.Request{Texts: doc.Texts, Dialect: wire.Bedrock, Spelling: map[string]string{
		"max_tokens": "inferenceConfig.maxTokens", "temperature": "inferenceConfig.temperature", "top_p": "inferenceConfig.topP",
		"stop": "inferenceConfig.stopSequences", "tool_choice": "toolConfig.toolChoice", "response_format": "outputConfig.textFormat",
		"metadata": "requestMetadata", "service_tier": "serviceTier", "cache_control": "cachePoint",
	}}}
	for name, v := range r.Members(r.Root) {
		r.member(name, v)
	}
	if r.failure != nil {
		return nil, r.failure
	}
	r.req.Normalize()
	return r.req, nil
}

// reader reads one body. Its first failure is kept.
type reader struct {
	*wire.Doc
	req     *wire.Request
	failure *wire.Failure
}

func (r *reader) member(name string, v jsonscan.Value) {
	switch name {
	case "messages":
		r.messages(v)
	case "system":
		i := 0
		for e := range r.array(name, v) {
			r.req.System = r.block(at(name, i), e, r.req.System)
			i++
		}
	case "inferenceConfig":
		r.inference(v)
	case "toolConfig":
		r.tools(v)
	case "outputConfig":
		r.output(v)
	case "additionalModelRequestFields":
		r.additional(v)
	case "additionalModelResponseFieldPaths": // what this door asks for itself
	case "requestMetadata":
		if r.object(name, v) {
			r.req.Metadata = r.Raw(v)
		}
	case "serviceTier":
		r.req.ServiceTier = r.StrAt(v, "type")
	default:
		r.extra(name, v)
	}
}

func (r *reader) messages(v jsonscan.Value) {
	i := 0
	for e := range r.array("messages", v) {
		param := at("messages", i)
		i++
		if !r.object(param, e) {
			continue
		}
		m := wire.Message{Role: wire.RoleUser}
		switch role := r.StrAt(e, "role"); role {
		case "user":
		case "assistant":
			m.Role = wire.RoleAssistant
		default:
			r.fail(param+".role", "'"+param+".role' must be user or assistant")
		}
		j := 0
		for b := range r.array(param+".content", r.Get(e, "content")) {
			m.Blocks = r.block(at(param+".content", j), b, m.Blocks)
			j++
		}
		r.req.Messages = append(r.req.Messages, m)
	}
}

func (r *reader) inference(v jsonscan.Value) {
	if !r.object("inferenceConfig", v) {
		return
	}
	for name, val := range r.Members(v) {
		switch name {
		case "maxTokens":
			r.req.MaxTokens = r.Int(val)
		case "temperature":
			r.req.Temperature = r.Num(val)
		case "topP":
			r.req.TopP = r.Num(val)
		case "stopSequences":
			r.req.Stop = r.Strings(val)
		default:
			r.extra(inference+name, val)
		}
	}
}

func (r *reader) output(v jsonscan.Value) {
	if !r.object("outputConfig", v) {
		return
	}
	for name, val := range r.Members(v) {
		switch schema := r.Get(val, "structure", "jsonSchema"); {
		case name == "effort":
			r.req.Reasoning.Effort = r.Str(val)
		case name == "textFormat" && schema.Exists():
			r.req.Format = wire.Format{Kind: "json_schema", Name: r.StrAt(schema, "name"), Description: r.StrAt(schema, "description"), Schema: r.StrAt(schema, "schema")}
			if _, err := wire.ParseAnswer([]byte(r.req.Format.Schema)); err != nil {
				r.fail("outputConfig.textFormat", "'outputConfig.textFormat.structure.jsonSchema.schema' must be a JSON schema as a string")
			}
		default:
			r.extra(output+name, val)
		}
	}
}

// tools reads toolConfig.
func (r *reader) tools(v jsonscan.Value) {
	if !r.object("toolConfig", v) {
		return
	}
	i := 0
	for t := range r.array("toolConfig.tools", r.Get(v, "tools")) {
		param := at("toolConfig.tools", i)
		i++
		tools := r.req.Tools
		for kind, val := range r.Members(t) {
			switch kind {
			case "toolSpec":
				tool := wire.Tool{Name: r.StrAt(val, "name"), Description: r.StrAt(val, "description"), Schema: r.RawAt(val, "inputSchema", "json"), Strict: r.Tri(r.Get(val, "strict"))}
				if tool.Name == "" {
					r.fail(param+".toolSpec.name", "'"+param+".toolSpec.name' is required")
				}
				r.req.Tools = append(tools, tool)
			case "cachePoint":
				if len(tools) > 0 {
					tools[len(tools)-1].Cache = r.mark(val)
				}
			default:
				name := r.StrAt(val, "name")
				if name == "" {
					name = strings.Clone(kind)
				}
				r.req.Tools = append(tools, wire.Tool{Name: name, Raw: r.Raw(t), Vendor: wire.VendorBedrock})
			}
			break
		}
	}
	for kind, val := range r.Members(r.Get(v, "toolChoice")) {
		switch kind {
		case "auto":
			r.req.ToolChoice.Mode = "auto"
		case "any":
			r.req.ToolChoice.Mode = "required"
		case "tool":
			r.req.ToolChoice = wire.ToolChoice{Mode: "named", Name: r.StrAt(val, "name")}
		default:
			r.fail("toolConfig.toolChoice", "'toolConfig.toolChoice' must be auto, any or tool")
		}
	}
}

// fail keeps the first failure.
func (r *reader) fail(param, message string) {
	if r.failure == nil {
		r.failure = &wire.Failure{Kind: wire.KindInvalid, Param: param, Message: message}
	}
}

// array iterates over v, which must be an array unless it is absent.
func (r *reader) array(param string, v jsonscan.Value) func(func(jsonscan.Value) bool) {
	if v.Kind != jsonscan.Array && v.Kind != jsonscan.Null && v.Kind != jsonscan.Invalid {
		r.fail(param, "'"+param+"' must be an array")
	}
	return r.Elements(v)
}

func (r *reader) object(param string, v jsonscan.Value) bool {
	if v.Kind != jsonscan.ObjectKind && v.Kind != jsonscan.Null {
		r.fail(param, "'"+param+"' must be an object")
	}
	return v.Kind == jsonscan.ObjectKind
}

func (r *reader) extra(name string, v jsonscan.Value) {
	if raw := r.Raw(v); raw != "" {
		r.req.Extra = append(r.req.Extra, wire.Extra{Name: strings.Clone(name), Raw: raw})
	}
}

func at(name string, i int) string { return name + "[" + strconv.Itoa(i) + "]" }
