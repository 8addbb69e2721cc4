package accesslog

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/logging"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// both are this format and Caddy's with the same settings.
func both(t testing.TB, config logging.LogEncoderConfig) (ours, caddys zapcore.Encoder) {
	t.Helper()
	f, j := &Format{LogEncoderConfig: config}, &logging.JSONEncoder{LogEncoderConfig: config}
	if err := errors.Join(f.Provision(caddy.Context{}), j.Provision(caddy.Context{})); err != nil {
		t.Fatal(err)
	}
	return f, j
}

func line(t testing.TB, e zapcore.Encoder, entry zapcore.Entry, fields ...zapcore.Field) string {
	t.Helper()
	b, err := e.EncodeEntry(entry, fields)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Free()
	return b.String()
}

type object []zapcore.Field

func (o object) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	for _, f := range o {
		f.AddTo(enc)
	}
	return nil
}

type array []any

func (a array) MarshalLogArray(enc zapcore.ArrayEncoder) error {
	enc.AppendBool(true)
	enc.AppendByteString([]byte(`b"`))
	enc.AppendComplex128(1 - 2i)
	enc.AppendComplex64(-1.5 + 2i)
	enc.AppendDuration(time.Second + time.Millisecond)
	enc.AppendTime(noon)
	enc.AppendFloat64(1.5)
	enc.AppendFloat32(0.1)
	enc.AppendInt(-1)
	enc.AppendInt64(-2)
	enc.AppendInt32(-3)
	enc.AppendInt16(-4)
	enc.AppendInt8(-5)
	enc.AppendUint(1)
	enc.AppendUint64(math.MaxUint64)
	enc.AppendUint32(3)
	enc.AppendUint16(4)
	enc.AppendUint8(5)
	enc.AppendUintptr(6)
	enc.AppendString("é\t")
	for _, v := range a {
		if err := enc.AppendReflected(v); err != nil {
			return err
		}
	}
	if err := enc.AppendArray(zapcore.ArrayMarshalerFunc(func(zapcore.ArrayEncoder) error { return nil })); err != nil {
		return err
	}
	return enc.AppendObject(object{zap.Namespace("in"), zap.Int("a", 1)})
}

var noon = time.Date(2026, 6, 1, 12, 0, 0, 123456789, time.UTC)

// fields are one of each kind.
func fields() []zapcore.Field {
	return []zapcore.Field{
		zap.Array("array", array{nil, 1, "<b>", map[string]int{"x": 1}}),
		zap.Object("object", object{zap.String("s", "v"), zap.Namespace("deep"), zap.Int("i", 1), zap.Namespace("deeper"), zap.Bool("b", false)}),
		zap.Object("empty", object{}),
		zap.Binary("binary", []byte{0, 1, 255}), zap.ByteString("bytes", []byte("a\"b")), zap.Bool("bool", true),
		zap.Complex128("c128", 1.25+2i), zap.Complex64("c64", -1-0.1i),
		zap.Duration("duration", 1500*time.Microsecond), zap.Float64("f64", 0.00122), zap.Float32("f32", 0.1),
		zap.Int("int", -1), zap.Int64("i64", math.MinInt64), zap.Int32("i32", 2), zap.Int16("i16", 3), zap.Int8("i8", 4),
		zap.String(`a "key"`, "line\nbreak\\ \x01 ü"), zap.Time("time", noon),
		zap.Uint("uint", 1), zap.Uint64("u64", 2), zap.Uint32("u32", 3), zap.Uint16("u16", 4), zap.Uint8("u8", 5), zap.Uintptr("ptr", 6),
		zap.Reflect("reflected", struct{ A, B any }{"<&>", nil}), zap.Reflect("nothing", nil), zap.Reflect("impossible", make(chan int)),
		zap.Stringer("stringer", time.Second), zap.NamedError("failure", fmt.Errorf("reading: %w", http.ErrBodyNotAllowed)),
		zap.Strings("strings", []string{"a", "b"}), zap.Inline(object{zap.Int("inline", 1)}), zap.Skip(), zap.Namespace("rest"), zap.String("last", ""),
	}
}

