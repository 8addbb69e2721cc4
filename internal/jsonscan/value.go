package jsonscan

// Kind is the type of a JSON value.
type Kind uint8

// The kinds of RFC 8259; Invalid is the kind of an absent value. The kind of
// an object is called ObjectKind because Object is the result of Scan.
const (
	Invalid Kind = iota
	Null
	Bool
	Number
	String
	Array
	ObjectKind
)

var kindNames = [...]string{"absent", "null", "boolean", "number", "string", "array", "object"}

// String returns the kind as error messages name it, for example "number".
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "unknown"
}

// Value is the place of a value in a body that has been validated: a string
// includes its quotes, an array its brackets. End is exclusive. The zero Value
// is an absent one.
type Value struct {
	Kind       Kind
	Start, End int
}

// Exists reports whether the value is there at all; null exists.
func (v Value) Exists() bool { return v.Kind != Invalid }

// Raw returns the value's bytes as spelled, a slice of body; nil when absent.
func (v Value) Raw(body []byte) []byte {
	if v.Kind == Invalid {
		return nil
	}
	return body[v.Start:v.End]
}

// Bool returns the value of true or false; ok is false for any other kind.
func (v Value) Bool(body []byte) (val, ok bool) {
	if v.Kind != Bool {
		return false, false
	}
	return body[v.Start] == 't', true
}

// Empty reports whether the value is an array or an object without anything in
// it, whose body has been validated.
func (v Value) Empty(body []byte) bool {
	switch v.Kind {
	case Array, ObjectKind:
		return skipSpace(body, v.Start+1) == v.End-1
	default:
		return false
	}
}
