package openai

import (
	"encoding/base64"
	"strings"

	"github.com/weirproxy/weir/wire"
)

// idMark stands between the id of a call and Gemini's signature of it.
const idMark = "__thought__"

// signedID is the id under which a client gets a call that Gemini signed. The
// SDKs' own tool runners rebuild an assistant's turn from ids, names and
// arguments and lose extra_content, without which Gemini 3 refuses the turn. So
// the id carries the signature too; other gateways do the same.
func signedID(id string, vendor wire.Vendor, signature string) string {
	if vendor != wire.VendorGemini || signature == "" || strings.Contains(id, idMark) {
		return id
	}
	return id + idMark + base64.RawURLEncoding.EncodeToString([]byte(signature))
}

// openID takes apart what signedID put together.
func openID(held string) (id, signature string) {
	id, packed, ok := strings.Cut(held, idMark)
	if !ok {
		return held, ""
	}
	raw, err := base64.RawURLEncoding.DecodeString(packed)
	if err != nil {
		return id, ""
	}
	return id, string(raw)
}
