package telemetry

import (
	"cmp"
	"context"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/wire"
)

// scope names Weir's spans.
const scope = "github.com/weirproxy/weir"

// The names of OpenTelemetry's GenAI conventions (status: development), in
// one place because they still change.
const (
	attrOperation    = "gen_ai.operation.name"
	attrProvider     = "gen_ai.provider.name"
	attrRequestModel = "gen_ai.request.model"
	attrStream       = "gen_ai.request.stream"
	attrMaxTokens    = "gen_ai.request.max_tokens"
	attrTemperature  = "gen_ai.request.temperature"
	attrFinish       = "gen_ai.response.finish_reasons"
	attrInput        = "gen_ai.usage.input_tokens"
	attrOutput       = "gen_ai.usage.output_tokens"
	attrCacheRead    = "gen_ai.usage.cache_read.input_tokens"
	attrCacheWrite   = "gen_ai.usage.cache_creation.input_tokens"
	attrReasoning    = "gen_ai.usage.reasoning.output_tokens"
	attrFirstChunk   = "gen_ai.response.time_to_first_chunk"
	attrError        = "error.type"

	// Ours: what the configuration calls the provider.
	attrConfigured = "weir.provider"
)

// vendors are the conventions' names by those of the modules `ai.providers.*`. Whom
// the conventions do not know is named as the configuration does.
var vendors = map[string]string{
	"openai":       "openai",
	"anthropic":    "anthropic",
	"gemini":       "gcp.gemini",
	"vertex":       "gcp.vertex_ai",
	"azure_openai": "azure.ai.openai",
	"bedrock":      "aws.bedrock",
	"cohere":       "cohere",
	"deepseek":     "deepseek",
	"groq":         "groq",
	"mistral":      "mistral_ai",
	"xai":          "x_ai",
}

// operations are the conventions' names where they differ from ours.
var operations = map[*wire.Operation]string{
	wire.Chat:        "chat",
	wire.Responses:   "chat",
	wire.Messages:    "chat",
	wire.Completions: "text_completion",
	wire.Embeddings:  "embeddings",
}

// StartSpan begins the span of an upstream call with the tracer of Caddy's
// `tracing` handler; without one it costs nothing. provider is who is
// called.
func StartSpan(ctx context.Context, x *gateway.Exchange, provider gateway.Provider) (context.Context, trace.Span) {
	parent := trace.SpanFromContext(ctx)
	if !parent.IsRecording() {
		return ctx, nil
	}
	operation, ok := operations[x.Operation]
	if !ok {
		operation = x.Operation.Name
	}
	attrs := []attribute.KeyValue{
		attribute.String(attrOperation, operation),
		attribute.String(attrProvider, cmp.Or(vendors[moduleOf(provider)], x.Target.Provider)),
		attribute.String(attrConfigured, x.Target.Provider),
		attribute.String(attrRequestModel, x.Target.Model),
		attribute.Bool(attrStream, x.Stream),
	}
	if x.Envelope.CapParam != "" && !x.Envelope.CapInvalid {
		attrs = append(attrs, attribute.Int64(attrMaxTokens, x.Envelope.OutputCap))
	}
	if x.Envelope.HasTemperature {
		attrs = append(attrs, attribute.Float64(attrTemperature, x.Envelope.Temperature))
	}
	return parent.TracerProvider().Tracer(scope).Start(ctx, operation+" "+x.Target.Model,
		trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attrs...))
}

// moduleOf is the name of a provider's module, empty when it is none.
func moduleOf(p gateway.Provider) string {
	if m, ok := p.(caddy.Module); ok {
		return m.CaddyModule().ID.Name()
	}
	return ""
}

// FailSpan ends the span of an attempt that another followed, when it was over: since
// then there may have been a pause. began is when the exchange did.
func FailSpan(span trace.Span, began time.Time, told *gateway.Attempt) {
	if span == nil {
		return
	}
	step := told.Step()
	if step.Error != "" {
		span.SetAttributes(attribute.String(attrError, step.Error))
		span.SetStatus(codes.Error, step.Error)
	}
	span.End(trace.WithTimestamp(began.Add(step.Begun + step.Total)))
}

// EndSpan ends the span with what the record tells, and told of the call itself.
// Usage that is only estimated is left out, as the conventions ask.
func EndSpan(span trace.Span, r *gateway.Record, told *gateway.Attempt) {
	if span == nil {
		return
	}
	if r.UsageSource == gateway.SourceProvider {
		span.SetAttributes(
			attribute.Int64(attrInput, r.Usage.Input),
			attribute.Int64(attrOutput, r.Usage.Output),
			attribute.Int64(attrCacheRead, r.Usage.CacheRead),
			attribute.Int64(attrCacheWrite, r.Usage.CacheWrite),
			attribute.Int64(attrReasoning, r.Usage.Reasoning),
		)
	}
	if r.FinishReason != "" {
		span.SetAttributes(attribute.StringSlice(attrFinish, []string{r.FinishReason}))
	}
	if step := told.Step(); step.FirstToken > 0 {
		span.SetAttributes(attribute.Float64(attrFirstChunk, step.FirstToken.Seconds()))
	}
	if r.Error != "" {
		span.SetAttributes(attribute.String(attrError, r.Error))
		span.SetStatus(codes.Error, r.Error)
	}
	span.End()
}
