package prices

import "math"

// Item is something that a vendor charges for.
type Item uint8

// The items. The first ten are tokens.
const (
	Input Item = iota
	Output
	CacheRead
	CacheWrite   // for the vendor's usual time, 5 minutes at Anthropic
	CacheWrite1h // for an hour
	Reasoning
	AudioInput
	AudioOutput
	ImageInput
	ImageOutput

	Request // a request, or a search of a reranker
	Image   // a picture made
	Second  // of audio
	Character
	Search // a web search
	items
)

// names are the words of the price grammar.
var names = [items]string{
	"input", "output", "cache_read", "cache_write", "cache_write_1h", "reasoning", "audio_input", "audio_output",
	"image_input", "image_output", "request", "image", "second", "character", "search",
}

// String is the item's word in the price grammar.
func (i Item) String() string { return names[i] }

// tokens reports whether the item is priced per million tokens.
func (i Item) tokens() bool { return i < Request }

// falls is the item by whose rate one without its own is charged.
var falls = [items]Item{
	CacheRead: Input, CacheWrite: Input, CacheWrite1h: CacheWrite, AudioInput: Input, ImageInput: Input,
	Reasoning: Output, AudioOutput: Output, ImageOutput: Output,
}

// Rates are nano-dollars per million of each item.
type Rates [items]int64

// row is the rates of one service and one size of prompt.
type row struct {
	service string
	above   int64 // prompts of more tokens than this
	named   uint32
	rates   Rates
}

func (r *row) has(i Item) bool { return r.named&(1<<i) != 0 }

func (r *row) set(i Item, rate int64) {
	r.named |= 1 << i
	r.rates[i] = rate
}

// complete fills in what the row does not name. The standard row falls back
// on the item that it is a kind of; another row changes what base has in the
// proportion in which it changes the whole, input or output: so do vendors
// with batches, priority and long prompts.
func (r *row) complete(base *row) {
	for i := range items {
		if r.has(i) {
			continue
		}
		switch {
		case !i.tokens():
			if base != nil {
				r.rates[i] = base.rates[i]
			}
		case base != nil && i == Input:
			r.rates[i] = base.rates[i]
		case base != nil && i == Output:
			r.rates[i] = scale(base.rates[i], r.rates[Input], base.rates[Input])
		case base != nil && base.has(i):
			whole := Input
			if falls[i] == Output {
				whole = Output
			}
			r.rates[i] = scale(base.rates[i], r.rates[whole], base.rates[whole])
		case i != Input && i != Output:
			r.rates[i] = r.rates[falls[i]]
		}
	}
}

// scale is rate × to ÷ from, rounded up; rate when from is 0.
func scale(rate, to, from int64) int64 {
	if from <= 0 {
		return rate
	}
	return mulDiv(rate, to, uint64(from))
}

// maxMoney is where sums stop growing.
const maxMoney = math.MaxInt64
