package wire

import (
	"math"

	"github.com/weirproxy/weir/internal/jsonscan"
)

// answerLimits are wider than a request's: a batch of embeddings has millions
// of numbers, a schema that is quoted nests deeply, and what an answer may
// weigh is bounded in bytes already.
var answerLimits = jsonscan.Limits{Depth: 1024, Nodes: math.MaxInt, KeyLen: math.MaxInt, NumberLen: math.MaxInt}

// ParseAnswer checks that data, an answer or the data of a stream event, is
// one JSON value and returns its place.
func ParseAnswer(data []byte) (jsonscan.Value, error) {
	return jsonscan.ParseLimits(data, answerLimits)
}
