package keys

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// A secret of Weir's own reads
//
//	sk-weir-<id>-<secret><checksum>
//
// id is 10 characters of Crockford's base32 in lower case (50 bits): public,
// fit for logs, without letters that are read as digits. secret is 43
// characters of base62, drawn evenly: 43 × log2(62) = 256 bits. checksum is
// the CRC-32C (Castagnoli, for which processors have an instruction) of all
// that is before it, in 6 characters of base62, so that typing errors and
// truncated copies are told from unknown keys without a look-up, and scanners
// for leaked secrets have few false alarms.
const (
	// Prefix begins every secret of Weir's own.
	Prefix = "sk-weir-"

	idLength       = 10
	entropyLength  = 43
	checksumLength = 6
	tokenLength    = len(Prefix) + idLength + 1 + entropyLength + checksumLength

	idStart     = len(Prefix)
	secretStart = idStart + idLength + 1
	sumStart    = tokenLength - checksumLength
)

const (
	base32 = "0123456789abcdefghjkmnpqrstvwxyz"
	base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// ErrDamaged says that a credential is one of Weir's by its beginning and
// none by its checksum: mistyped or truncated. It holds nothing that a client
// may not know.
var ErrDamaged = errors.New("the key is damaged: its checksum is wrong, so it was mistyped or truncated")

// form is what a credential looks like.
type form uint8

// The forms: Weir's own, Weir's with a wrong checksum, and any other.
const (
	own form = iota
	damaged
	foreign
)

// NewID draws the id of a new key.
func NewID(random io.Reader) (string, error) {
	id := make([]byte, idLength)
	if err := draw(random, id, base32); err != nil {
		return "", fmt.Errorf("drawing a key's id: %w", err)
	}
	return string(id), nil
}

// NewSecret draws a secret for the key of id. random must be
// crypto/rand.Reader, or a deterministic source in tests.
func NewSecret(random io.Reader, id string) (string, error) {
	if _, ok := number(id); !ok {
		return "", fmt.Errorf("drawing a secret: '%s' is no id of a key: %d characters of %s", id, idLength, base32)
	}
	token := make([]byte, tokenLength)
	copy(token, Prefix)
	copy(token[idStart:], id)
	token[secretStart-1] = '-'
	if err := draw(random, token[secretStart:sumStart], base62); err != nil {
		return "", fmt.Errorf("drawing a secret: %w", err)
	}
	putChecksum(token)
	return string(token), nil
}

// ParseID returns the id in a secret of Weir's format. ok is false for foreign
// credentials, and the error is [ErrDamaged] for broken ones of Weir's.
func ParseID(credential string) (id string, ok bool, err error) {
	switch _, form := parse([]byte(credential)); form {
	case own:
		return credential[idStart : idStart+idLength], true, nil
	case foreign:
		return "", false, nil
	default:
		return "", false, ErrDamaged
	}
}

// parse returns what credential looks like and, if it is Weir's own, the number
// that its id is.
func parse(credential []byte) (id uint64, is form) {
	if len(credential) < len(Prefix) || string(credential[:len(Prefix)]) != Prefix {
		return 0, foreign
	}
	if len(credential) != tokenLength || credential[secretStart-1] != '-' {
		return 0, damaged
	}
	id, ok := number(credential[idStart : idStart+idLength])
	if !ok {
		return 0, damaged
	}
	// Characters that are not base62 fail the checksum, or the MAC after it.
	var sum [checksumLength]byte
	encodeChecksum(&sum, credential[:sumStart])
	if string(sum[:]) != string(credential[sumStart:]) {
		return 0, damaged
	}
	return id, own
}

// number reads an id as the number that it is in base32: a map of numbers
// costs a look-up no visit to a string elsewhere in memory.
func number[T string | []byte](id T) (n uint64, ok bool) {
	if len(id) != idLength {
		return 0, false
	}
	for i := range idLength {
		digit := digits32[id[i]]
		if digit == none {
			return 0, false
		}
		n = n<<5 | uint64(digit)
	}
	return n, true
}

func putChecksum(token []byte) {
	var sum [checksumLength]byte
	encodeChecksum(&sum, token[:sumStart])
	copy(token[sumStart:], sum[:])
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func encodeChecksum(into *[checksumLength]byte, of []byte) {
	n := crc32.Checksum(of, castagnoli)
	for i := checksumLength - 1; i >= 0; i-- {
		into[i] = base62[n%62]
		n /= 62
	}
}

// draw fills into with characters of alphabet, each equally likely: bytes that
// would favour the alphabet's beginning are thrown away.
func draw(random io.Reader, into []byte, alphabet string) error {
	limit := byte(256 / len(alphabet) * len(alphabet) % 256) // 0: every byte will do
	var buf [64]byte
	for n := 0; n < len(into); {
		if _, err := io.ReadFull(random, buf[:]); err != nil {
			return err
		}
		for _, b := range buf {
			if n < len(into) && (limit == 0 || b < limit) {
				into[n] = alphabet[int(b)%len(alphabet)]
				n++
			}
		}
	}
	clear(buf[:])
	return nil
}

// none marks what is no digit.
const none = 0xff

var digits32, digits62 = digits(base32), digits(base62)

func digits(alphabet string) (table [256]byte) {
	for i := range table {
		table[i] = none
	}
	for i := range len(alphabet) {
		table[alphabet[i]] = byte(i)
	}
	return table
}
