package canon

import (
	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

// kinds are kinds of JSON values.
type kinds uint8

func kind(list ...jsonscan.Kind) (set kinds) {
	for _, k := range list {
		set |= 1 << k
	}
	return set
}

func (set kinds) has(k jsonscan.Kind) bool { return set&(1<<k) != 0 }

// rule says what of a value is part of the canonical form already, or left out
// of the digest on purpose. Null is absent everywhere.
type rule struct {
	// whole are the kinds of which nothing is lost.
	whole kinds

	// only are the strings of which that is true; nil: all.
	only []string

	// positive says that 0 is read as absent.
	positive bool

	// object and elements are for values that are looked into.
	object   *shape
	elements *rule

	// turns says that the elements are the turns of a conversation.
	turns bool

	// special decides by itself.
	special func(*reader, jsonscan.Value)
}

// shape is an object of which the decoder reads some members.
type shape struct {
	members map[string]*rule

	// by names the member that says which of variants holds instead.
	by       string
	variants map[string]*shape

	// rivals are groups of members of which a decoder takes one when there are
	// several.
	rivals [][]string
}

// The shapes below are what the decoders in wire read. A member that is
// missing here costs a hit between two spellings; one that stands here although
// its decoder passes it over would cost the truth.

// shapeOf is the shape of a request of op.
func shapeOf(op *wire.Operation) *shape {
	switch op {
	case wire.Chat:
		return chatShape
	case wire.Responses:
		return responsesShape
	case wire.Messages:
		return messagesShape
	case wire.GeminiGenerate:
		return geminiShape
	case wire.Embeddings:
		return embeddingsShape
	case wire.GeminiEmbed:
		return geminiEmbedShape
	default:
		return geminiBatchShape
	}
}

// Rules that many members share. All shapes are constants.
var (
	textRule   = &rule{whole: kind(jsonscan.String)}
	numberRule = &rule{whole: kind(jsonscan.Number)}
	countRule  = &rule{whole: kind(jsonscan.Number), positive: true}
	boolRule   = &rule{whole: kind(jsonscan.Bool)}
	objectRule = &rule{whole: kind(jsonscan.ObjectKind)}
	textsRule  = &rule{whole: kind(jsonscan.String), elements: textRule}

	// anyRule is for members that are kept as they are, or left out on purpose.
	anyRule = &rule{whole: kind(jsonscan.Bool, jsonscan.Number, jsonscan.String, jsonscan.Array, jsonscan.ObjectKind)}

	// emptyRule is for lists of which only an empty one is as good as none.
	emptyRule = &rule{elements: &rule{}}
)

// words are strings that mean what the decoder reads.
func words(list ...string) *rule { return &rule{whole: kind(jsonscan.String), only: list} }

func objectOf(members map[string]*rule) *rule { return &rule{object: &shape{members: members}} }

func variants(by string, list map[string]*shape) *rule {
	return &rule{object: &shape{by: by, variants: list}}
}

// with is a shape of members, and of more.
func with(members map[string]*rule, more map[string]*rule) *shape {
	all := make(map[string]*rule, len(members)+len(more))
	for name, u := range members {
		all[name] = u
	}
	for name, u := range more {
		all[name] = u
	}
	return &shape{members: all}
}

type rules = map[string]*rule

var embeddingsShape = &shape{members: rules{
	"model": anyRule, "input": textsRule, "dimensions": countRule, "encoding_format": textRule, "user": textRule,
}}
