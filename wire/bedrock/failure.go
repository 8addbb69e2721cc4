package bedrock

import (
	"strings"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/internal/jsonw"
	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
)

// readException reads an exception inside a stream; nil when the event is none.
// New exceptions are known by their name's end, errors outside of the model
// (InternalFailure) by their message.
func readException(name string, data []byte, root jsonscan.Value) *wire.Failure {
	message, hasMessage := jsonscan.Lookup(data, root, "message").Text(data, nil)
	if !hasMessage && !strings.HasSuffix(name, "Exception") {
		return nil
	}
	f := &wire.Failure{Kind: exceptionKind(name), Message: string(message)}
	if inner, ok := jsonscan.Lookup(data, root, "originalMessage").Text(data, nil); ok && f.Message == "" {
		f.Message = string(inner)
	}
	if f.Message == "" {
		f.Message = "the upstream ended the stream with an error (" + name + ")"
	}
	f.Kind = wire.Classify(f.Kind, name, f.Message)
	return f
}

func exceptionKind(name string) wire.Kind {
	switch name {
	case "throttlingException", "ThrottlingException":
		return wire.KindRateLimit
	case "modelTimeoutException":
		return wire.KindTimeout
	case "serviceUnavailableException", "modelNotReadyException":
		return wire.KindOverloaded
	case "validationException":
		return wire.KindInvalid
	case "accessDeniedException":
		return wire.KindPermission
	default: // internalServerException, modelStreamErrorException
		return wire.KindUpstream
	}
}

// appendException appends the event of the exception that comes nearest to f.
func appendException(dst []byte, f *wire.Failure) []byte {
	name := "internalServerException"
	switch f.Kind {
	case wire.KindRateLimit, wire.KindBudget:
		name = "throttlingException"
	case wire.KindTimeout:
		name = "modelTimeoutException"
	case wire.KindOverloaded:
		name = "serviceUnavailableException"
	case wire.KindInvalid, wire.KindContextLength, wire.KindPolicy, wire.KindTooLarge:
		name = "validationException"
	case wire.KindUpstream:
		name = "modelStreamErrorException"
	}
	var w jsonw.Writer
	w.Object()
	w.Str("message", f.Message)
	w.End()
	return sse.AppendEvent(dst, name, w.B)
}
