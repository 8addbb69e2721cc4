package handlers

import (
	"github.com/weirproxy/weir/gateway/prices"
)

// estimatedPrice stands in for a price that is not known where a site asks
// for an estimate: what the dearest models in wide use cost.
var estimatedPrice = func() *prices.Price {
	p, err := prices.Parse([]string{"input", "15", "output", "75"})
	if err != nil {
		panic(err)
	}
	return p
}()
