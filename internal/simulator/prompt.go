package simulator

import (
	"encoding/json"
	"errors"
	"strings"
)

// prompt is what the answer depends on, whatever the dialect.
type prompt struct {
	tokens     int
	hash       uint64
	lastUser   string
	toolResult bool // the last message answers a call: the loop ends here

	tools    []tool
	choice   choice
	parallel bool

	structured bool            // the answer has to be a JSON object
	schema     json.RawMessage // that satisfies this, if any

	limit int // cap on output tokens, or off
	stops []string
}

type tool struct {
	name   string
	schema json.RawMessage
}

// choice is a request's tool choice: auto, none or required, and the tool that
// is meant, if one is.
type choice struct {
	mode, name string
}

func (x *exchange) newPrompt() *prompt {
	// The overhead is that of OpenAI's chat format: three tokens for each
	// message and three that begin the answer.
	return &prompt{tokens: 3, hash: fnvOffset, choice: choice{mode: "auto"}, parallel: true, limit: off}
}

// message adds one to the count and the hash.
func (p *prompt) message(x *exchange, role, name string, c content) {
	p.tokens += 3 + x.count(role)
	if name != "" {
		p.tokens += 1 + x.count(name)
	}
	p.hash = hash(p.hash, role)
	for _, t := range c.texts {
		p.tokens += x.count(t)
		p.hash = hash(p.hash, t)
	}
	if role == "user" && len(c.texts) > 0 {
		p.lastUser = strings.Join(c.texts, "")
	}
	p.toolResult = c.toolResult || role == "tool" || role == "function"
}

// offer adds a tool.
func (p *prompt) offer(x *exchange, name, description string, schema json.RawMessage) {
	p.tokens += x.count(name) + x.count(description) + x.count(string(schema))
	p.tools = append(p.tools, tool{name, schema})
}

// cap takes over an output cap; the smaller of two wins.
func (p *prompt) cap(n *int) {
	if n != nil && (p.limit == off || *n < p.limit) {
		p.limit = *n
	}
}

// content is a message's content in any of the dialects: null, a string, or
// parts. Parts without text, such as images, count nothing.
type content struct {
	texts      []string
	toolResult bool
}

type part struct {
	Type    string          `json:"type"`
	Text    string          `json:"text"`
	Refusal string          `json:"refusal"`
	Name    string          `json:"name"`
	Input   json.RawMessage `json:"input"`
	Content content         `json:"content"`
}

var errContent = errors.New("content is neither a string nor an array of parts")

func (c *content) UnmarshalJSON(b []byte) error {
	switch b[0] {
	case 'n':
		return nil
	case '"':
		var s string
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
		c.texts = []string{s}
		return nil
	case '[':
		// A document's content may be anything: only arrays of objects count.
		var parts []part
		if err := json.Unmarshal(b, &parts); err != nil {
			return err
		}
		for i := range parts {
			c.add(&parts[i])
		}
		return nil
	case '{':
		return nil // server tools have results of their own shapes
	}
	return errContent
}

func (c *content) add(p *part) {
	if p.Type == "tool_result" {
		c.toolResult = true
	}
	for _, t := range []string{p.Text, p.Refusal, p.Name, string(p.Input)} {
		if t != "" {
			c.texts = append(c.texts, t)
		}
	}
	c.texts = append(c.texts, p.Content.texts...)
}

// stringList is a string or an array of strings.
type stringList []string

func (l *stringList) UnmarshalJSON(b []byte) error {
	switch b[0] {
	case 'n':
		return nil
	case '"':
		var s string
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
		*l = stringList{s}
		return nil
	}
	var s []string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	*l = s
	return nil
}

// parseChoice reads OpenAI's tool_choice of either API.
func parseChoice(v json.RawMessage) choice {
	var mode string
	if json.Unmarshal(v, &mode) == nil && mode != "" {
		return choice{mode: mode}
	}
	var o struct {
		Type     string `json:"type"`
		Name     string `json:"name"`
		Mode     string `json:"mode"`
		Function struct {
			Name string `json:"name"`
		} `json:"function"`
		AllowedTools struct {
			Mode string `json:"mode"`
		} `json:"allowed_tools"`
	}
	if json.Unmarshal(v, &o) != nil {
		return choice{mode: "auto"}
	}
	switch o.Type {
	case "function":
		return choice{mode: "required", name: o.Function.Name + o.Name}
	case "allowed_tools":
		return choice{mode: o.Mode + o.AllowedTools.Mode}
	}
	return choice{mode: "auto"}
}
