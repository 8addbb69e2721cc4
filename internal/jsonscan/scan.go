package jsonscan

import "bytes"

// Scan checks that body is one JSON object within lim and records in out the
// members named in keys. It allocates nothing once out has been used with as
// many keys. The error is a *SyntaxError, *DuplicateError or *LimitError; out
// is then meaningless.
func Scan(body []byte, keys *Keys, lim Limits, out *Object) error {
	out.reset(keys)
	s := scanner{body: body, lim: lim.filled(), out: out}
	v, err := s.run(true)
	if err != nil {
		return err
	}
	out.Start, out.End = v.Start, v.End
	return nil
}

// Parse checks that body is one JSON value within DefaultLimits and returns
// its place.
func Parse(body []byte) (Value, error) { return ParseLimits(body, DefaultLimits) }

// ParseLimits is Parse with limits of the caller's choice.
func ParseLimits(body []byte, lim Limits) (Value, error) {
	s := scanner{body: body, lim: lim.filled()}
	return s.run(false)
}

// scanner walks the body without recursion: an attacker chooses the nesting.
type scanner struct {
	body   []byte
	lim    Limits
	out    *Object // nil: check only
	depth  int     // of the containers open now
	nodes  int
	member int                     // policy key that the next value at depth 1 belongs to, or -1
	isObj  [maxDepth/64 + 1]uint64 // bit d: the container at depth d is an object
}

var bom = []byte("\xef\xbb\xbf")

// run checks the whole body.
func (s *scanner) run(wantObject bool) (Value, error) {
	if bytes.HasPrefix(s.body, bom) {
		return Value{}, s.syntax(0, "the body starts with a UTF-8 byte order mark, which JSON does not allow")
	}
	i := skipSpace(s.body, 0)
	if wantObject && i < len(s.body) && s.body[i] != '{' {
		return Value{}, s.syntax(i, "the body must be a JSON object")
	}
	v, err := s.value(i)
	if err != nil {
		return Value{}, err
	}
	if i = skipSpace(s.body, v.End); i < len(s.body) {
		return Value{}, s.syntax(i, "more data after the end of the value")
	}
	return v, nil
}

// value checks the value that starts at i and everything in it.
func (s *scanner) value(i int) (Value, error) {
	var (
		b      = s.body
		top    = Value{Start: i} // the value asked for
		member Value             // the member of the outermost object being read
		inObj  bool
		err    error
	)
	for {
		// i is where a value begins.
		if i >= len(b) {
			return Value{}, s.syntax(i, "the value ends too early")
		}
		if s.nodes++; s.nodes > s.lim.Nodes {
			return Value{}, &LimitError{What: "nodes", Limit: s.lim.Nodes, Offset: i}
		}
		kind, start := kindOf[b[i]], i
		if s.depth == 1 {
			member.Start = i
		}
		switch kind {
		case String:
			if i = endOfString(b, i+1); i < 0 {
				return Value{}, s.badString(^i)
			}
		case ObjectKind, Array:
			if s.depth >= s.lim.Depth {
				return Value{}, &LimitError{What: "depth", Limit: s.lim.Depth, Offset: i}
			}
			inObj = kind == ObjectKind
			s.push(inObj)
			i = skipSpace(b, i+1)
			switch {
			case i < len(b) && b[i] == b[start]+2: // the closing bracket: '{'+2 is '}', '['+2 is ']'
				i++
				inObj = s.pop()
			case inObj:
				if i, err = s.key(i); err != nil {
					return Value{}, err
				}
				continue
			default:
				continue
			}
		case Number:
			if i = endOfNumber(b, i); i < 0 {
				return Value{}, s.syntax(^i, "a digit is missing")
			}
			if i-start > s.lim.NumberLen {
				return Value{}, &LimitError{What: "number length", Limit: s.lim.NumberLen, Offset: start}
			}
		case Null, Bool:
			if i = s.literal(i); i < 0 {
				return Value{}, s.syntax(start, "a literal other than true, false and null")
			}
		default:
			return Value{}, s.syntax(i, "no value begins like this")
		}

		// A value has ended before i: close what ends with it.
		for {
			if s.depth == 0 {
				top.Kind, top.End = kind, i
				return top, nil
			}
			if s.depth == 1 && s.out != nil {
				member.Kind, member.End = kind, i
				s.record(member)
			}
			i = skipSpace(b, i)
			if i >= len(b) {
				return Value{}, s.syntax(i, "the value ends too early")
			}
			if b[i] == ',' {
				i = skipSpace(b, i+1)
				if inObj {
					if i, err = s.key(i); err != nil {
						return Value{}, err
					}
				}
				break
			}
			switch {
			case inObj && b[i] == '}':
				kind = ObjectKind
			case !inObj && b[i] == ']':
				kind = Array
			default:
				return Value{}, s.syntax(i, "a comma or the closing bracket is missing")
			}
			i++
			inObj = s.pop()
		}
	}
}

// key checks a member name and its colon and returns where the value begins.
func (s *scanner) key(i int) (int, error) {
	b := s.body
	if i >= len(b) || b[i] != '"' {
		return 0, s.syntax(i, "a member name in quotes is missing")
	}
	end := endOfString(b, i+1)
	if end < 0 {
		return 0, s.badString(^end)
	}
	if end-i-2 > s.lim.KeyLen {
		return 0, &LimitError{What: "key length", Limit: s.lim.KeyLen, Offset: i}
	}
	if s.depth == 1 && s.out != nil {
		if err := s.out.meet(b, i, end, &s.member); err != nil {
			return 0, err
		}
	}
	if i = skipSpace(b, end); i >= len(b) || b[i] != ':' {
		return 0, s.syntax(i, "a colon is missing")
	}
	return skipSpace(b, i+1), nil
}

func (s *scanner) record(v Value) {
	s.out.Members++
	if s.member >= 0 {
		s.out.fields[s.member].value = v
	}
}

func (s *scanner) push(object bool) {
	s.depth++
	word, bit := &s.isObj[s.depth>>6], uint64(1)<<(s.depth&63)
	*word &^= bit
	if object {
		*word |= bit
	}
}

// pop leaves a container and reports whether the one around it is an object.
func (s *scanner) pop() bool {
	s.depth--
	return s.isObj[s.depth>>6]>>(s.depth&63)&1 == 1
}

// literal returns the offset after true, false or null at i, or -1.
func (s *scanner) literal(i int) int {
	rest := s.body[i:]
	switch {
	case len(rest) >= 4 && (string(rest[:4]) == "true" || string(rest[:4]) == "null"):
		return i + 4
	case len(rest) >= 5 && string(rest[:5]) == "false":
		return i + 5
	}
	return -1
}

func (s *scanner) badString(i int) error {
	switch {
	case i >= len(s.body):
		return s.syntax(i, "a string has no closing quote")
	case s.body[i] == '\\':
		return s.syntax(i, "an escape that JSON does not have")
	}
	return s.syntax(i, "a control character in a string must be escaped")
}

func (s *scanner) syntax(i int, msg string) error {
	return &SyntaxError{Offset: min(i, len(s.body)), Msg: msg}
}

// kindOf tells a value's kind by its first byte.
var kindOf = [256]Kind{
	'"': String, '{': ObjectKind, '[': Array, 't': Bool, 'f': Bool, 'n': Null, '-': Number,
	'0': Number, '1': Number, '2': Number, '3': Number, '4': Number,
	'5': Number, '6': Number, '7': Number, '8': Number, '9': Number,
}
