package bedrock

import (
	"github.com/weirproxy/weir/internal/jsonw"
	"github.com/weirproxy/weir/wire"
)

// EncodeResponse writes an answer of Converse, with the members that the AWS
// SDKs demand. The dialect has one choice.
func (Codec) EncodeResponse(dst []byte, res *wire.Response, _ *wire.Reply) []byte {
	e := &encoder{Writer: jsonw.Writer{B: append(dst, '{')}, names: make(map[string]int), req: &wire.Request{Dialect: wire.Bedrock}, loss: new(wire.Loss)}
	e.RawMember("metrics", `{"latencyMs":0}`)
	choice := wire.Choice{Finish: wire.FinishStop}
	if len(res.Choices) > 0 {
		choice = res.Choices[0]
	}
	e.Key("output")
	e.Object()
	e.Key("message")
	e.Object()
	e.Key("content")
	e.Array()
	for i := range choice.Blocks {
		if b := &choice.Blocks[i]; b.Type != wire.RawBlock || b.Vendor == wire.VendorBedrock {
			e.block(b)
		}
	}
	e.EndArray()
	e.Str("role", "assistant")
	e.End()
	e.End()
	e.stop(choice.Finish, choice.Native, choice.StopString)
	e.usage(&res.Usage)
	if res.ServiceTier != "" {
		e.Key("serviceTier")
		e.Object()
		e.Str("type", res.ServiceTier)
		e.End()
	}
	if choice.Explanation != "" {
		e.Key("trace")
		e.Object()
		e.Key("guardrail")
		e.Object()
		e.Str("actionReason", choice.Explanation)
		e.End()
		e.End()
	}
	e.End()
	return e.B
}

// stop writes stopReason and the stop string that was met.
func (e *encoder) stop(f wire.Finish, native, stop string) {
	e.Str("stopReason", stopReason(f, native))
	if stop != "" {
		e.Key("additionalModelResponseFields")
		e.Object()
		e.Str("stop_sequence", stop)
		e.End()
	}
}

func (e *encoder) usage(u *wire.Report) {
	e.Key("usage")
	e.Object()
	e.Num("inputTokens", u.Input-u.CacheRead-u.CacheWrite)
	e.Num("outputTokens", u.Output)
	e.Num("totalTokens", u.Input+u.Output)
	e.NumIf("cacheReadInputTokens", u.CacheRead)
	e.NumIf("cacheWriteInputTokens", u.CacheWrite)
	if u.CacheWrite1h != 0 || u.CacheWrite5m != 0 {
		e.Key("cacheDetails")
		e.Array()
		for _, d := range []struct {
			ttl string
			n   int64
		}{{"1h", u.CacheWrite1h}, {"5m", u.CacheWrite5m}} {
			if d.n != 0 {
				e.Object()
				e.Num("inputTokens", d.n)
				e.Str("ttl", d.ttl)
				e.End()
			}
		}
		e.EndArray()
	}
	e.End()
}
