package wire

import (
	"strings"
	"time"

	"github.com/weirproxy/weir/internal/jsonscan"
)

// maxMessage bounds what is quoted of an upstream's error.
const maxMessage = 2048

// ReadFailure reads an upstream's refusal in whatever shape it came: an error
// object or string, an array of one, {"message"}, {"detail"}, a page. status
// is the HTTP status, errorType the value of a header that names the error
// (x-amzn-errortype), if any. The message is fit for the client, but for
// secrets that it may quote. It never fails.
func ReadFailure(status int, errorType string, body []byte) *Failure {
	f := &Failure{Kind: KindOfStatus(status)}
	var code string
	if doc, err := ParseDoc(body); err == nil {
		f.Message, code, f.Param = readErrorDoc(doc)
		f.RetryAfter = googleDelay(doc)
	}
	errorType, _, _ = strings.Cut(errorType, ":")
	if f.Message == "" {
		f.Message = "the upstream answered with an error"
		if errorType != "" {
			f.Message += " (" + errorType + ")"
		}
	}
	if len(f.Message) > maxMessage {
		f.Message = strings.ToValidUTF8(f.Message[:maxMessage], "") + "…"
	}
	f.Kind = Classify(f.Kind, code+" "+errorType, f.Message)
	return f
}

// readErrorDoc finds message, code and param in a JSON error of any vendor.
// code joins all words that class the error.
func readErrorDoc(d *Doc) (message, code, param string) {
	v := d.Root
	if v.Kind == jsonscan.Array { // some Google endpoints wrap the error
		for first := range d.Elements(v) {
			v = first
			break
		}
	}
	outer := v
	switch e := d.Get(v, "error"); e.Kind {
	case jsonscan.String: // xAI, Ollama
		return d.Str(e), d.StrAt(outer, "code"), ""
	case jsonscan.ObjectKind:
		v = e
	}
	for _, name := range []string{"message", "Message", "detail", "error_message", "errors"} {
		if message, param = messageIn(d, d.Get(v, name)); message != "" {
			break
		}
	}
	if named := d.StrAt(v, "param"); named != "" {
		param = named
	}
	var words []string
	for _, name := range []string{"code", "type", "status", "error_type"} {
		if w := d.Get(v, name); w.Kind == jsonscan.String {
			words = append(words, d.Str(w))
		}
	}
	for detail := range d.Elements(d.Get(v, "details")) { // Google: ErrorInfo.reason
		if reason := d.StrAt(detail, "reason"); reason != "" {
			words = append(words, reason)
		}
		for violation := range d.Elements(d.Get(detail, "violations")) {
			if strings.Contains(d.StrAt(violation, "quotaId"), "PerDay") {
				words = append(words, "insufficient_quota") // no retry helps today
			}
		}
	}
	for _, path := range [...][2]string{{"innererror", "code"}, {"metadata", "error_type"}, {"details", "error_code"}} { // Azure, OpenRouter, Anthropic
		if word := d.StrAt(v, path[0], path[1]); word != "" {
			words = append(words, word)
		}
	}
	return message, strings.Join(words, " "), param
}

// messageIn is the message that v is or holds, and the member that it is about
// where that is told: a text, FastAPI's [{loc, msg}], or either within an object,
// as Mistral has it. Of several, the first says enough.
func messageIn(d *Doc, v jsonscan.Value) (message, param string) {
	switch v.Kind {
	case jsonscan.String:
		return d.Str(v), ""
	case jsonscan.Array:
		for first := range d.Elements(v) {
			return messageIn(d, first)
		}
	case jsonscan.ObjectKind:
		for _, name := range []string{"message", "msg", "detail"} {
			if message, param = messageIn(d, d.Get(v, name)); message == "" {
				continue
			}
			if place := placeOf(d, d.Get(v, "loc")); place != "" {
				return place + ": " + message, place
			}
			return message, param
		}
	}
	return "", ""
}

// placeOf is a path of FastAPI's, such as messages.0.name.
func placeOf(d *Doc, loc jsonscan.Value) string {
	var steps []string
	for step := range d.Elements(loc) {
		name := d.Str(step)
		if step.Kind == jsonscan.Number {
			name = string(step.Raw(d.Data))
		}
		if name != "" && (name != "body" || len(steps) > 0) {
			steps = append(steps, name)
		}
	}
	return strings.Join(steps, ".")
}

// googleDelay is the delay of Google's RetryInfo, such as "34.4s"; 0 for none.
func googleDelay(d *Doc) time.Duration {
	for detail := range d.Elements(d.Get(d.Root, "error", "details")) {
		if delay, err := time.ParseDuration(d.StrAt(detail, "retryDelay")); err == nil && delay > 0 {
			return delay
		}
	}
	return 0
}

// Classify narrows the class that a status gives by the vendor's words:
// prompts that are too long, refusals by policy, spent budgets and bad keys
// are told in many ways, and often under another status.
func Classify(kind Kind, code, message string) Kind {
	code, text := strings.ToLower(code), strings.ToLower(message)
	switch {
	case containsAny(code, "context_length_exceeded", "exceed_context_size", "too_many_tokens", "too_many_prompt_tokens", "3051"):
		return KindContextLength
	case kind == KindInvalid || kind == KindConflict || kind == KindTooLarge || kind == KindUpstream:
		switch {
		case containsAny(text,
			"prompt is too long", "prompt too long", "exceeds the maximum number of tokens allowed", "input is too long", "input tokens exceed",
			"too many tokens", "too large for model", "context window", "context length", "context limit", "context size", "maximum prompt length",
			"maximum model length", "model token limit", "reduce the length of the messages", "`max_new_tokens` must be <="):
			return KindContextLength
		case containsAny(code, "content_filter", "content_policy", "responsibleaipolicy", "moderation_blocked", "cyber_policy", "prohibited_content"),
			containsAny(text, "content management policy", "content policy", "usage policies", "usage policy", "safety system", "content filtering policy", "blocked by guardrail"):
			return KindPolicy
		case containsAny(code, "api_key_invalid", "invalid_api_key", "authentication_error", "unrecognizedclient"),
			containsAny(text, "api key not valid", "incorrect api key", "invalid api key", "api key expired"):
			return KindAuthentication
		case containsAny(code, "billing_error"), containsAny(text, "credit balance is too low"):
			return KindBudget
		case containsAny(code, "model_not_found"):
			return KindModelNotFound
		case containsAny(code, "throttl", "rate_limit", "servicequotaexceeded"):
			return KindRateLimit
		}
	case kind == KindPermission: // AWS answers 403 for credentials that it does not take
		if containsAny(code, "expiredtoken", "unrecognizedclient", "invalidsignature", "incompletesignature", "missingauthenticationtoken", "invalidclienttokenid") {
			return KindAuthentication
		}
	case kind == KindRateLimit && containsAny(code, "modelnotready"):
		return KindOverloaded
	case kind == KindRateLimit:
		// Google uses the words of a spent budget for every limit.
		words := containsAny(text, "exceeded your current quota, please check your plan") && !containsAny(code, "resource_exhausted")
		if words || containsAny(code, "insufficient_quota", "spend_limit") {
			return KindBudget
		}
	}
	if kind == KindInvalid && containsAny(code, "overloaded") {
		return KindOverloaded
	}
	return kind
}

func containsAny(s string, parts ...string) bool {
	for _, p := range parts {
		if strings.Contains(s, p) {
			return true
		}
	}
	return false
}
