package accesslog

import (
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap/zapcore"

	"github.com/weirproxy/weir/internal/jsonscan"
)

// encoder writes members: a logger's own, which its lines have in common, or all of
// a line. It hands itself to what writes an object, since encoders that are wrapped
// around it, as Caddy's filter, go on with the one that they know.
type encoder struct {
	config *zapcore.EncoderConfig
	b      []byte
	open   int // namespaces of the innermost object
}

func newEncoder(config zapcore.EncoderConfig) *encoder {
	if config.LineEnding == "" {
		config.LineEnding = zapcore.DefaultLineEnding
	}
	return &encoder{config: &config}
}

// room is how much memory a logger takes for an object among its own fields: that of
// each request has one, the request.
const room = 1 << 10

// Clone implements zapcore.Encoder. What is added to the clone goes to memory of
// its own.
func (e *encoder) Clone() zapcore.Encoder {
	return &encoder{config: e.config, b: slices.Clip(e.b), open: e.open}
}

// comma separates what follows from what is there, if that needs it.
func (e *encoder) comma() {
	if n := len(e.b); n > 0 {
		switch e.b[n-1] {
		case '{', '[', ':', ',':
		default:
			e.b = append(e.b, ',')
		}
	}
}

func (e *encoder) key(k string) {
	e.comma()
	e.b = append(jsonscan.AppendString(e.b, k), ':')
}

func (e *encoder) closeNamespaces() {
	for ; e.open > 0; e.open-- {
		e.b = append(e.b, '}')
	}
}

// AddArray and the others implement zapcore.ObjectEncoder.
func (e *encoder) AddArray(k string, v zapcore.ArrayMarshaler) error {
	e.key(k)
	if secret(k) {
		e.b = append(e.b, redactedValues...)
		return nil
	}
	return e.AppendArray(v)
}

func (e *encoder) AddObject(k string, v zapcore.ObjectMarshaler) error {
	if cap(e.b) == len(e.b) {
		e.b = slices.Grow(e.b, room)
	}
	e.key(k)
	return e.AppendObject(v)
}

func (e *encoder) AddString(k, v string) {
	e.key(k)
	if k == "uri" {
		e.b = appendURI(e.b, v)
		return
	}
	e.b = jsonscan.AppendString(e.b, v)
}

func (e *encoder) AddByteString(k string, v []byte) {
	e.key(k)
	e.b = jsonscan.AppendText(e.b, v)
}

func (e *encoder) AddReflected(k string, v any) error {
	text, err := reflected(v)
	if err == nil {
		e.key(k)
		e.b = append(e.b, text...)
	}
	return err
}

func (e *encoder) OpenNamespace(k string) {
	e.key(k)
	e.b = append(e.b, '{')
	e.open++
}

func (e *encoder) AddBinary(k string, v []byte) {
	e.AddString(k, base64.StdEncoding.EncodeToString(v))
}

func (e *encoder) AddBool(k string, v bool)              { e.key(k); e.AppendBool(v) }
func (e *encoder) AddComplex128(k string, v complex128)  { e.key(k); e.AppendComplex128(v) }
func (e *encoder) AddComplex64(k string, v complex64)    { e.key(k); e.AppendComplex64(v) }
func (e *encoder) AddDuration(k string, v time.Duration) { e.key(k); e.AppendDuration(v) }
func (e *encoder) AddFloat64(k string, v float64)        { e.key(k); e.AppendFloat64(v) }
func (e *encoder) AddFloat32(k string, v float32)        { e.key(k); e.AppendFloat32(v) }
func (e *encoder) AddInt(k string, v int)                { e.key(k); e.AppendInt64(int64(v)) }
func (e *encoder) AddInt64(k string, v int64)            { e.key(k); e.AppendInt64(v) }
func (e *encoder) AddInt32(k string, v int32)            { e.key(k); e.AppendInt64(int64(v)) }
func (e *encoder) AddInt16(k string, v int16)            { e.key(k); e.AppendInt64(int64(v)) }
func (e *encoder) AddInt8(k string, v int8)              { e.key(k); e.AppendInt64(int64(v)) }
func (e *encoder) AddTime(k string, v time.Time)         { e.key(k); e.AppendTime(v) }
func (e *encoder) AddUint(k string, v uint)              { e.key(k); e.AppendUint64(uint64(v)) }
func (e *encoder) AddUint64(k string, v uint64)          { e.key(k); e.AppendUint64(v) }
func (e *encoder) AddUint32(k string, v uint32)          { e.key(k); e.AppendUint64(uint64(v)) }
func (e *encoder) AddUint16(k string, v uint16)          { e.key(k); e.AppendUint64(uint64(v)) }
func (e *encoder) AddUint8(k string, v uint8)            { e.key(k); e.AppendUint64(uint64(v)) }
func (e *encoder) AddUintptr(k string, v uintptr)        { e.key(k); e.AppendUint64(uint64(v)) }

