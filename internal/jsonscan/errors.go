package jsonscan

import "fmt"

// SyntaxError says where the bytes stop being one JSON value of RFC 8259.
type SyntaxError struct {
	Offset int // of the offending byte, from 0; len(body) when it ends too early
	Msg    string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("invalid JSON at byte %d: %s", e.Offset, e.Msg)
}

// DuplicateError reports a policy key that a lenient parser could read twice
// or differently.
type DuplicateError struct {
	Key    string // the policy key
	Found  string // the spelling met, between the quotes, escapes kept
	Offset int    // of that spelling's opening quote
}

func (e *DuplicateError) Error() string {
	if e.Found == e.Key {
		return fmt.Sprintf("member %q appears twice (at byte %d)", e.Key, e.Offset)
	}
	return fmt.Sprintf("member %q at byte %d is another spelling of %q", e.Found, e.Offset, e.Key)
}

// LimitError reports well-formed input that is too deep, too long or too many.
type LimitError struct {
	What   string // "depth", "nodes", "key length" or "number length"
	Limit  int
	Offset int
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("JSON %s exceeds the limit of %d at byte %d", e.What, e.Limit, e.Offset)
}
