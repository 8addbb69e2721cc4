package ledger

import (
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/wire"
)

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// filled is a row with a value of its own in every field.
func filled() Row {
	var r Row
	v := reflect.ValueOf(&r).Elem()
	for i := range v.NumField() {
		switch f := v.Field(i); f.Kind() {
		case reflect.String:
			f.SetString(v.Type().Field(i).Name)
		case reflect.Int64:
			f.SetInt(int64(i + 1))
		case reflect.Bool:
			f.SetBool(true)
		}
	}
	r.Time = noon.Add(time.Microsecond)
	return r
}

// TestFields holds that every field is encoded and has a column, in one order.
func TestFields(t *testing.T) {
	r := filled()
	got, err := DecodeRow(AppendRow(nil, &r))
	if err != nil || !cmp.Equal(got, r) {
		t.Errorf("%v %s", err, cmp.Diff(r, got))
	}
	var values []any
	text, number := func(s string) { values = append(values, s) }, func(n int64) { values = append(values, n) }
	r.Values(text, number)
	columns := Columns()
	if len(values) != len(columns) || len(columns)+1 != reflect.TypeFor[Row]().NumField() {
		t.Fatalf("%d values, %d columns, %d fields", len(values), len(columns), reflect.TypeFor[Row]().NumField())
	}
	byTag := map[string]any{}
	v := reflect.ValueOf(r)
	for i := range v.NumField() {
		byTag[v.Type().Field(i).Tag.Get("json")] = v.Field(i).Interface()
	}
	for i, column := range columns {
		if flag, ok := byTag[column].(bool); ok {
			byTag[column] = map[bool]int64{true: 1}[flag]
		}
		if byTag[column] != values[i] {
			t.Errorf("column %s has %v, not %v", column, values[i], byTag[column])
		}
	}
	bucket := r.Bucket()
	values = nil
	bucket.Values(text, number)
	if len(values) != len(Dimensions()) {
		t.Errorf("%d values of dimensions", len(values))
	}
	for i, value := range values {
		if byTag[Dimensions()[i]] != value {
			t.Errorf("dimension %s has %v", Dimensions()[i], value)
		}
	}
}

// TestOtherVersions reads rows of programs with fewer and with more fields.
func TestOtherVersions(t *testing.T) {
	older := []byte{0, 1, 1, 'a', 1, 4, 0} // a time, one text, one count, no flags
	if got, err := DecodeRow(older); err != nil || got.RequestID != "a" || got.Status != 2 {
		t.Errorf("%+v %v", got, err)
	}
	r := filled()
	b := AppendRow(nil, &r)
	newer := append(b[:len(b):len(b)], "more"...)
	if got, err := DecodeRow(newer); err != nil || !cmp.Equal(got, r) {
		t.Errorf("%v %s", err, cmp.Diff(r, got))
	}
}

