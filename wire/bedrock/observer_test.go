package bedrock_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/bedrock"
)

func event(name, data string) string { return "event: " + name + "\ndata: " + data + "\n\n" }

func one(t testing.TB, text string) *sse.Event {
	t.Helper()
	ev := new(sse.Event)
	if err := sse.NewReader(strings.NewReader(text), 0).Next(ev); err != nil {
		t.Fatal(err)
	}
	return ev
}

func TestClasses(t *testing.T) {
	delta := func(d string) string { return event("contentBlockDelta", `{"contentBlockIndex":0,"delta":`+d+`}`) }
	for _, tt := range []struct {
		name, event string
		want        wire.Class
		text        string
	}{
		{"the start", event("messageStart", `{"role":"assistant"}`), 0, ""},
		{"a call", event("contentBlockStart", `{"start":{"toolUse":{"name":"f"}}}`), wire.Content, "f"},
		{"text", delta(`{"text":"a\u00e9"}`), wire.Content, "aé"},
		{"empty text", delta(`{"text":""}`), 0, ""},
		{"arguments", delta(`{"toolUse":{"input":"{"}}`), wire.Content, "{"},
		{"thinking", delta(`{"reasoningContent":{"text":"hm"}}`), wire.Content, "hm"},
		{"a signature", delta(`{"reasoningContent":{"signature":"s"}}`), wire.Content, ""},
		{"a citation", delta(`{"citation":{}}`), wire.Content, ""},
		{"the end of a block", event("contentBlockStop", `{"contentBlockIndex":0}`), 0, ""},
		{"the reason", event("messageStop", `{"stopReason":"end_turn"}`), wire.Finishing, ""},
		{"the end", event("metadata", `{"usage":{"inputTokens":1}}`), wire.Terminal, ""},
		{"an exception", event("throttlingException", `{"message":"slow"}`), wire.Failed, ""},
		{"an exception of tomorrow", event("newException", `{}`), wire.Failed, ""},
		{"an error", event("InternalFailure", `{"message":"x"}`), wire.Failed, ""},
		{"an event of tomorrow", event("surprise", `{}`), 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := ""
			seen := wire.Seen{Text: func(b []byte) { text += string(b) }}
			got, err := bedrock.Door{}.Observer().Event(one(t, tt.event), &seen)
			if err != nil || got != tt.want || text != tt.text || got.Has(wire.Failed) != (seen.Failure != nil) {
				t.Errorf("class %06b, want %06b; text %q, want %q; %+v, error %v", got, tt.want, text, tt.text, seen.Failure, err)
			}
		})
	}
	if _, err := (bedrock.Door{}).Observer().Event(one(t, event("metadata", "[]")), &wire.Seen{}); !errors.Is(err, wire.ErrMalformed) {
		t.Errorf("error %v", err)
	}
}

func TestExceptions(t *testing.T) {
	for _, tt := range []struct {
		name, data string
		want       wire.Kind
	}{
		{"throttlingException", `{"message":"slow"}`, wire.KindRateLimit},
		{"modelTimeoutException", `{"message":"late"}`, wire.KindTimeout},
		{"serviceUnavailableException", `{"message":"busy"}`, wire.KindOverloaded},
		{"internalServerException", `{"message":"x"}`, wire.KindUpstream},
		{"modelStreamErrorException", `{"originalMessage":"x","originalStatusCode":500}`, wire.KindUpstream},
		{"validationException", `{"message":"x"}`, wire.KindInvalid},
		{"validationException", `{"message":"Input is too long for requested model."}`, wire.KindContextLength},
	} {
		var seen wire.Seen
		if _, err := (bedrock.Door{}).Observer().Event(one(t, event(tt.name, tt.data)), &seen); err != nil || seen.Failure == nil || seen.Failure.Kind != tt.want || seen.Failure.Message == "" {
			t.Errorf("%s %s: %+v, %v", tt.name, tt.data, seen.Failure, err)
		}
	}
}

// TestHTTPFailures checks how the vendor's errors outside of streams are read.
func TestHTTPFailures(t *testing.T) {
	for _, tt := range []struct {
		status     int
		kind, body string
		want       wire.Kind
	}{
		{400, "ValidationException:http://internal.amazon.com/", `{"message":"bad"}`, wire.KindInvalid},
		{400, "ValidationException", `{"message":"Input is too long for requested model"}`, wire.KindContextLength},
		{400, "ServiceQuotaExceededException", `{"message":"quota"}`, wire.KindRateLimit},
		{403, "AccessDeniedException", `{"Message":"no"}`, wire.KindPermission},
		{403, "ExpiredTokenException", `{"message":"The security token included in the request is expired"}`, wire.KindAuthentication},
		{403, "UnrecognizedClientException", `{"message":"x"}`, wire.KindAuthentication},
		{404, "ResourceNotFoundException", `{"message":"x"}`, wire.KindModelNotFound},
		{408, "ModelTimeoutException", `{"message":"x"}`, wire.KindTimeout},
		{424, "ModelErrorException", `{"message":"x"}`, wire.KindUpstream},
		{429, "ThrottlingException", `{"message":"x"}`, wire.KindRateLimit},
		{429, "ModelNotReadyException", `{"message":"x"}`, wire.KindOverloaded},
		{500, "InternalServerException", ``, wire.KindUpstream},
		{503, "ServiceUnavailableException", `{"message":"x"}`, wire.KindOverloaded},
	} {
		if f := wire.ReadFailure(tt.status, tt.kind, []byte(tt.body)); f.Kind != tt.want || f.Message == "" {
			t.Errorf("%d %s: %+v, want %v", tt.status, tt.kind, f, tt.want)
		}
	}
}

func TestOwnEvents(t *testing.T) {
	door := bedrock.Door{}
	for kind := wire.KindInternal; kind <= wire.KindConflict; kind++ {
		var seen wire.Seen
		ev := one(t, string(door.AppendErrorEvent(nil, &wire.Failure{Kind: kind, Message: "busy"}, &seen)))
		if class, err := door.Observer().Event(ev, &seen); err != nil || class != wire.Failed || seen.Failure.Message != "busy" {
			t.Errorf("%v: %q: class %06b, %+v, %v", kind, ev.Raw, class, seen.Failure, err)
		}
	}
	for name, raw := range map[string][]byte{"heartbeat": door.AppendHeartbeat(nil), "metadata": door.AppendMetadata(nil, []byte(`{"a":1}`), nil)} {
		if class, err := door.Observer().Event(one(t, string(raw)), &wire.Seen{}); err != nil || class != 0 {
			t.Errorf("%s: class %06b, %v", name, class, err)
		}
	}
}

func TestObserverDoesNotAllocate(t *testing.T) {
	observer := bedrock.Door{}.Observer()
	seen := &wire.Seen{Text: func([]byte) {}}
	ev := one(t, event("contentBlockDelta", `{"contentBlockIndex":0,"delta":{"text":" weir"},"p":"abcdef"}`))
	read := func() {
		if _, err := observer.Event(ev, seen); err != nil {
			t.Fatal(err)
		}
	}
	read()
	if got := testing.AllocsPerRun(100, read); got != 0 {
		t.Errorf("%v allocations", got)
	}
}
