package form_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/weirproxy/weir/cache"
	"github.com/weirproxy/weir/cache/form"
	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
)

func response(members string) string {
	return `{"id":"resp_1","object":"response","status":"completed","output":[{"id":"msg_1","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","text":"\"response\": {\"user\":\"nobody\"}","annotations":[]}]}]` + members + `}`
}

func TestEcho(t *testing.T) {
	for _, tt := range []struct {
		name, said, body, want string
	}{
		{"nothing", ``, `{"model":"m"}`, ``},
		{"nothing is said", `,"metadata":{},"user":null,"safety_identifier":null,"prompt_cache_key":null`, `{"model":"m","user":null}`, `,"metadata":{},"user":null,"safety_identifier":null,"prompt_cache_key":null`},
		{"another's", `,"metadata": {"secret":"a"},"user" :"alice","safety_identifier":"s","prompt_cache_key":"k","x":1`, `{"model":"m"}`, `,"metadata": {},"user" :null,"safety_identifier":null,"prompt_cache_key":null,"x":1`},
		{"mine", `,"metadata":{"secret":"a"},"user":"alice","safety_identifier":"s","prompt_cache_key":"k","x":1`, "{\"prompt_cache_key\":\"K\",\"metadata\":{\n \"b\":\"c\"\n},\"user\":\"bob\",\"safety_identifier\":\"S\"}", `,"metadata":{ "b":"c"},"user":"bob","safety_identifier":"S","prompt_cache_key":"K","x":1`},
		{"mine already", `,"metadata":{"b":"c"},"user":"bob"`, `{"user":"bob","metadata":{"b":"c"}}`, `,"metadata":{"b":"c"},"user":"bob"`},
		{"added", `,"x":1`, `{"user":"bob","metadata":{"b":"c"}}`, `,"x":1,"metadata":{"b":"c"},"user":"bob"`},
		{"instructions", `,"instructions":"be brief"`, `{"input":[]}`, `,"instructions":null`},
		{"my instructions", `,"instructions":null`, `{"instructions":"be\u0020brief"}`, `,"instructions":"be\u0020brief"`},
		{"the server's choice stays", `,"prompt_cache_retention":"24h","store":true`, `{}`, `,"prompt_cache_retention":"24h","store":true`},
		{"my choice", `,"prompt_cache_retention":"24h","store":true`, `{"store":false,"prompt_cache_retention":"in_memory"}`, `,"prompt_cache_retention":"in_memory","store":false`},
		{"no choice is added", ``, `{"store":false}`, ``},
	} {
		t.Run(tt.name, func(t *testing.T) {
			whole := cache.Form{Operation: wire.Responses, Body: []byte(response(tt.said))}
			got, err := form.Echo(whole, []byte(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			if string(got.Body) != response(tt.want) {
				t.Errorf("%s\nnot\n%s", got.Body, response(tt.want))
			}
			if same := &got.Body[0] == &whole.Body[0]; same != (tt.said == tt.want) {
				t.Errorf("the very same bytes: %t", same)
			}
			if string(whole.Body) != response(tt.said) {
				t.Error("the kept bytes were changed")
			}
			events := func(members string) string {
				return "event: response.created\r\ndata:" + `{"type":"response.created","response":` + response(members) + "}\r\n\r\n" +
					"event: response.output_text.delta\ndata: " + `{"type":"response.output_text.delta","delta":"\"response\": {\"user\":\"nobody\"}"}` + "\n\n" +
					": comment\n\nevent: response.completed\ndata: " + `{"response":` + response(members) + `,"type":"response.completed"}` + "\n\n"
			}
			stream := cache.Form{Operation: wire.Responses, Stream: true, Body: []byte(events(tt.said))}
			if got, err = form.Echo(stream, []byte(tt.body)); err != nil {
				t.Fatal(err)
			}
			if string(got.Body) != events(tt.want) {
				t.Errorf("%s\nnot\n%s", got.Body, events(tt.want))
			}
		})
	}
}

// TestEchoes converts recordings of Responses, which repeat a request, for
// others: nothing of the first caller's may be left in any form.
func TestEchoes(t *testing.T) {
	n := 0
	for _, rec := range complete(t) {
		if rec.Op != wire.Responses {
			continue
		}
		mine := []byte(`{"model":"m","input":"x","user":"me","safety_identifier":"mine","metadata":{"my":"own"},"prompt_cache_key":"own"}`)
		theirs := cache.Form{Operation: rec.Op, Stream: rec.Stream, Body: rec.Answer}
		a := &cache.Answer{Form: mustEcho(t, theirs, `{"user":"THEIRS","safety_identifier":"THEIRS","metadata":{"a":"THEIRS"},"prompt_cache_key":"THEIRS"}`)}
		if bytes.Count(a.Form.Body, []byte("THEIRS")) < 4 {
			t.Fatalf("%s repeats nothing", rec.Name)
		}
		for _, stream := range []bool{false, true} {
			for _, body := range [][]byte{mine, []byte(`{"model":"m","input":"x"}`)} {
				got, err := form.Convert(a, form.Want{Operation: wire.Responses, Stream: stream, Body: body, ID: "abc"})
				if err != nil {
					t.Fatalf("%s: %v", rec.Name, err)
				}
				if bytes.Contains(got.Body, []byte("THEIRS")) {
					t.Errorf("%s: another's in %s", rec.Name, got.Body)
				}
				if own := bytes.Count(got.Body, []byte(`"me"`)); (own > 0) != (len(body) == len(mine)) {
					t.Errorf("%s: mine %d times in %s", rec.Name, own, got.Body)
				}
				n++
				if !stream {
					if !json.Valid(got.Body) {
						t.Errorf("%s: %s", rec.Name, got.Body)
					}
					continue
				}
				reader := sse.NewReader(bytes.NewReader(got.Body), 0)
				var ev sse.Event
				for reader.Next(&ev) == nil {
					if ev.HasData && !json.Valid(ev.Data) && !strings.HasPrefix(string(ev.Data), "[DONE]") {
						t.Errorf("%s: %s", rec.Name, ev.Data)
					}
				}
			}
		}
	}
	if n < 160 {
		t.Errorf("only %d answers", n)
	}
}

func mustEcho(t *testing.T, f cache.Form, body string) cache.Form {
	t.Helper()
	f, err := form.Echo(f, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestEchoRefuses what it cannot read to the end: a member may be there twice,
// or on several lines.
func TestEchoRefuses(t *testing.T) {
	for name, f := range map[string]cache.Form{
		"twice":         {Body: []byte(`{"user":null,"user":"alice"}`)},
		"in other case": {Body: []byte(`{"User":"alice"}`)},
		"no JSON":       {Body: []byte(`{"user":`)},
		"lines":         {Stream: true, Body: []byte("data: {\"type\":\"response.created\",\ndata: \"response\":{\"user\":\"alice\"}}\n\n")},
	} {
		f.Operation = wire.Responses
		if got, err := form.Echo(f, nil); err == nil {
			t.Errorf("%s: %s", name, got.Body)
		}
	}
}

// TestSpelling holds that requests have one spelling only if the answer to one, as it
// is, is right for the other.
func TestSpelling(t *testing.T) {
	bodies := []string{
		`{}`, `{"user":null,"metadata":null}`, `{"user":"a"}`, `{"user":"b"}`, `{"metadata":{"a":"b"}}`, `{"metadata":{"a":"c"}}`,
		`{"safety_identifier":"a"}`, `{"prompt_cache_key":"a"}`, `{"instructions":"a"}`, `{"store":false}`, `{"user":"a","metadata":{"a":"b"}}`,
		`{"user":"ametadata"}`, `{"us\u0065r":"a"}`,
	}
	answer := cache.Form{Operation: wire.Responses, Body: []byte(`{"id":"r","object":"response","user":null,"metadata":{}}`)}
	for _, a := range bodies {
		for _, b := range bodies {
			first, err := form.Echo(answer, []byte(a))
			if err != nil {
				t.Fatal(err)
			}
			second, err := form.Echo(first, []byte(b))
			if err != nil {
				t.Fatal(err)
			}
			if form.Spelling(wire.Responses, []byte(a)) == form.Spelling(wire.Responses, []byte(b)) && string(first.Body) != string(second.Body) {
				t.Errorf("%s and %s have one spelling, but %s is %s", a, b, first.Body, second.Body)
			}
		}
	}
	for _, tc := range []struct {
		op   *wire.Operation
		a, b string
		same bool
	}{
		{wire.Responses, `{}`, `{"input":"x","user":null}`, true},
		{wire.Responses, `{"user":"a"}`, `{"input":[], "user" : "a"}`, true},
		{wire.Chat, `{"user":"a"}`, `{"user":"b"}`, true},
		{wire.Embeddings, `{"encoding_format":"base64"}`, `{}`, false},
		{wire.Embeddings, `{"encoding_format":"float"}`, `{}`, true},
	} {
		if got := form.Spelling(tc.op, []byte(tc.a)) == form.Spelling(tc.op, []byte(tc.b)); got != tc.same {
			t.Errorf("%s: %s and %s: the same: %v", tc.op.Name, tc.a, tc.b, got)
		}
	}
}
