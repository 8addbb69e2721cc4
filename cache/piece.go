package cache

import (
	"encoding/binary"
	"slices"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/weirproxy/weir/wire"
)

// piece is what memory keeps: an answer, or a further spelling of one. It has no
// pointer, so that the collector marks it and does not look into it, however many
// are kept. Behind its head, which are numbers, are its texts.
//
// It is written once and read in place; atSeen and atRejected alone change later.
type piece []uint64

// The head.
const (
	// atSeen is the last change of the marks that the answer is known to have
	// outlived, atRejected is set when there is no room for it.
	atSeen = iota
	atRejected

	// atID is unique in the process; a spelling has the id of its answer's.
	atID
	atSince
	// atUntil and atMade are times of [Memory.at]. atWall is when it was made as
	// other processes count.
	atUntil
	atMade
	atWall
	atTook
	atInput
	atOutput
	atCacheRead
	atCacheWrite
	atReasoning
	atCost

	// atForm is the operation's number and flags.
	atForm
	atKeyed
	// atLengths are those of the texts.
	atLengths = atKeyed + len(Key{})/8
	atTexts   = atLengths + texts
)

// The texts, in their order.
const (
	textScope = iota
	textProvider
	textModel
	textFinish
	textTags // each with its length before it
	textCanonical
	textBody
	texts
)

// Bits of atForm besides those of sealed answers.
const (
	pieceSpelling = flagCanonical << 1
	pieceBits     = 8
)

// overhead is what a piece costs besides itself: its places in ristretto's maps of
// values, of costs and of expiry at their usual load.
const overhead = 288

// weight is the piece's cost in bytes.
func (p piece) weight() int64 { return int64(cap(p))*8 + overhead }

// newPiece returns one with room for texts of these lengths; ok is false for an
// operation whose answers are not kept.
func newPiece(f *Form, flags uint64, lengths *[texts]int) (p piece, ok bool) {
	op := number(f.Operation)
	if op < 0 {
		return nil, false
	}
	n := 0
	for _, length := range lengths {
		n += length
	}
	// Grow takes what the allocator gives, which is what counts.
	p = slices.Grow(piece(nil), atTexts+(n+7)/8+1)
	p = p[:atTexts+(n+7)/8+1]
	for i, length := range lengths {
		p[atLengths+i] = uint64(length) //nolint:gosec // not negative
	}
	p[atForm] = uint64(op)<<pieceBits | flags | uint64(flagsOf(f))
	return p, true
}

// pieceOf keeps a copy of an answer.
func pieceOf(scope string, a *Answer) (piece, bool) {
	lengths := [texts]int{
		textScope: len(scope), textProvider: len(a.Provider), textModel: len(a.Model), textFinish: len(a.Finish),
		textTags: lengthOf(a.Tags), textCanonical: len(a.Canonical), textBody: len(a.Form.Body),
	}
	flags := uint64(0)
	if a.Canonical != nil {
		flags = flagCanonical
	}
	p, ok := newPiece(&a.Form, flags, &lengths)
	if !ok {
		return nil, false
	}
	for i, n := range [...]int64{
		int64(a.Took), a.Usage.Input, a.Usage.Output, a.Usage.CacheRead, a.Usage.CacheWrite, a.Usage.Reasoning, a.Cost,
	} {
		p[atTook+i] = uint64(n) //nolint:gosec // as its bits
	}
	b := append(p.room(), scope...)
	b = append(append(append(b, a.Provider...), a.Model...), a.Finish...)
	for _, tag := range a.Tags {
		b = appendText(b, tag)
	}
	_ = append(append(b, a.Canonical...), a.Form.Body...)
	return p, true
}

// spellingOf keeps a copy of a further spelling.
func spellingOf(scope string, f *Form) (piece, bool) {
	p, ok := newPiece(f, pieceSpelling, &[texts]int{textScope: len(scope), textBody: len(f.Body)})
	if ok {
		_ = append(append(p.room(), scope...), f.Body...)
	}
	return p, ok
}

