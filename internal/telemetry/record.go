// Package telemetry is what Weir tells of itself: metrics on Caddy's
// registry, spans through Caddy's tracer, and the shape of its records.
package telemetry

import (
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/weirproxy/weir/gateway"
)

// Object is a record as a log object, the same in the usage log and in the
// access log's `ai` member. Its members are a public shape.
type Object struct {
	Record *gateway.Record
}

// MarshalLogObject implements zapcore.ObjectMarshaler.
func (o Object) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	r := o.Record
	enc.AddString("request_id", r.RequestID)
	enc.AddString("time", r.Time.UTC().Format(time.RFC3339Nano))
	enc.AddString("key", r.Key)
	enc.AddString("principal", r.Principal)
	enc.AddString("dialect", string(r.Dialect))
	enc.AddString("operation", r.Operation)
	enc.AddString("model", r.Model)
	enc.AddString("provider", r.Provider)
	enc.AddString("upstream_model", r.UpstreamModel)
	enc.AddBool("stream", r.Stream)
	enc.AddInt("status", r.Status)
	enc.AddString("error", r.Error)
	if r.Phase != "" {
		enc.AddString("error_phase", r.Phase)
	}
	enc.AddString("finish_reason", r.FinishReason)
	enc.AddInt64("input_tokens", r.Usage.Input)
	enc.AddInt64("output_tokens", r.Usage.Output)
	enc.AddInt64("cached_tokens", r.Usage.CacheRead)
	enc.AddInt64("cache_write_tokens", r.Usage.CacheWrite)
	enc.AddInt64("reasoning_tokens", r.Usage.Reasoning)
	enc.AddString("usage_source", r.UsageSource)
	if r.Priced || r.CostEstimated {
		enc.AddFloat64("cost_usd", USD(r.Cost.Total))
	} else if err := enc.AddReflected("cost_usd", nil); err != nil { // null: no price is known
		return err
	}
	if r.CostEstimated {
		enc.AddBool("cost_estimated", true)
	}
	if r.Cost.PriceVersion != "" {
		enc.AddString("price_version", r.Cost.PriceVersion)
	}
	enc.AddString("cache", r.Cache)
	if r.Stored {
		enc.AddBool("cache_stored", true)
	}
	if r.Saved > 0 {
		enc.AddFloat64("saved_usd", USD(r.Saved))
	}
	if r.Similarity > 0 {
		enc.AddFloat64("similarity", r.Similarity)
	}
	enc.AddInt("attempts", r.Attempts)
	enc.AddInt64("bytes_out", r.BytesOut)
	enc.AddBool("client_gone", r.ClientGone)
	if r.Cut != "" {
		enc.AddString("cut", r.Cut)
	}
	if r.Continued > 0 {
		enc.AddInt("continued", r.Continued)
	}
	if len(r.Dropped) > 0 {
		zap.Strings("dropped", r.Dropped).AddTo(enc)
	}
	if r.Downgraded != "" {
		enc.AddString("downgraded_to", r.Downgraded)
	}
	if r.UpstreamID != "" {
		enc.AddString("upstream_request_id", r.UpstreamID)
	}
	if r.Overhead > 0 {
		enc.AddFloat64("overhead_usd", USD(r.Overhead))
	}
	if len(r.Limits) > 0 {
		if err := enc.AddArray("limits", (*decisions)(&r.Limits)); err != nil {
			return err
		}
	}
	if err := enc.AddArray("trail", (*trail)(&r.Trail)); err != nil {
		return err
	}
	t := r.Timings
	for _, phase := range [...]struct {
		name string
		d    time.Duration
	}{
		{"auth_ms", t.Auth},
		{"queue_ms", t.Queue},
		{"limit_ms", t.Limit},
		{"cache_ms", t.Cache},
		{"route_ms", t.Route},
		{"upstream_ms", t.Upstream},
		{"ttft_ms", t.FirstToken},
		{"total_ms", t.Total},
	} {
		enc.AddFloat64(phase.name, float64(phase.d.Microseconds())/1000)
	}
	return nil
}

// decisions are what limits decided about a request.
type decisions []gateway.Limited

// MarshalLogArray implements zapcore.ArrayMarshaler.
func (d *decisions) MarshalLogArray(enc zapcore.ArrayEncoder) error {
	var one decision // whose memory serves all of them
	for i := range *d {
		one.Limited = &(*d)[i]
		if err := enc.AppendObject(&one); err != nil {
			return err
		}
	}
	return nil
}

// decision is that of one limit; amounts of money are in nano-dollars.
type decision struct {
	*gateway.Limited
	words [96]byte
}

// MarshalLogObject implements zapcore.ObjectMarshaler. Encoders take the words from
// memory that is used again when they return.
func (d *decision) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	enc.AddByteString("of", d.AppendOf(d.words[:0]))
	enc.AddByteString("limit", d.Rule.Append(d.words[:0]))
	enc.AddInt64("asked", d.Asked)
	enc.AddInt64("used", d.Used)
	enc.AddInt64("remaining", d.Remaining)
	enc.AddBool("over", d.Over)
	return nil
}

// trail is what became of a request's attempts.
type trail []gateway.Step

// MarshalLogArray implements zapcore.ArrayMarshaler.
func (t *trail) MarshalLogArray(enc zapcore.ArrayEncoder) error {
	for i := range *t {
		if err := enc.AppendObject(step{&(*t)[i]}); err != nil {
			return err
		}
	}
	return nil
}

type step struct{ *gateway.Step }

// MarshalLogObject implements zapcore.ObjectMarshaler.
func (s step) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	enc.AddString("provider", s.Provider)
	enc.AddString("model", s.Model)
	enc.AddString("reason", s.Reason)
	for _, field := range [...]struct{ name, value string }{{"account", s.Account}, {"error", s.Error}, {"phase", s.Phase}} {
		if field.value != "" {
			enc.AddString(field.name, field.value)
		}
	}
	if s.Status != 0 {
		enc.AddInt("status", s.Status)
	}
	if len(s.Skipped) > 0 {
		zap.Strings("skipped", s.Skipped).AddTo(enc)
	}
	enc.AddFloat64("begun_ms", float64(s.Begun.Microseconds())/1000)
	if s.FirstToken > 0 {
		enc.AddFloat64("ttft_ms", float64(s.FirstToken.Microseconds())/1000)
	}
	enc.AddFloat64("total_ms", float64(s.Total.Microseconds())/1000)
	return nil
}

// USD is nano-dollars as dollars, for logs and metrics.
func USD(nano int64) float64 { return float64(nano) / 1e9 }

// Interface guards.
var (
	_ zapcore.ObjectMarshaler = Object{}
	_ zapcore.ArrayMarshaler  = (*decisions)(nil)
	_ zapcore.ObjectMarshaler = (*decision)(nil)
	_ zapcore.ArrayMarshaler  = (*trail)(nil)
	_ zapcore.ObjectMarshaler = step{}
)