// TestSameAsJSON holds that a line is, byte for byte, what `format json` writes.
func TestSameAsJSON(t *testing.T) {
	key, end := "k", "\r\n"
	for name, config := range map[string]logging.LogEncoderConfig{
		"as it is": {},
		"names":    {MessageKey: &key, LevelKey: &key, TimeKey: &key, NameKey: &key, CallerKey: &key, StacktraceKey: &key, LineEnding: &end},
		"formats":  {TimeFormat: "wall_milli", DurationFormat: "string", LevelFormat: "color"},
		"iso8601":  {TimeFormat: "iso8601", DurationFormat: "ms", LevelFormat: "upper"},
		"nothing":  {MessageKey: new(string), LevelKey: new(string), TimeKey: new(string), NameKey: new(string)},
	} {
		t.Run(name, func(t *testing.T) {
			ours, caddys := both(t, config)
			entry := zapcore.Entry{
				Level: zapcore.WarnLevel, Time: noon, LoggerName: "http.log.access", Message: "handled \"request\"",
				Caller: zapcore.NewEntryCaller(1, "/a/b/c.go", 7, true), Stack: "one\ntwo",
			}
			same := func(e zapcore.Entry, fields ...zapcore.Field) {
				t.Helper()
				if diff := cmp.Diff(line(t, caddys, e, fields...), line(t, ours, e, fields...)); diff != "" {
					t.Errorf("Caddy's line and ours (-json +ai):\n%s", diff)
				}
			}
			same(zapcore.Entry{})
			same(entry)
			same(entry, fields()...)
			for range 2 { // the second time behind open namespaces
				ours, caddys = ours.Clone(), caddys.Clone()
				for _, f := range fields() {
					f.AddTo(ours)
					f.AddTo(caddys)
				}
				same(entry)
				same(entry, zap.Int("one", 1), zap.Namespace("more"), zap.Int("two", 2))
			}
		})
	}
}

// TestRequestSameAsJSON holds the same for what Caddy's access log has, whose
// headers come in any order.
func TestRequestSameAsJSON(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "https://example.com/v1/chat?user=1&x", strings.NewReader("{}"))
	r.Header = http.Header{"Accept": {"a", "b"}, "Authorization": {"Bearer sk-1"}, "Cookie": {"c"}, "X-None": {}, "X-Nil": nil, "x-odd": {"\"q\""}}
	r.TransferEncoding = []string{"chunked"}
	r.TLS = &tls.ConnectionState{Version: tls.VersionTLS13, ServerName: "example.com", NegotiatedProtocol: "h2"}
	for _, credentials := range []bool{false, true} {
		ours, caddys := both(t, logging.LogEncoderConfig{})
		lines := make(map[zapcore.Encoder]any)
		for _, e := range []zapcore.Encoder{ours, caddys} {
			with := e.Clone()
			zap.Object("request", caddyhttp.LoggableHTTPRequest{Request: r, ShouldLogCredentials: credentials}).AddTo(with)
			text := line(t, with, zapcore.Entry{Time: noon, Message: "handled request"},
				zap.Object("resp_headers", caddyhttp.LoggableHTTPHeader{Header: http.Header{"Set-Cookie": {"s"}, "Etag": {"e"}}, ShouldLogCredentials: credentials}),
				zap.Object("none", caddyhttp.LoggableHTTPHeader{}))
			var v any
			if err := json.Unmarshal([]byte(text), &v); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			if has := strings.Contains(text, "sk-1"); has != credentials {
				t.Errorf("credentials %v: %s", credentials, text)
			}
			lines[e] = v
		}
		if diff := cmp.Diff(lines[caddys], lines[ours]); diff != "" {
			t.Errorf("credentials %v (-json +ai):\n%s", credentials, diff)
		}
	}
}

// TestFloats holds that numbers are those that strconv writes.
func TestFloats(t *testing.T) {
	check := func(v float64) {
		t.Helper()
		if got, want := string(appendFloat(nil, v, 64)), strconv.FormatFloat(v, 'f', -1, 64); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	for _, v := range []float64{0, math.Copysign(0, -1), 1, -1, 0.001, 0.01, 0.1, 100, 1e12 + 0.5, 1e15, 1e300, 5e-324, math.MaxInt64, math.MaxFloat64, 1.0005, 999999999999.999} {
		check(v)
		check(-v)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		check(float64(random.Int64N(1e7)) / 1000)
		check(float64(random.Int64N(1e16)) / 1000)
		check(random.Float64() * 1000)
		check(math.Float64frombits(random.Uint64() &^ (1 << 62))) // below 2, of any size
	}
}