func lengthOf(tags []string) (n int) {
	var room [binary.MaxVarintLen64]byte
	for _, tag := range tags {
		n += len(tag) + binary.PutUvarint(room[:], uint64(len(tag)))
	}
	return n
}

// bytes are those behind the head.
func (p piece) bytes() []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(p[atTexts:]))), (len(p)-atTexts)*8)
}

// room is where the texts are written.
func (p piece) room() []byte { return p.bytes()[:0] }

// text is a view of one of the texts.
func (p piece) text(i int) []byte {
	from := 0
	for _, length := range p[atLengths : atLengths+i] {
		from += int(length) //nolint:gosec // was an int
	}
	to := from + int(p[atLengths+i]) //nolint:gosec // was an int
	return p.bytes()[from:to:to]
}

// name is a text as a string that keeps the piece from being freed.
func (p piece) name(i int) string {
	b := p.text(i)
	return unsafe.String(unsafe.SliceData(b), len(b))
}

func (p piece) key() (key Key) {
	for i := range len(key) / 8 {
		binary.LittleEndian.PutUint64(key[8*i:], p[atKeyed+i])
	}
	return key
}

func (p piece) setKey(key Key) {
	for i := range len(key) / 8 {
		p[atKeyed+i] = binary.LittleEndian.Uint64(key[8*i:])
	}
}

// is reports whether p is what key names within scope.
func (p piece) is(key *Key, scope string) bool { return p.key() == *key && p.name(textScope) == scope }

// spells reports whether p is a further spelling.
func (p piece) spells() bool { return p[atForm]&pieceSpelling != 0 }

func (p piece) form() Form {
	flags := p[atForm]
	return Form{Operation: operations[flags>>pieceBits], Stream: flags&flagStream != 0, Usage: flags&flagUsage != 0, Body: p.text(textBody)}
}

// answer is what p keeps, but for the tags: few need them.
func (p piece) answer() Answer {
	a := Answer{
		Made: time.Unix(0, p.int(atWall)), Took: time.Duration(p.int(atTook)),
		Provider: p.name(textProvider), Model: p.name(textModel), Finish: p.name(textFinish),
		Usage: wire.Usage{
			Input: p.int(atInput), Output: p.int(atOutput), CacheRead: p.int(atCacheRead),
			CacheWrite: p.int(atCacheWrite), Reasoning: p.int(atReasoning),
		},
		Cost: p.int(atCost), Form: p.form(),
	}
	if p[atForm]&flagCanonical != 0 {
		a.Canonical = p.text(textCanonical)
	}
	return a
}

func (p piece) int(at int) int64 { return int64(p[at]) } //nolint:gosec // as its bits

func (p piece) tags() (tags []string) {
	for r := (reader{b: p.text(textTags)}); len(r.b) > 0; {
		tags = append(tags, string(r.text()))
	}
	return tags
}

// sealed is p for a Remote.
func (p piece) sealed(marks []uint64) *sealed {
	a := p.answer()
	a.Tags = p.tags()
	life := time.Duration(p.int(atUntil) - p.int(atMade))
	return &sealed{key: p.key(), scope: p.name(textScope), answer: &a, marks: marks, until: a.Made.Add(life)}
}

// alive asks the marks only when they have changed.
func (p piece) alive(marks *Marks) bool {
	now := uint64(marks.Stamp())
	if atomic.LoadUint64(&p[atSeen]) == now {
		return true
	}
	if !marks.Alive(p.tags(), Stamp(p[atSince])) {
		return false
	}
	atomic.StoreUint64(&p[atSeen], now)
	return true
}

func (p piece) reject()        { atomic.StoreUint64(&p[atRejected], 1) }
func (p piece) rejected() bool { return atomic.LoadUint64(&p[atRejected]) != 0 }

// same reports whether p and q are one piece.
func (p piece) same(q piece) bool { return unsafe.SliceData(p) == unsafe.SliceData(q) }

// place is where memory has the piece.
func (p piece) place() uint64 {
	key := p.key()
	if p.spells() {
		f := p.form()
		short, _ := spelling(key, f.Operation, f.Stream, f.Usage)
		return short
	}
	return key.short()
}
