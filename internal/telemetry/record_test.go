package telemetry

import (
	"testing"
	"time"

	"go.uber.org/zap/buffer"
	"go.uber.org/zap/zapcore"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/gateway/limits"
)

// TestObjectAllocates holds what the fields of an access log line cost: the time's
// text and the memory for limits' words, and nothing for lists and numbers.
func TestObjectAllocates(t *testing.T) {
	rule := &limits.Rule{Unit: limits.Tokens, Amount: 200_000, Window: time.Hour}
	record := &gateway.Record{
		RequestID: "r", Time: time.Unix(1, 5000), Key: "k", Model: "m", Provider: "p", Status: 200,
		Limits: []gateway.Limited{{Scope: gateway.ScopeKey, Name: "k", Rule: rule}, {Scope: gateway.ScopeTeam, Name: "t", Rule: rule}},
		Trail:  []gateway.Step{{Provider: "p", Model: "m", Reason: "first", Status: 200}},
	}
	enc := zapcore.NewJSONEncoder(zapcore.EncoderConfig{})
	fields := []zapcore.Field{{Key: "ai", Type: zapcore.ObjectMarshalerType, Interface: Object{Record: record}}}
	line := func() *buffer.Buffer {
		b, err := enc.EncodeEntry(zapcore.Entry{}, fields)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	line().Free() // which the next ones take
	if n := testing.AllocsPerRun(100, func() { line().Free() }); n > 2 {
		t.Errorf("%v allocations", n)
	}
}
