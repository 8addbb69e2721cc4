package simulator

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// off is the value of a token position that is never reached.
const off = -1

// maxTokens bounds tokens-<n>; the longest real answers are shorter.
const maxTokens = 200_000

// kind is what an answer is made of.
type kind int

const (
	lorem kind = iota
	echo
	jsonObject
	toolCalls
	refuse
)

// behaviour is how one request is answered: the configuration, changed by the
// words in the model's name.
type behaviour struct {
	kind   kind
	ttft   time.Duration
	tps    float64
	tokens int
	exact  bool // tokens came from the model's name and also bounds an echo

	status  int    // answer with this error
	code    string // answer with this named error
	unknown string // a word that is no behaviour, next to one that is

	cut, stall, errAt int // token positions, or off

	hang, length, noUsage, garbage, html bool
}

func (s *Simulator) behaviour(name string) behaviour {
	b := behaviour{
		ttft: s.cfg.TTFT, tps: s.cfg.TokensPerSecond, tokens: s.cfg.OutputTokens,
		cut: off, stall: off, errAt: off,
	}
	if s.cfg.CutAfter > 0 {
		b.cut = s.cfg.CutAfter
	}
	if s.cfg.StallAfter > 0 {
		b.stall = s.cfg.StallAfter
	}
	known, unknown := false, ""
	for word := range strings.SplitSeq(name, "+") {
		if b.apply(word) {
			known = true
		} else {
			unknown = word
		}
	}
	// `slow+tokns-5` is a typing error and must not pass for slow, while a
	// name without any known word is some vendor's model.
	if known {
		b.unknown = unknown
	}
	return b
}

// stripPrefix removes the provider's name where the caller left it on.
func stripPrefix(model string) string {
	for strings.HasPrefix(model, "sim/") {
		model = model[len("sim/"):]
	}
	return model
}

// words without an argument.
var words = map[string]func(*behaviour){
	"lorem":       func(b *behaviour) { b.kind = lorem },
	"default":     func(b *behaviour) { b.kind = lorem },
	"echo":        func(b *behaviour) { b.kind = echo },
	"json":        func(b *behaviour) { b.kind = jsonObject },
	"tool":        func(b *behaviour) { b.kind = toolCalls },
	"refuse":      func(b *behaviour) { b.kind = refuse },
	"slow":        func(b *behaviour) { b.ttft, b.tps = 2*time.Second, 5 },
	"fast":        func(b *behaviour) { b.ttft, b.tps = 0, 0 },
	"hang":        func(b *behaviour) { b.hang = true },
	"length":      func(b *behaviour) { b.length = true },
	"nousage":     func(b *behaviour) { b.noUsage = true },
	"garbage":     func(b *behaviour) { b.garbage = true },
	"html":        func(b *behaviour) { b.html = true },
	"err-context": func(b *behaviour) { b.code = "context_length_exceeded" },
	"err-quota":   func(b *behaviour) { b.code = "insufficient_quota" },
}

// counted are the words that end in a number.
var counted = []struct {
	prefix   string
	min, max int
	set      func(*behaviour, int)
}{
	{"err-stream-", 0, maxTokens, func(b *behaviour, n int) { b.errAt = n }},
	{"err-", 400, 599, func(b *behaviour, n int) { b.status = n }},
	{"cut-", 0, maxTokens, func(b *behaviour, n int) { b.cut = n }},
	{"stall-", 0, maxTokens, func(b *behaviour, n int) { b.stall = n }},
	{"tokens-", 1, maxTokens, func(b *behaviour, n int) { b.tokens, b.exact = n, true }},
}

func (b *behaviour) apply(word string) bool {
	if set := words[word]; set != nil {
		set(b)
		return true
	}
	for _, c := range counted {
		if arg, ok := strings.CutPrefix(word, c.prefix); ok {
			n, err := strconv.Atoi(arg)
			if err != nil || n < c.min || n > c.max {
				continue
			}
			c.set(b, n)
			return true
		}
	}
	if arg, ok := strings.CutPrefix(word, "ttft-"); ok {
		d, err := time.ParseDuration(arg)
		if err == nil && d >= 0 {
			b.ttft = d
			return true
		}
	}
	if arg, ok := strings.CutPrefix(word, "tps-"); ok {
		f, err := strconv.ParseFloat(arg, 64)
		if err == nil && f > 0 && f <= 1e6 {
			b.tps = f
			return true
		}
	}
	return false
}

// refusal is the error that the model's name asks for, or nil.
func (b *behaviour) refusal(x *exchange) *failure {
	switch {
	case b.unknown != "":
		return modelNotFound(x)
	case b.code == "context_length_exceeded":
		return contextExceeded(x.dialect)
	case b.code == "insufficient_quota":
		return quotaExceeded(x.dialect)
	case b.status != 0:
		return statusFailure(x, b.status)
	}
	return nil
}

// due is when the token with this index, from 0, may be shown.
func (b *behaviour) due(index int) time.Duration {
	if b.tps <= 0 {
		return b.ttft
	}
	return b.ttft + time.Duration(float64(index)/b.tps*float64(time.Second))
}

// retryable says whether a vendor marks the status as worth another try.
func retryable(status int) bool {
	return status == http.StatusRequestTimeout || status == http.StatusConflict ||
		status == http.StatusTooManyRequests || status >= 500
}
