package form

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/weirproxy/weir/wire"
)

// errEncoding is what Unmarshal says of bytes that Marshal did not write.
var errEncoding = errors.New("not the encoding of an answer")

// maxNesting bounds the results of tools within results.
const maxNesting = 8

// Unmarshal is the reverse of Marshal. What it returns is safe to encode in any
// dialect, whatever data is. The error says that data is of another version, or
// is damaged.
func Unmarshal(data []byte) (*wire.Response, error) {
	if len(data) == 0 {
		return nil, fmt.Errorf("reading kept answer: %w", errEncoding)
	}
	if data[0] != version {
		return nil, fmt.Errorf("reading kept answer: version %d, not %d", data[0], version)
	}
	r := reader{rest: string(data[1:])} // one copy, of which all texts are parts
	res := r.response()
	if r.bad || r.rest != "" {
		return nil, fmt.Errorf("reading kept answer: %w", errEncoding)
	}
	return res, nil
}

// reader takes an encoding apart. Once it is bad it reads zeros.
type reader struct {
	rest  string
	bad   bool
	depth int
}

func (r *reader) fail() {
	r.bad, r.rest = true, ""
}

func (r *reader) uint() uint64 {
	var n uint64
	for i := 0; i < len(r.rest) && i < binary.MaxVarintLen64; i++ {
		c := r.rest[i]
		n |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			if i > 0 && c == 0 || i == binary.MaxVarintLen64-1 && c > 1 { // not as it is written
				break
			}
			r.rest = r.rest[i+1:]
			return n
		}
	}
	r.fail()
	return 0
}

func (r *reader) int() int64 {
	n := r.uint()
	return int64(n>>1) ^ -int64(n&1)
}

func (r *reader) text() string {
	n := r.uint()
	if n > uint64(len(r.rest)) {
		r.fail()
		return ""
	}
	s := r.rest[:n]
	r.rest = r.rest[n:]
	return s
}

// json is a text that goes into answers as it is.
func (r *reader) json(s string) {
	if s == "" {
		return
	}
	if _, err := wire.ParseAnswer([]byte(s)); err != nil {
		r.fail()
	}
}

// texts reads what writer.texts wrote and returns more, which has n bits.
func (r *reader) texts(n int, texts ...*string) (more uint64) {
	mask := r.uint()
	for i, s := range texts {
		if mask&(1<<i) != 0 {
			if *s = r.text(); *s == "" {
				r.fail()
			}
		}
	}
	return r.more(mask>>len(texts), n)
}

// more checks that a mask has no bits but the low n.
func (r *reader) more(mask uint64, n int) uint64 {
	if mask>>n != 0 {
		r.fail()
		return 0
	}
	return mask
}

func (r *reader) ints(n int, ints ...*int64) (more uint64) {
	mask := r.uint()
	for i, p := range ints {
		if mask&(1<<i) != 0 {
			if *p = r.int(); *p == 0 {
				r.fail()
			}
		}
	}
	return r.more(mask>>len(ints), n)
}

// count is the length of a list. Every element takes a byte at least, so that
// what is read grows with what is there.
func (r *reader) count() int {
	n := r.uint()
	if n > uint64(len(r.rest)) {
		r.fail()
		return 0
	}
	return int(n)
}

// enum is a number up to most.
func (r *reader) enum(most uint64) uint8 {
	n := r.uint()
	if n > most {
		r.fail()
		return 0
	}
	return uint8(n)
}

func (r *reader) response() *wire.Response {
	res := new(wire.Response)
	more := r.texts(2, &res.ID, &res.Model, &res.ServiceTier, &res.Fingerprint)
	if more&1 != 0 {
		res.Created = r.int()
	}
	if more&2 != 0 {
		res.Failure = r.failure()
	}
	r.report(&res.Usage)
	for range r.count() {
		if r.bad {
			break
		}
		res.Choices = append(res.Choices, r.choice())
	}
	return res
}

func (r *reader) failure() *wire.Failure {
	f := &wire.Failure{Kind: wire.Kind(r.enum(uint64(wire.KindConflict)))}
	r.texts(0, &f.Message, &f.Param, &f.Details, &f.RequestID)
	r.json(f.Details)
	f.RetryAfter = time.Duration(r.int())
	return f
}

func (r *reader) report(u *wire.Report) {
	ints := countersOf(u)
	more := r.ints(2, ints[:]...)
	u.Reported = more&1 != 0
	if more&2 != 0 {
		u.ServiceTier = r.text()
	}
}

func (r *reader) choice() (c wire.Choice) {
	r.texts(0, &c.Native, &c.StopString, &c.Explanation, &c.LogProbs)
	r.json(c.LogProbs)
	index := r.int()
	if index < 0 || index > math.MaxInt32 {
		r.fail()
	}
	c.Index = int(index)
	c.Finish = wire.Finish(r.enum(uint64(wire.FinishBroken)))
	c.Blocks = r.blocks()
	return c
}

func (r *reader) blocks() (list []wire.Block) {
	if r.depth++; r.depth > maxNesting {
		r.fail()
	}
	for range r.count() {
		if r.bad {
			break
		}
		list = append(list, r.block())
	}
	r.depth--
	return list
}

func (r *reader) block() (b wire.Block) {
	b.Type = wire.BlockType(r.enum(uint64(wire.RawBlock)))
	var vendor string
	more := r.texts(5, &b.Text, &b.Signature, &vendor, &b.ID, &b.Raw)
	b.Vendor = wire.Vendor(vendor)
	r.json(b.Raw)
	if more&1 != 0 {
		m := new(wire.Media)
		m.Cite = r.texts(1, &m.MIME, &m.Data, &m.URL, &m.FileID, &m.Name, &m.Detail, &m.Text) != 0
		b.Media = m
	}
	if more&2 != 0 {
		c := new(wire.Call)
		c.Custom = r.texts(1, &c.ID, &c.Name, &c.Arguments) != 0
		b.Call = c
	}
	if more&4 != 0 {
		x := new(wire.Result)
		said := r.texts(2, &x.CallID, &x.Name)
		x.IsError, x.Custom = said&1 != 0, said&2 != 0
		x.Content = r.blocks()
		b.Result = x
	}
	if more&8 != 0 {
		b.Cache = &wire.CacheMark{TTL: r.text()}
	}
	if more&16 != 0 {
		n := r.count()
		if n == 0 {
			r.fail()
		}
		for range n {
			if r.bad {
				break
			}
			var c wire.Citation
			r.texts(0, &c.URL, &c.Title, &c.Text)
			r.ints(0, &c.Start, &c.End)
			b.Citations = append(b.Citations, c)
		}
	}
	if !whole(&b) {
		r.fail()
	}
	return b
}

// whole reports whether a block has what its type promises to encoders.
func whole(b *wire.Block) bool {
	switch b.Type {
	case wire.ImageBlock, wire.DocumentBlock, wire.AudioBlock, wire.VideoBlock:
		return b.Media != nil
	case wire.CallBlock:
		return b.Call != nil
	case wire.ResultBlock:
		return b.Result != nil
	case wire.RawBlock:
		return b.Raw != ""
	default:
		return b.Call == nil
	}
}