// AppendArray and the others implement zapcore.ArrayEncoder.
func (e *encoder) AppendArray(v zapcore.ArrayMarshaler) error {
	e.comma()
	e.b = append(e.b, '[')
	err := v.MarshalLogArray(e)
	e.b = append(e.b, ']')
	return err
}

func (e *encoder) AppendObject(v zapcore.ObjectMarshaler) (err error) {
	e.comma()
	e.b = append(e.b, '{')
	outer := e.open
	e.open = 0
	if h, ok := v.(caddyhttp.LoggableHTTPHeader); ok {
		e.header(h)
	} else {
		err = v.MarshalLogObject(e)
	}
	e.closeNamespaces()
	e.open = outer
	e.b = append(e.b, '}')
	return err
}

func (e *encoder) AppendReflected(v any) error {
	text, err := reflected(v)
	if err == nil {
		e.comma()
		e.b = append(e.b, text...)
	}
	return err
}

func (e *encoder) AppendBool(v bool)         { e.comma(); e.b = strconv.AppendBool(e.b, v) }
func (e *encoder) AppendByteString(v []byte) { e.comma(); e.b = jsonscan.AppendText(e.b, v) }
func (e *encoder) AppendString(v string)     { e.comma(); e.b = jsonscan.AppendString(e.b, v) }

func (e *encoder) AppendComplex128(v complex128) {
	e.AppendString(strings.Trim(strconv.FormatComplex(v, 'f', -1, 128), "()"))
}

func (e *encoder) AppendComplex64(v complex64) {
	e.AppendString(strings.Trim(strconv.FormatComplex(complex128(v), 'f', -1, 64), "()"))
}

func (e *encoder) AppendDuration(v time.Duration) { e.config.EncodeDuration(v, e) }
func (e *encoder) AppendTime(v time.Time)         { e.config.EncodeTime(v, e) }

func (e *encoder) AppendFloat64(v float64) { e.comma(); e.b = appendFloat(e.b, v, 64) }
func (e *encoder) AppendFloat32(v float32) { e.comma(); e.b = appendFloat(e.b, float64(v), 32) }

func (e *encoder) AppendInt(v int)         { e.AppendInt64(int64(v)) }
func (e *encoder) AppendInt64(v int64)     { e.comma(); e.b = strconv.AppendInt(e.b, v, 10) }
func (e *encoder) AppendInt32(v int32)     { e.AppendInt64(int64(v)) }
func (e *encoder) AppendInt16(v int16)     { e.AppendInt64(int64(v)) }
func (e *encoder) AppendInt8(v int8)       { e.AppendInt64(int64(v)) }
func (e *encoder) AppendUint(v uint)       { e.AppendUint64(uint64(v)) }
func (e *encoder) AppendUint64(v uint64)   { e.comma(); e.b = strconv.AppendUint(e.b, v, 10) }
func (e *encoder) AppendUint32(v uint32)   { e.AppendUint64(uint64(v)) }
func (e *encoder) AppendUint16(v uint16)   { e.AppendUint64(uint64(v)) }
func (e *encoder) AppendUint8(v uint8)     { e.AppendUint64(uint64(v)) }
func (e *encoder) AppendUintptr(v uintptr) { e.AppendUint64(uint64(v)) }

// Interface guards.
var (
	_ zapcore.Encoder      = (*encoder)(nil)
	_ zapcore.ArrayEncoder = (*encoder)(nil)
)
