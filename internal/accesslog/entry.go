package accesslog

import (
	"sync"

	"go.uber.org/zap/buffer"
	"go.uber.org/zap/zapcore"
)

// maxPooled is how much memory an encoder may have and be kept for the next line.
const maxPooled = 64 << 10

// idle are encoders that write no line now; lines are what zap takes lines in, and
// gives back when they are in the log.
var (
	idle  sync.Pool
	lines = buffer.NewPool()
)

// line is an encoder for one line.
func (e *encoder) line() *encoder {
	l, _ := idle.Get().(*encoder)
	if l == nil {
		l = &encoder{b: make([]byte, 0, 4<<10)}
	}
	l.config = e.config
	return l
}

// free gives the encoder of a line back, and what it has written.
func (e *encoder) free() {
	if cap(e.b) > maxPooled {
		return
	}
	*e = encoder{b: e.b[:0]}
	idle.Put(e)
}

// EncodeEntry implements zapcore.Encoder. The order is that of zap's JSON.
func (e *encoder) EncodeEntry(entry zapcore.Entry, fields []zapcore.Field) (*buffer.Buffer, error) {
	l := e.line()
	defer l.free()
	l.b = append(l.b, '{')
	l.head(&entry)
	if len(e.b) > 0 {
		l.comma()
		l.b = append(l.b, e.b...)
	}
	l.open = e.open
	for i := range fields {
		fields[i].AddTo(l)
	}
	l.closeNamespaces()
	if entry.Stack != "" && e.config.StacktraceKey != "" {
		l.AddString(e.config.StacktraceKey, entry.Stack)
	}
	l.b = append(append(l.b, '}'), e.config.LineEnding...)
	text := lines.Get()
	text.AppendBytes(l.b)
	return text, nil
}

// head writes what every line begins with.
func (e *encoder) head(entry *zapcore.Entry) {
	c := e.config
	if c.LevelKey != "" {
		e.key(c.LevelKey)
		c.EncodeLevel(entry.Level, e)
	}
	if c.TimeKey != "" && !entry.Time.IsZero() {
		e.key(c.TimeKey)
		c.EncodeTime(entry.Time, e)
	}
	if entry.LoggerName != "" && c.NameKey != "" {
		e.AddString(c.NameKey, entry.LoggerName)
	}
	if entry.Caller.Defined && c.CallerKey != "" {
		e.key(c.CallerKey)
		c.EncodeCaller(entry.Caller, e)
	}
	if c.MessageKey != "" {
		e.AddString(c.MessageKey, entry.Message)
	}
}
