package prices

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weirproxy/weir/internal/typo"
)

// Match says how a price was found.
type Match uint8

// The ways, from the surest to the least sure.
const (
	Override Match = iota // the configuration names it
	Exact                 // the catalogue has the model, perhaps in another spelling
	Undated               // the model without its date or version
	Family                // a model whose name begins this one's, or the vendor's at another door
	Guess                 // no price of the model or of one like it is known
)

var matches = [...]string{"override", "exact", "undated", "family", "guess"}

// String is "override", "exact", "undated", "family" or "guess".
func (m Match) String() string { return matches[m] }

// Estimated reports whether the price is that of another model.
func (p *Price) Estimated() bool { return p.Match >= Family }

// Price is what a model costs. It is immutable.
type Price struct {
	// Name is the catalogue's "provider/model", or the override's pattern.
	Name string

	// Version says which catalogue the price is from, or "override", and after
	// an @ since when it holds, if it names that. That of an estimate ends in
	// a ~ and the name of the model whose price stands in.
	Version string

	// Match says how the price was found.
	Match Match

	// From and Until are when the price is in force, Until no more; zero for
	// ever.
	From, Until time.Time

	rows []row // the first is the standard one, for prompts of any size
}

// Services that vendors price apart from the standard one.
const (
	Batch    = "batch"
	Flex     = "flex"
	Priority = "priority"
)

// maxTier bounds the size of a prompt that a tier can begin at.
const maxTier = 1 << 40

// Parse reads the words of a price, USD per million tokens and per unit of
// other items:
//
//	input 2.50 output 10 cache_read 0.25 cache_write 3.75 cache_write_1h 6
//	reasoning 10 audio_input 40 audio_output 80 image_input 10 image_output 40
//	request 0.002 image 0.04 second 0.0001 character 0.000015 search 0.01
//	above 200000 input 5 output 15
//	service batch input 1.25 output 5
//	from 2026-12-01 until 2027-01-01
//
// `above N` begins the rates of prompts of more than N tokens, and `service`
// those of a service tier: batch, flex or priority. `from` and `until`, which
// may stand anywhere, are when all of the price is in force: days that begin
// at midnight UTC, or times in RFC 3339; until is the first moment at which it
// is not. A price names input or an
// item other than tokens; or it is the word `free`. What a price does not
// name costs what it is a kind of: reading a cache costs input, reasoning
// costs output; in a tier it changes as its input or output does.
func Parse(words []string) (*Price, error) {
	p := &Price{rows: []row{{}}}
	words, err := p.takeDates(words)
	if err != nil {
		return nil, err
	}
	if len(words) == 1 && words[0] == "free" {
		p.rows[0].named = 1<<Input | 1<<Output
		return p, nil
	}
	for len(words) > 0 {
		if len(words) == 1 {
			return nil, fmt.Errorf("%s: the value is missing", words[0])
		}
		word, value := words[0], words[1]
		words = words[2:]
		last := &p.rows[len(p.rows)-1]
		switch word {
		case "service":
			if value != Batch && value != Flex && value != Priority {
				return nil, fmt.Errorf("service: '%.40s' is none of %s, %s, %s", value, Batch, Flex, Priority)
			}
			p.rows = append(p.rows, row{service: value})
		case "above":
			n, err := strconv.ParseInt(value, 10, 64)
			if err != nil || n < 1 || n > maxTier {
				return nil, fmt.Errorf("above: '%.40s' is no number of tokens", value)
			}
			if last.service != "" && last.above == 0 && last.named == 0 {
				last.above = n // the service has rates for long prompts only
			} else {
				p.rows = append(p.rows, row{service: last.service, above: n})
			}
		default:
			i := slices.Index(names[:], word)
			if i < 0 {
				near := typo.Suggest(word, append(names[:], "above", "service", "from", "until")...)
				return nil, fmt.Errorf("'%.40s' is nothing that has a price%s (known: %s, above, service, from, until)", word, near, strings.Join(names[:], ", "))
			}
			if last.has(Item(i)) {
				return nil, fmt.Errorf("%s: it is named twice", word)
			}
			rate, err := parseRate(Item(i), value)
			if err != nil {
				return nil, err
			}
			last.set(Item(i), rate)
		}
	}
	return p, p.complete()
}

// takeDates reads from and until, and returns the other words.
func (p *Price) takeDates(words []string) (rest []string, err error) {
	for i := 0; i < len(words); i++ {
		word, into := words[i], &p.From
		if word == "until" {
			into = &p.Until
		} else if word != "from" {
			rest = append(rest, word)
			continue
		}
		if !into.IsZero() {
			return nil, fmt.Errorf("%s: it is named twice", word)
		}
		if i++; i == len(words) {
			return nil, fmt.Errorf("%s: the value is missing", word)
		}
		if *into, err = parseDate(words[i]); err != nil {
			return nil, fmt.Errorf("%s: %w", word, err)
		}
	}
	if !p.Until.IsZero() && !p.From.Before(p.Until) {
		return nil, fmt.Errorf("until: %s is not after %s", date(p.Until), date(p.From))
	}
	return rest, nil
}

// complete checks the rows and fills them in.
func (p *Price) complete() error {
	standard := &p.rows[0]
	const units = 1<<Request | 1<<Image | 1<<Second | 1<<Character
	switch {
	case standard.named&(1<<Input|units) == 0:
		return fmt.Errorf("a price names at least one of input, request, image, second, character; or write: free")
	case standard.has(Input) && !standard.has(Output) && standard.named&units == 0:
		return fmt.Errorf("a price that names input names output too, which may be 0")
	}
	standard.complete(nil)
	for i := range p.rows[1:] {
		r := &p.rows[1+i]
		if r.named == 0 {
			return fmt.Errorf("above or service: no price follows")
		}
		base := standard
		for j := range p.rows[:1+i] {
			other := &p.rows[j]
			if other.service != r.service {
				continue
			}
			if other.above == r.above {
				return fmt.Errorf("above or service: the same one is named twice")
			}
			if other.above == 0 {
				base = other
			}
		}
		r.complete(base)
	}
	return nil
}

// String is the price in the words that Parse reads.
func (p *Price) String() string {
	if r := p.rows[0]; r.rates == (Rates{}) && len(p.rows) == 1 {
		return "free" + p.dates()
	}
	var words []string
	service := ""
	for i := range p.rows {
		r := &p.rows[i]
		if r.service != service {
			words = append(words, "service", r.service)
			service = r.service
		}
		if r.above > 0 {
			words = append(words, "above", strconv.FormatInt(r.above, 10))
		}
		for item := range items {
			if r.has(item) {
				words = append(words, item.String(), formatRate(item, r.rates[item]))
			}
		}
	}
	return strings.Join(words, " ") + p.dates()
}

// rates returns the rates for a prompt of n tokens at a service: those of the
// highest tier below n. A service that has no rates of its own costs the
// standard ones.
func (p *Price) rates(service string, n int64) *Rates {
	if !slices.ContainsFunc(p.rows, func(r row) bool { return r.service == service }) {
		service = ""
	}
	var best *row
	for i := range p.rows {
		r := &p.rows[i]
		if r.service == service && (r.above == 0 || n > r.above) && (best == nil || r.above > best.above) {
			best = r
		}
	}
	if best == nil { // a service that has rates for long prompts only
		return p.rates("", n)
	}
	return &best.rates
}

// Free reports whether nothing costs anything.
func (p *Price) Free() bool {
	for i := range p.rows {
		if p.rows[i].rates != (Rates{}) {
			return false
		}
	}
	return true
}
