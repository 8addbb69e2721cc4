package simulator

import (
	"encoding/json"
	"net/http"
)

type completionRequest struct {
	Prompt    textList   `json:"prompt"`
	MaxTokens *int       `json:"max_tokens"`
	N         *int       `json:"n"`
	Stop      stringList `json:"stop"`
	streamRequest
}

// defaultCompletion is OpenAI's default of max_tokens in this old API.
const defaultCompletion = 16

func (x *exchange) completions(body []byte) (*http.Response, error) {
	var r completionRequest
	if err := json.Unmarshal(body, &r); err != nil {
		return x.fail(badJSON(openAI, err))
	}
	switch f := validChoices(r.N); {
	case f != nil:
		return x.fail(f)
	case len(r.Prompt) == 0:
		return x.fail(missing(openAI, "prompt"))
	case len(r.Prompt) > maxInputs:
		return x.fail(tooMany("prompt"))
	case r.MaxTokens != nil && *r.MaxTokens < 0:
		return x.fail(belowMinimum(openAI, "max_tokens", 0, *r.MaxTokens))
	}
	limit, n := defaultCompletion, 1
	if r.MaxTokens != nil {
		limit = *r.MaxTokens
	}
	if r.N != nil {
		n = *r.N
	}
	whole := &prompt{}
	var answers []answer
	for _, t := range r.Prompt {
		p := &prompt{tokens: x.inputTokens(t), hash: hash(fnvOffset, t.key()), lastUser: t.text, limit: limit, stops: r.Stop}
		whole.tokens += p.tokens
		for i := range n {
			answers = append(answers, x.answer(p, i))
		}
	}
	c := &completionWriter{
		id: x.mint("cmpl-", 29, alphabet, saltAnswer), created: x.start.Unix(), model: x.model,
		answers: answers, usage: x.completionUsage(whole, answers), reported: r.StreamOptions.IncludeUsage && !x.do.noUsage,
	}
	if r.Stream {
		return x.events(chatError, c.segments()...)
	}
	return x.whole(longest(answers), c.body())
}

func (x *exchange) completionUsage(p *prompt, answers []answer) raw {
	if x.do.noUsage {
		return nil
	}
	out := 0
	for i := range answers {
		out += answers[i].tokens
	}
	return format(nil, `{"prompt_tokens":?,"completion_tokens":?,"total_tokens":?}`, p.tokens, out, p.tokens+out)
}

func completionFinish(f finish) string {
	switch f {
	case finishLength:
		return "length"
	case finishRefusal:
		return "content_filter"
	}
	return "stop"
}

type completionWriter struct {
	id, model string
	created   int64
	answers   []answer
	usage     raw
	reported  bool
}

func (c *completionWriter) body() []byte {
	dst := format(nil, `{"id":?,"object":"text_completion","created":?,"model":?,"choices":[`, c.id, c.created, c.model)
	for i := range c.answers {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = format(dst, `{"text":?,"index":?,"logprobs":null,"finish_reason":?}`, join(c.answers[i].text), i, completionFinish(c.answers[i].finish))
	}
	dst = append(dst, ']')
	if len(c.usage) > 0 {
		dst = format(dst, `,"usage":?`, c.usage)
	}
	return append(dst, '}')
}

func (c *completionWriter) chunk(dst []byte, text string, index int, finish any) []byte {
	tail := raw(`}`)
	if c.reported {
		tail = raw(`,"usage":null}`)
	}
	return data(dst, `{"id":?,"object":"text_completion","created":?,"choices":[{"text":?,"index":?,"logprobs":null,"finish_reason":?}],"model":??`,
		c.id, c.created, text, index, finish, c.model, tail)
}

func (c *completionWriter) segments() []segment {
	n, longest := len(c.answers), 0
	for i := range c.answers {
		longest = max(longest, c.answers[i].text.len())
	}
	list := []segment{
		{n: n * longest, div: n, emit: func(dst []byte, i int) []byte {
			a := &c.answers[i%n]
			last := a.text.len() - 1
			switch {
			case i/n > last:
				return dst
			case i/n == last && a.finish == finishLength:
				return c.chunk(dst, a.text.at(last), i%n, "length")
			}
			return c.chunk(dst, a.text.at(i/n), i%n, nil)
		}},
		// The finish reason "length" comes with the last text, others after it.
		{n: n, emit: func(dst []byte, i int) []byte {
			if a := &c.answers[i]; a.finish == finishLength && a.text.len() > 0 {
				return dst
			}
			return c.chunk(dst, "", i, completionFinish(c.answers[i].finish))
		}},
	}
	if c.reported {
		list = append(list, once(func(dst []byte) []byte {
			return data(dst, `{"id":?,"object":"text_completion","created":?,"model":?,"usage":?,"choices":[]}`, c.id, c.created, c.model, c.usage)
		}))
	}
	return append(list, once(doneEvent))
}
