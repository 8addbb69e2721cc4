package wire

import (
	"hash/fnv"
	"strconv"
	"strings"

	"github.com/weirproxy/weir/internal/jsonscan"
)

// ArgumentsObject is a call's arguments as the JSON object that most vendors
// demand: none become {}, and what is no object, such as the arguments of a
// call that was cut off, becomes {"_raw": text}, so that the model sees what it
// wrote.
func ArgumentsObject(arguments string) string {
	if strings.TrimSpace(arguments) == "" {
		return "{}"
	}
	switch v, err := ParseAnswer([]byte(arguments)); {
	case err == nil && v.Kind == jsonscan.ObjectKind:
		return arguments
	case err == nil && v.Kind == jsonscan.Null:
		return "{}"
	}
	raw := jsonscan.AppendString([]byte(`{"_raw":`), arguments)
	return string(append(raw, '}'))
}

// maxCallID is what Bedrock allows; Anthropic has the same alphabet.
const maxCallID = 64

// SafeCallID is the id of a call for vendors that take [a-zA-Z0-9_-]{1,64}
// only. Ids that fit stay as they are; the others keep what of them fits, and a
// hash tells them apart. The same id gives the same name in every request.
func SafeCallID(id string) string {
	ok := id != "" && len(id) <= maxCallID
	for i := 0; ok && i < len(id); i++ {
		ok = inCallID(id[i])
	}
	if ok {
		return id
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(id))
	safe := make([]byte, 0, maxCallID)
	for i := 0; i < len(id) && len(safe) < 40; i++ {
		if inCallID(id[i]) {
			safe = append(safe, id[i])
		}
	}
	return string(strconv.AppendUint(append(safe, '_'), h.Sum64(), 36))
}

// shortCallID is how long ids of calls are at Mistral.
const shortCallID = 9

// ShortCallID is the id of a call for Mistral, which takes nine letters and digits
// only. Ids that fit stay as they are; the same id gives the same in every
// request.
func ShortCallID(id string) string {
	ok := len(id) == shortCallID
	for i := 0; ok && i < len(id); i++ {
		ok = inCallID(id[i]) && id[i] != '_' && id[i] != '-'
	}
	if ok {
		return id
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(id))
	short := strconv.FormatUint(h.Sum64(), 36)
	if n := len(short); n < shortCallID {
		return strings.Repeat("0", shortCallID-n) + short
	}
	return short[len(short)-shortCallID:]
}

func inCallID(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-'
}
