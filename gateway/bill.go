package gateway

import (
	"unicode/utf8"

	"github.com/weirproxy/weir/gateway/prices"
	"github.com/weirproxy/weir/wire"
)

// billLocked is all that a vendor charges for the attempt's call, which has used usage.
func (a *Attempt) billLocked(usage wire.Usage) prices.Usage {
	bill := prices.FromReport(&wire.Report{Usage: usage, Details: a.seen.Details})
	x := a.exchange
	if x.Operation.Free {
		return bill
	}
	bill.Requests = 1
	switch x.Operation {
	case wire.ImageGeneration, wire.ImageEdit, wire.ImageVariation:
		bill.Images = max(x.Envelope.Choices, 1)
	case wire.Speech:
		bill.Characters = characters(x.Envelope.Body())
	}
	return bill
}

// characters are those of the text that is to be spoken.
func characters(body []byte) int64 {
	root, err := wire.ParseAnswer(body)
	if err != nil {
		return 0
	}
	text, _ := wire.StringIn(body, root, "input").Text(body, nil)
	return int64(utf8.RuneCount(text))
}