func TestFromRecord(t *testing.T) {
	got := FromRecord(&gateway.Record{
		RequestID: "req_1", Time: noon.Add(1500 * time.Nanosecond).In(time.FixedZone("", 3600)), Key: "ci", Principal: "ann", Dialect: wire.OpenAI,
		Operation: "chat", Model: "chat", Provider: "openai", UpstreamModel: "gpt-4.1", UpstreamID: "x", Stream: true, Status: 200,
		Error: "e", Phase: "p", FinishReason: "stop", ClientGone: true, Usage: wire.Usage{Input: 5, Output: 4, CacheRead: 3, CacheWrite: 2, Reasoning: 1},
		UsageSource: "provider", Cache: "miss", Attempts: 2, BytesOut: 9,
		Timings: gateway.Timings{Auth: 1000, Queue: 2000, Limit: 3000, Cache: 4000, Route: 5000, Upstream: 6000, FirstToken: 7000, Total: 8999},
	})
	want := Row{
		RequestID: "req_1", Time: noon.Add(time.Microsecond), Key: "ci", Principal: "ann", Dialect: "openai",
		Operation: "chat", Model: "chat", Provider: "openai", UpstreamModel: "gpt-4.1", UpstreamID: "x", Stream: true, Status: 200,
		Error: "e", Phase: "p", FinishReason: "stop", ClientGone: true, Input: 5, Output: 4, CacheRead: 3, CacheWrite: 2, Reasoning: 1,
		UsageSource: "provider", Cache: "miss", Attempts: 2, BytesOut: 9,
		AuthMicros: 1, QueueMicros: 2, LimitMicros: 3, CacheMicros: 4, RouteMicros: 5, UpstreamMicros: 6, FirstTokenMicros: 7, TotalMicros: 8,
	}
	if got.Clean(); !cmp.Equal(got, want) {
		t.Error(cmp.Diff(want, got))
	}
	got.Interrupt(Progress{Usage: wire.Usage{Input: 5, Output: 2}, CostNano: 7, BytesOut: 3})
	if got.Output != 2 || got.CostNano != 7 || got.BytesOut != 3 || got.Error != Interrupted || got.UsageSource != gateway.SourceEstimated {
		t.Errorf("%+v", got)
	}
}

func TestClean(t *testing.T) {
	for name, test := range map[string]struct{ in, want string }{
		"plain":           {"gpt-4.1", "gpt-4.1"},
		"NUL":             {"a\x00b", "a�b"},
		"no UTF-8":        {"a\xff\xfeb", "a�b"},
		"long":            {strings.Repeat("x", 600), strings.Repeat("x", 512)},
		"cut in a rune":   {strings.Repeat("x", 511) + "é", strings.Repeat("x", 511)},
		"cut before one":  {strings.Repeat("x", 512) + "é", strings.Repeat("x", 512)},
		"long no UTF-8":   {strings.Repeat("\x80", 600), ""},
		"4 bytes, 2 kept": {strings.Repeat("x", 510) + "\U0001f980", strings.Repeat("x", 510)},
	} {
		got := cleanText(test.in)
		if plain(test.in) != (name == "plain") {
			t.Errorf("%s: plain is %v", name, plain(test.in))
		}
		if name == "long no UTF-8" { // anything, as long as it is text
			if !utf8.ValidString(got) || len(got) > 3*maxText {
				t.Errorf("%s: %q", name, got)
			}
			continue
		}
		if strings.TrimSuffix(got, "�") != test.want && got != test.want {
			t.Errorf("%s: %q, not %q", name, got, test.want)
		}
	}
	r := Row{Input: math.MaxInt64, Output: -5, CostNano: math.MaxInt64, Status: 70000}
	r.Clean()
	if r.Input != maxTokens || r.Output != 0 || r.CostNano != maxMoney || r.Status != 999 || !r.Time.Equal(earliest) {
		t.Errorf("%+v", r)
	}
}

// FuzzDecodeRow holds that no bytes make the decoder fail, and that what it
// reads can be stored and is read again as the same.
func FuzzDecodeRow(f *testing.F) {
	r := filled()
	f.Add(AppendRow(nil, &r))
	f.Add([]byte{0, 1, 1, 'a', 1, 4, 0})
	f.Add([]byte{0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := DecodeRow(b)
		if err != nil {
			return
		}
		again, err := DecodeRow(AppendRow(nil, &r))
		if err != nil || !cmp.Equal(again, r) {
			t.Fatalf("%v %s", err, cmp.Diff(r, again))
		}
		for _, s := range r.texts() {
			if !utf8.ValidString(*s) || strings.Contains(*s, "\x00") {
				t.Fatalf("%q is no text", *s)
			}
		}
		if id, p, err := DecodeProgress(b); err == nil {
			if id2, p2, err := DecodeProgress(AppendProgress(nil, id, p)); err != nil || id != id2 || p != p2 {
				t.Fatalf("%q %+v, %q %+v, %v", id, p, id2, p2, err)
			}
		}
	})
}
