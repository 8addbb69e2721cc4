package gemini

import (
	"strings"

	"github.com/weirproxy/weir/internal/jsonw"
	"github.com/weirproxy/weir/wire"
)

// encoder writes one request. own says that it came from a client of this
// dialect, who chose every member for Gemini.
type encoder struct {
	w       jsonw.Writer
	req     *wire.Request
	loss    *wire.Loss
	ability wire.Ability
	own     bool
	vertex  bool

	// where names the messages in errors, in the client's own words.
	where string
}

func newEncoder(dst []byte, req *wire.Request, loss *wire.Loss, vertex bool) *encoder {
	e := &encoder{
		w:       jsonw.Writer{B: dst},
		req:     req,
		loss:    loss,
		ability: wire.AbilityOf(req.Model),
		own:     req.Dialect == wire.Gemini,
		vertex:  vertex,
		where:   "messages",
	}
	if name, ok := req.Spelling["messages"]; ok {
		e.where = name
	}
	return e
}

func (e *encoder) request() error {
	if !e.own {
		if err := wire.RefuseState(e.req); err != nil {
			return err
		}
	}
	w := &e.w
	start := len(w.B)
	w.B = append(w.B, '{') // whatever stands before is not this body's
	e.system()
	e.tools()
	e.toolConfig()
	if err := e.contents(); err != nil {
		w.B = w.B[:start]
		return err
	}
	if err := e.config(); err != nil {
		w.B = w.B[:start]
		return err
	}
	e.rest()
	w.End()
	return nil
}

// object writes a member that is an object, and nothing when it would be empty.
func (e *encoder) object(name string, fill func()) {
	before := len(e.w.B)
	e.w.Key(name)
	e.w.Object()
	inside := len(e.w.B)
	if fill(); len(e.w.B) == inside {
		e.w.B = e.w.B[:before]
		return
	}
	e.w.End()
}

func (e *encoder) system() {
	before := len(e.w.B)
	e.w.Key("systemInstruction")
	e.w.Object()
	e.w.Key("parts")
	e.w.Array()
	inside := len(e.w.B)
	for i := range e.req.System {
		if text := e.req.System[i].Text; text != "" {
			e.textPart(text)
		}
	}
	if len(e.w.B) == inside {
		e.w.B = e.w.B[:before]
		return
	}
	e.w.EndArray()
	e.w.End()
}

// rest writes what stands at the top, and notes what Gemini has no place for.
func (e *encoder) rest() {
	w, req := &e.w, e.req
	for _, s := range req.State {
		w.RawMember(s.Name, s.Raw)
	}
	if e.own || e.vertex {
		w.RawIf("labels", req.Metadata)
	} else {
		e.loss.DropAsked(req, "metadata")
	}
	switch tier := tierOut(req.ServiceTier); {
	case tier != "":
		w.Str("serviceTier", tier)
	case e.own && req.ServiceTier != "":
		w.Str("serviceTier", req.ServiceTier)
	case req.ServiceTier != "" && req.ServiceTier != "auto":
		e.loss.Drop("service_tier")
	}
	switch {
	case !e.own:
		e.loss.DropAsked(req, "store")
	case req.Store != wire.Unset:
		w.Flag("store", req.Store == wire.Yes)
	}
	e.loss.DropAsked(req, "logit_bias", "verbosity", "user", "prompt_cache_key", "prompt_cache_options", "parallel_tool_calls")
	if !e.own {
		e.loss.DropExtra(req)
		return
	}
	e.extras("")
	for _, x := range req.Extra {
		if place, _ := splitExtra(x.Name); !isPlace(place) {
			e.loss.Drop(x.Name)
		}
	}
}

// splitExtra parts the name of a member into the canonical name of the object
// that it stands in and its own.
func splitExtra(name string) (place, own string) {
	at := strings.LastIndexByte(name, '.')
	if at < 0 {
		return "", name
	}
	return Camel(name[:at]), name[at+1:]
}

// isPlace reports whether place is there once in a request. Members of turns
// and parts are not written back: turns may have been merged.
func isPlace(place string) bool {
	switch place {
	case "", "generationConfig", "generationConfig.thinkingConfig", "toolConfig", "toolConfig.functionCallingConfig":
		return true
	default:
		return false
	}
}

// extras writes the client's members without a canonical place that stood in
// the object place.
func (e *encoder) extras(place string) {
	if !e.own {
		return
	}
	for _, x := range e.req.Extra {
		if in, own := splitExtra(x.Name); in == place {
			e.w.RawMember(own, x.Raw)
		}
	}
}
