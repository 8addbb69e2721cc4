package wire

import (
	"encoding/base64"
	"strings"
)

// sealMark begins a sealed signature, before base64.
const sealMark = "\x00weir1\x00"

// Seal packs a vendor's signature and the id that goes with it into one opaque
// string, for dialects of other vendors: clients send it back without looking
// inside. It is base64, because Gemini's SDKs decode signatures. A seal is no
// secret and proves nothing; the vendor checks its own signature.
func Seal(vendor Vendor, id, signature string) string {
	return base64.StdEncoding.EncodeToString([]byte(sealMark + string(vendor) + "\x00" + id + "\x00" + signature))
}

// Unseal opens what Seal packed; ok is false for anything else.
func Unseal(sealed string) (vendor Vendor, id, signature string, ok bool) {
	raw, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil {
		return "", "", "", false
	}
	rest, ok := strings.CutPrefix(string(raw), sealMark)
	if !ok {
		return "", "", "", false
	}
	name, rest, ok := strings.Cut(rest, "\x00")
	if !ok {
		return "", "", "", false
	}
	id, signature, ok = strings.Cut(rest, "\x00")
	return Vendor(name), id, signature, ok
}

// SignatureFor is a block's signature as a client of vendor's dialect should
// hold it: its own as it is, another's sealed.
func SignatureFor(vendor Vendor, from Vendor, id, signature string) string {
	if signature == "" || from == vendor && id == "" || from == "" {
		return signature
	}
	return Seal(from, id, signature)
}

// OpenSignature is the reverse: what a client of vendor's dialect sent back.
func OpenSignature(vendor Vendor, held string) (from Vendor, id, signature string) {
	if held == "" {
		return "", "", ""
	}
	if from, id, signature, ok := Unseal(held); ok {
		return from, id, signature
	}
	return vendor, "", held
}
