package prices

import (
	"strings"

	"github.com/weirproxy/weir/wire"
)

// Usage is what is charged for. As in [wire.Usage], Input includes what was
// read from and written to the vendor's cache, and audio and pictures; Output
// includes reasoning, audio and pictures.
type Usage struct {
	Input, Output            int64
	CacheRead                int64
	CacheWrite, CacheWrite1h int64 // parts that do not overlap
	Reasoning                int64
	AudioInput, AudioOutput  int64
	ImageInput, ImageOutput  int64
	Requests, Images         int64
	Milliseconds, Characters int64
	Searches                 int64
	Service                  string // as the vendor reports it; see [Service]
}

// FromReport is the usage of a vendor's report.
func FromReport(r *wire.Report) Usage {
	return Usage{
		Input: r.Input, Output: r.Output, CacheRead: r.CacheRead,
		CacheWrite: r.CacheWrite - min(max(r.CacheWrite1h, 0), r.CacheWrite), CacheWrite1h: min(r.CacheWrite1h, r.CacheWrite),
		Reasoning: r.Reasoning, AudioInput: r.InputAudio, AudioOutput: r.OutputAudio, ImageInput: r.InputImage, ImageOutput: r.OutputImage,
		Milliseconds: r.Milliseconds, Searches: r.WebSearches, Service: r.ServiceTier,
	}
}

// FromUsage is a usage without its details.
func FromUsage(u wire.Usage) Usage {
	return Usage{Input: u.Input, Output: u.Output, CacheRead: u.CacheRead, CacheWrite: u.CacheWrite, Reasoning: u.Reasoning}
}

// Service is the name in the price grammar of a service tier that a vendor
// reports; empty for the standard one.
func Service(reported string) string {
	switch reported {
	case "batch", "BATCH", "ON_DEMAND_BATCH":
		return Batch
	case "flex", "FLEX", "ON_DEMAND_FLEX":
		return Flex
	case "priority", "PRIORITY", "ON_DEMAND_PRIORITY":
		return Priority
	}
	return ""
}

// Cost is what a request costs, in nano-dollars. Its parts do not overlap:
// Total is their sum, or the greatest int64.
type Cost struct {
	Input, Output         int64
	CacheRead, CacheWrite int64
	Reasoning             int64
	Audio, Image          int64 // input and output
	Other                 int64 // requests, pictures, seconds, characters, searches
	Total                 int64

	// PriceVersion is the price's.
	PriceVersion string
}

// Plus is the cost of two calls, whose prices may have different versions.
func (c Cost) Plus(o Cost) Cost {
	sum := Cost{
		Input: add(c.Input, o.Input), Output: add(c.Output, o.Output),
		CacheRead: add(c.CacheRead, o.CacheRead), CacheWrite: add(c.CacheWrite, o.CacheWrite),
		Reasoning: add(c.Reasoning, o.Reasoning), Audio: add(c.Audio, o.Audio), Image: add(c.Image, o.Image),
		Other: add(c.Other, o.Other), Total: add(c.Total, o.Total), PriceVersion: c.PriceVersion,
	}
	if o.PriceVersion != c.PriceVersion {
		sum.PriceVersion = strings.Trim(c.PriceVersion+"+"+o.PriceVersion, "+")
	}
	return sum
}

