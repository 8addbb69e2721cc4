package weir

import "github.com/google/uuid"

const hexDigits = "0123456789abcdef"

// newRequestID mints an id that sorts by time.
func newRequestID() string {
	id, err := uuid.NewV7()
	if err != nil {
		id = uuid.New()
	}
	var text [40]byte
	copy(text[:], "req_")
	at := 4
	for i, b := range id {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			text[at] = '-'
			at++
		}
		text[at], text[at+1] = hexDigits[b>>4], hexDigits[b&15]
		at += 2
	}
	return string(text[:])
}
