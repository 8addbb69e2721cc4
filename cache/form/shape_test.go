package form_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
)

// shape checks a stream for what official SDKs break on.
type shape struct {
	t       *testing.T
	op      *wire.Operation
	head    string
	n       int64 // events
	indexes map[string]int64
	open    string // item or block
	roles   map[int64]bool
	calls   map[string]bool
	last    string
	bad     bool
}

func (s *shape) fail(format string, args ...any) {
	s.t.Helper()
	s.t.Errorf(format, args...)
	s.bad = true
}

// chunk is what the check looks at, over all dialects.
type chunk struct {
	Type     string `json:"type"`
	ID       string `json:"id"`
	Created  int64  `json:"created"`
	Model    string `json:"model"`
	Sequence *int64 `json:"sequence_number"`
	Output   *int64 `json:"output_index"`
	Index    *int64 `json:"index"`
	ItemID   string `json:"item_id"`
	Item     struct {
		ID string `json:"id"`
	} `json:"item"`
	Response struct {
		ID     string `json:"id"`
		Output []any  `json:"output"`
	} `json:"response"`
	Usage   json.RawMessage `json:"usage"`
	Error   json.RawMessage `json:"error"`
	Choices []struct {
		Index int64 `json:"index"`
		Delta struct {
			Role  string `json:"role"`
			Calls []struct {
				Index    int64   `json:"index"`
				ID       string  `json:"id"`
				Type     string  `json:"type"`
				Function *naming `json:"function"`
				Custom   *naming `json:"custom"`
			} `json:"tool_calls"`
		} `json:"delta"`
	} `json:"choices"`
}

type naming struct {
	Name string `json:"name"`
}

func (s *shape) event(ev *sse.Event) {
	s.t.Helper()
	if !ev.Clean || !ev.HasData || bytes.Count(ev.Raw, []byte("data:")) < 1 {
		s.fail("an event that SDKs break on: %q", ev.Raw)
	}
	if string(ev.Data) == "[DONE]" && s.op != wire.Chat && s.op != wire.Completions {
		s.fail("[DONE] in %s", s.op.Name)
	}
	if string(ev.Data) == "[DONE]" {
		s.last = "[DONE]"
		return
	}
	var c chunk
	if err := json.Unmarshal(ev.Data, &c); err != nil {
		s.fail("%v in %s", err, ev.Data)
		return
	}
	if len(c.Error) > 0 {
		s.fail("a top-level error: %s", ev.Data)
	}
	switch s.op {
	case wire.Chat, wire.Completions:
		s.chat(ev, &c)
	case wire.Responses:
		s.responses(ev, &c)
	case wire.Messages:
		s.messages(ev, &c)
	case wire.GeminiGenerate:
		if !bytes.HasPrefix(ev.Raw, []byte("data: ")) || !bytes.HasSuffix(ev.Raw, []byte("\r\n\r\n")) {
			s.fail("framing %q", ev.Raw)
		}
	}
	s.last = c.Type
	s.n++
}

func (s *shape) chat(ev *sse.Event, c *chunk) {
	if ev.Name != nil {
		s.fail("a named event %s", ev.Raw)
	}
	if head := fmt.Sprint(c.ID, c.Created, c.Model); s.head == "" {
		s.head = head
	} else if s.head != head {
		s.fail("the head changes: %s", ev.Data)
	}
	for _, choice := range c.Choices {
		if s.roles == nil {
			s.roles, s.calls = make(map[int64]bool), make(map[string]bool)
		}
		if choice.Delta.Role != "" && s.roles[choice.Index] {
			s.fail("the role again: %s", ev.Data)
		}
		s.roles[choice.Index] = s.roles[choice.Index] || choice.Delta.Role != ""
		for _, call := range choice.Delta.Calls {
			key, counter := fmt.Sprint(choice.Index, "/", call.Index), fmt.Sprint("calls", choice.Index)
			named := call.ID != "" || call.Type != "" || call.Function != nil && call.Function.Name != "" || call.Custom != nil && call.Custom.Name != ""
			switch {
			case !s.calls[key] && (!named || call.ID == "" || call.Index != s.indexes[counter]):
				s.fail("a call begins: %s", ev.Data)
			case s.calls[key] && named:
				s.fail("a call begins again: %s", ev.Data)
			}
			if !s.calls[key] {
				s.calls[key] = true
				s.indexes[counter]++
			}
		}
	}
}

func (s *shape) responses(ev *sse.Event, c *chunk) {
	if string(ev.Name) != c.Type {
		s.fail("name %s, type %s", ev.Name, c.Type)
	}
	if c.Sequence == nil || *c.Sequence != s.n {
		s.fail("number %d in %s", s.n, ev.Data)
	}
	if c.Response.ID != "" {
		if s.head == "" {
			s.head = c.Response.ID
		} else if s.head != c.Response.ID {
			s.fail("another id: %s", ev.Data)
		}
	}
	switch c.Type {
	case "response.output_item.added":
		if s.open != "" || *c.Output != s.indexes["items"] {
			s.fail("an item is added: %s", ev.Data)
		}
		s.open = "item " + c.Item.ID
	case "response.output_item.done":
		if s.open != "item "+c.Item.ID || *c.Output != s.indexes["items"] {
			s.fail("an item is done: %s", ev.Data)
		}
		s.open = ""
		s.indexes["items"]++
	case "response.created", "response.in_progress":
		if len(c.Response.Output) > 0 {
			s.fail("output too early: %s", ev.Data)
		}
	case "response.completed", "response.incomplete":
		if s.open != "" || int64(len(c.Response.Output)) != s.indexes["items"] {
			s.fail("%d items, %q open, at the end: %s", s.indexes["items"], s.open, ev.Data)
		}
	default:
		if "item "+c.ItemID != s.open || *c.Output != s.indexes["items"] {
			s.fail("%q is open: %s", s.open, ev.Data)
		}
	}
}

func (s *shape) messages(ev *sse.Event, c *chunk) {
	if string(ev.Name) != c.Type {
		s.fail("name %s, type %s", ev.Name, c.Type)
	}
	switch c.Type {
	case "message_start":
		if s.n != 0 {
			s.fail("starts again: %s", ev.Data)
		}
	case "content_block_start":
		if s.open != "" || *c.Index != s.indexes["blocks"] {
			s.fail("a block starts: %s", ev.Data)
		}
		s.open = "block"
	case "content_block_stop":
		if s.open == "" || *c.Index != s.indexes["blocks"] {
			s.fail("a block stops: %s", ev.Data)
		}
		s.open = ""
		s.indexes["blocks"]++
	case "message_delta":
		if len(c.Usage) == 0 || string(c.Usage) == "null" {
			s.fail("no usage: %s", ev.Data)
		}
	}
}

func (s *shape) end() {
	ends := map[*wire.Operation][]string{
		wire.Chat: {"[DONE]"}, wire.Completions: {"[DONE]"}, wire.Messages: {"message_stop"},
		wire.Responses: {"response.completed", "response.incomplete"}, wire.GeminiGenerate: {""},
	}
	for _, end := range ends[s.op] {
		if s.last == end {
			return
		}
	}
	s.fail("ends with %q", s.last)
}