// Cost charges u. Parts that a vendor reports to be larger than their whole
// are taken for the whole's size if they are cache or reasoning, and cut to it
// if they are audio or pictures, which may be in the cache too. Each part is
// rounded up to a nano-dollar; counts below 0 are 0.
func (p *Price) Cost(u Usage) Cost {
	u.clean()
	rates := p.rates(Service(u.Service), u.Input)
	of := func(item Item, n int64) int64 { return mulDiv(n, rates[item], million) }

	cached := add(u.CacheRead, u.CacheWrite, u.CacheWrite1h)
	rest := u.Input - cached
	audioIn := min(u.AudioInput, rest)
	rest -= audioIn
	imageIn := min(u.ImageInput, rest)
	rest -= imageIn

	left := u.Output - u.Reasoning
	audioOut := min(u.AudioOutput, left)
	left -= audioOut
	imageOut := min(u.ImageOutput, left)
	left -= imageOut

	c := Cost{
		Input:      of(Input, rest),
		Output:     of(Output, left),
		CacheRead:  of(CacheRead, u.CacheRead),
		CacheWrite: add(of(CacheWrite, u.CacheWrite), of(CacheWrite1h, u.CacheWrite1h)),
		Reasoning:  of(Reasoning, u.Reasoning),
		Audio:      add(of(AudioInput, audioIn), of(AudioOutput, audioOut)),
		Image:      add(of(ImageInput, imageIn), of(ImageOutput, imageOut)),
		Other: add(of(Request, u.Requests), of(Image, u.Images), of(Character, u.Characters), of(Search, u.Searches),
			mulDiv(u.Milliseconds, rates[Second], million*1000)),
		PriceVersion: p.Version,
	}
	c.Total = add(c.Input, c.Output, c.CacheRead, c.CacheWrite, c.Reasoning, c.Audio, c.Image, c.Other)
	return c
}

// clean makes every count at least 0 and every whole at least its parts.
func (u *Usage) clean() {
	for _, n := range []*int64{
		&u.Input, &u.Output, &u.CacheRead, &u.CacheWrite, &u.CacheWrite1h, &u.Reasoning, &u.AudioInput, &u.AudioOutput,
		&u.ImageInput, &u.ImageOutput, &u.Requests, &u.Images, &u.Milliseconds, &u.Characters, &u.Searches,
	} {
		*n = max(*n, 0)
	}
	// Sums that would overflow are cut, so that parts stay parts.
	u.CacheWrite = min(u.CacheWrite, maxMoney-u.CacheRead)
	u.CacheWrite1h = min(u.CacheWrite1h, maxMoney-u.CacheRead-u.CacheWrite)
	u.Input = max(u.Input, u.CacheRead+u.CacheWrite+u.CacheWrite1h)
	u.Output = max(u.Output, u.Reasoning)
}

// UpperBound is the most that a request can cost whose prompt has at most
// input tokens, answered by n choices of at most outputCap tokens each at the
// standard service: every token at the dearest rate that it could have, in
// every tier that the prompt could reach.
func (p *Price) UpperBound(input, outputCap, n int64) int64 {
	return p.UpperBoundAt("", input, outputCap, n)
}

// UpperBoundAt is UpperBound at a service that the client asks for.
func (p *Price) UpperBoundAt(service string, input, outputCap, n int64) (bound int64) {
	n = max(n, 1)
	service = Service(service)
	for i := range p.rows {
		r := &p.rows[i]
		// A vendor may serve a request at the standard service after all.
		if (r.service != "" && r.service != service) || (r.above > 0 && input <= r.above) {
			continue
		}
		rate := &r.rates
		in := max(rate[Input], rate[CacheRead], rate[CacheWrite], rate[CacheWrite1h], rate[AudioInput], rate[ImageInput])
		out := max(rate[Output], rate[Reasoning], rate[AudioOutput], rate[ImageOutput])
		bound = max(bound, add(
			rate.roundings(ofInput), rate.roundings(ofOutput), mulDiv(input, in, million), mulDiv(mul(outputCap, n), out, million),
			mulDiv(1, rate[Request], million), mulDiv(n, rate[Image], million),
		))
	}
	return bound
}

// ofInput and ofOutput are the items that share a request's tokens.
var (
	ofInput  = []Item{Input, CacheRead, CacheWrite, CacheWrite1h, AudioInput, ImageInput}
	ofOutput = []Item{Output, Reasoning, AudioOutput, ImageOutput}
)

// roundings are the nano-dollars by which the parts of a cost, each rounded up, may
// exceed the whole, which is too. Rates of whole nano-dollars for a token are not
// rounded: a budget for so many requests has room for as many, to the nano-dollar.
func (r *Rates) roundings(parts []Item) int64 {
	n := int64(0)
	for _, item := range parts {
		if r[item]%million != 0 {
			n++
		}
	}
	return max(n-1, 0)
}
