package openai

import (
	"strconv"

	"github.com/weirproxy/weir/internal/jsonw"
	"github.com/weirproxy/weir/wire"
)

func itoa(n int) string { return strconv.Itoa(n) }

// EncodeResponse writes a whole chat completion, every member of OpenAI's own
// present.
func (Codec) EncodeResponse(dst []byte, res *wire.Response, reply *wire.Reply) []byte {
	if res.Failure != nil {
		return wire.AppendOpenAIError(dst, res.Failure)
	}
	w := answerWriter{Writer: jsonw.Writer{B: dst}, reply: reply, legacy: legacyCalls(reply)}
	w.Object()
	w.head(res.ID, "chatcmpl-", "chat.completion", res.Created, res.Model)
	w.Key("choices")
	w.Array()
	for i := range res.Choices {
		w.choice(&res.Choices[i])
	}
	w.EndArray()
	w.tail(res)
	return w.B
}

// answerWriter writes one answer.
type answerWriter struct {
	jsonw.Writer
	reply  *wire.Reply
	legacy bool
	calls  int // over all choices, for ids that are made up
}

// head writes the members that every answer and every chunk begins with.
func (w *answerWriter) head(id, prefix, object string, created int64, model string) (names identity) {
	if id == "" {
		id = prefix + w.reply.ID
	}
	if created == 0 {
		created = w.reply.Created
	}
	if model == "" {
		model = w.reply.Model
	}
	w.Str("id", id)
	w.Str("object", object)
	w.Num("created", created)
	w.Str("model", model)
	return identity{id, model, created}
}

// identity is what all chunks of a stream have in common.
type identity struct {
	id, model string
	created   int64
}

// Identify implements wire.Identified.
func (n *identity) Identify(seen *wire.Seen) {
	if n.id != "" { // it has begun
		seen.ID, seen.Model, seen.Created = n.id, n.model, strconv.FormatInt(n.created, 10)
	}
}

// tail writes usage and what follows it. Clients read usage without looking
// whether it is there, so it always is.
func (w *answerWriter) tail(res *wire.Response) {
	w.Key("usage")
	usage := res.Usage
	if !usage.Reported {
		usage.Input = w.reply.InputTokens
	}
	writeUsage(&w.Writer, &usage)
	tier := res.ServiceTier
	if tier == "" {
		tier = usage.ServiceTier
	}
	w.StrIf("service_tier", tier)
	w.Key("system_fingerprint")
	if res.Fingerprint == "" {
		w.Null()
	} else {
		w.String(res.Fingerprint)
	}
	w.End()
}

func (w *answerWriter) choice(c *wire.Choice) {
	refused := false
	w.Object()
	w.Num("index", int64(c.Index))
	w.Key("message")
	w.message(c, &refused)
	w.Key("logprobs")
	w.Raw(c.LogProbs)
	w.finish(c.Finish, c.Native, refused)
	w.End()
}

// finish writes the reason in OpenAI's words and in the vendor's own.
func (w *answerWriter) finish(finish wire.Finish, native string, refused bool) {
	word := wordOf(finish, refused, w.legacy)
	w.Str("finish_reason", word)
	if native != word {
		w.StrIf("native_finish_reason", native)
	}
}
