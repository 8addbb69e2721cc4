package handlers

import (
	"errors"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/wire"
)

// errBlocked is a prompt that an upstream refused by its policy, with a status
// that says it had answered.
var errBlocked = &gateway.Error{Kind: wire.KindPolicy, Phase: "answer", Message: "the upstream refused the prompt by its policy"}

// blocked is the failure of an attempt whose upstream has done so, where the
// call's model may lead elsewhere. The answer has been read to its end; its client
// gets it if nobody else has another.
type blocked struct {
	answer answer
}

// Error implements error.
func (b *blocked) Error() string { return errBlocked.Error() }

// Unwrap returns what the gateway makes of it.
func (b *blocked) Unwrap() error { return errBlocked }

// drop gives the answer up; b may be nil.
func (b *blocked) drop() {
	if b != nil {
		b.answer.drop()
	}
}

// asBlocked returns the blocked answer that err is, nil when it is none.
func asBlocked(err error) *blocked {
	b, _ := errors.AsType[*blocked](err)
	return b
}
