package wire

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/weirproxy/weir/internal/jsonscan"
)

// Error makes a Failure usable as an error inside this package's results.
func (f *Failure) Error() string { return f.Kind.String() + ": " + f.Message }

func invalid(param, message string) *Failure {
	return &Failure{Kind: KindInvalid, Param: param, Message: message}
}

// scanFailure words what is wrong with a body.
func scanFailure(err error) *Failure {
	var dup *jsonscan.DuplicateError
	if errors.As(err, &dup) {
		return invalid(dup.Key, fmt.Sprintf("the body names '%s' more than once or in another spelling ('%s' at byte %d); write it once, as '%s'", dup.Key, dup.Found, dup.Offset, dup.Key))
	}
	var limit *jsonscan.LimitError
	if errors.As(err, &limit) {
		return invalid("", fmt.Sprintf("the JSON body exceeds the limit on %s (%d) at byte %d", limit.What, limit.Limit, limit.Offset))
	}
	var syntax *jsonscan.SyntaxError
	if errors.As(err, &syntax) {
		return invalid("", fmt.Sprintf("the body is not a valid JSON object: %s at byte %d", syntax.Msg, syntax.Offset))
	}
	return invalid("", "the body is not a valid JSON object")
}

func appendInt(dst []byte, n int64) []byte { return strconv.AppendInt(dst, n, 10) }
