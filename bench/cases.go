package main

import (
	"time"

	"github.com/weirproxy/weir/bench/load"
	"github.com/weirproxy/weir/bench/mock"
	"github.com/weirproxy/weir/bench/targets"
)

// entry is a target and how it is asked.
type entry struct {
	label  string // unique in its case
	target string
	ask    load.Request // what differs from the case's; see with
	want   int
}

// Case is something that is measured of several targets, one after the other.
type Case struct {
	name, title string
	entries     []entry
	script      mock.Script
	ask         load.Request
	conns       int
	rate        float64
	chunks      int
	late        time.Duration
	starts      time.Duration // between the starts of two connections
	fixed       time.Duration // how long it takes at least, whatever the profile says
	once        bool          // not in each round: it takes long, or shows what does not vary
	peers       bool          // others are measured too
}

const (
	chat      = "/v1/chat/completions"
	messages  = "/v1/messages"
	responses = "/v1/responses"
)

// Streams do not start all at once, or the time to the first token would be how
// long a queue of requests is that the load has made. Nor do they march in step:
// what is over beyond whole gaps spreads their chunks evenly. Where that time is
// looked at the upstream answers at once: a timer would be less exact than what
// gateways add.
const (
	chunkGap    = 5 * time.Millisecond
	chunkStarts = 4100 * time.Microsecond
	chunkTime   = 1200 * time.Millisecond // each connection begins its second stream meanwhile
	tokenGap    = 20 * time.Millisecond
	tokenStarts = 10400 * time.Microsecond
)

// plain entries ask each target as the case says.
func plain(names ...string) (out []entry) {
	for _, n := range names {
		out = append(out, entry{label: n, target: n})
	}
	return out
}

// with changes c's request for one entry.
func (c *Case) with(e entry) load.Request {
	q := c.ask
	if e.ask.Path != "" {
		q.Path = e.ask.Path
	}
	if e.ask.Model != "" {
		q.Model = e.ask.Model
	}
	if e.ask.Key != "" {
		q.Key = e.ask.Key
	}
	q.Same = q.Same || e.ask.Same
	return q
}

// answers of whole calls have about 0.9 KB; pieces of streams with their event
// about 300 bytes.
var (
	whole = mock.Script{Pad: 300}
	kb1   = load.Request{Path: chat, Model: "chat", Key: targets.Key, Size: 1 << 10}
)

func sized(q load.Request, size int) load.Request {
	q.Size = size
	return q
}

func streamed(q load.Request) load.Request {
	q.Stream = true
	return q
}

// cases are all that is measured in rounds.
func cases() []*Case {
	closed := func(name, title string, size int, entries ...entry) *Case {
		return &Case{name: name, title: title, entries: entries, script: whole, ask: sized(kb1, size), conns: 16}
	}
	translated := entry{label: "weir translated", target: "weir", ask: load.Request{Path: messages}}
	fromChat := entry{label: "weir translated", target: "weir", ask: load.Request{Path: chat}}
	list := []*Case{
		closed("chat-1k", "chat, 1 KB", 1<<10, plain("direct", "caddy", "nginx", "weir-proxy", "weir-keys", "weir-limits", "weir-count", "weir",
			"weir-cache", "weir-journal", "weir-log", "weir-records", "weir-redis", "weir-leased")...),
		closed("chat-20k", "chat, 20 KB", 20<<10, append(plain("direct", "caddy", "nginx", "weir-proxy", "weir"), translated)...),
		closed("chat-200k", "chat, 200 KB", 200<<10, append(plain("direct", "caddy", "nginx", "weir-proxy", "weir"), translated)...),
		closed("translated-1k", "Messages to a Chat Completions upstream, 1 KB", 1<<10, append(plain("caddy"), translated)...),
		closed("responses-1k", "Responses, 1 KB", 1<<10, plain("caddy", "weir")...),
		closed("messages-1k", "Messages to an Anthropic upstream, 1 KB; translated: Chat Completions", 1<<10, append(plain("caddy", "weir"), fromChat)...),
		closed("history", "200 KB in 50 turns, all but the last seen", 200<<10, plain("caddy", "weir-limits", "weir-count", "weir-exact")...),
		closed("embeddings", "embeddings, 1 KB, answer of 17 KB", 1<<10, plain("direct", "caddy", "nginx", "weir")...),
		closed("cached-1k", "kept answer, 1 KB", 1<<10, append(plain("caddy", "respond", "respond-metrics"), entry{label: "weir hit", target: "weir-cache", ask: load.Request{Same: true}})...),
		closed("cached-20k", "kept answer, 20 KB", 20<<10, append(plain("caddy", "respond", "respond-metrics"), entry{label: "weir hit", target: "weir-cache", ask: load.Request{Same: true}})...),
		closed("refused", "refused, 1 KB", 1<<10, append(plain("caddy", "respond", "respond-metrics", "weir"),
			entry{label: "bad key", target: "weir", ask: load.Request{Key: targets.BadKey}, want: 401},
			entry{label: "over limit", target: "weir", ask: load.Request{Key: targets.SpentKey}, want: 429})...),
		{
			name: "steady", title: "chat, 1 KB, 1,000 a second (open loop)", script: whole, ask: kb1, conns: 64, rate: 1000,
			entries: plain("direct", "caddy", "nginx", "weir-proxy", "weir", "weir-records"),
		},
		{
			name: "chunks", title: "50 streams, 10,000 chunks a second", ask: streamed(kb1), conns: 50, chunks: 200, starts: chunkStarts, fixed: chunkTime,
			script:  mock.Script{Stream: true, Tokens: 200, Gap: chunkGap, Pad: 20},
			entries: append(plain("direct", "caddy", "nginx", "weir-proxy", "weir"), translated), peers: true,
		},
		{
			name: "chunks-messages", title: "the same from an Anthropic upstream", ask: streamed(kb1), conns: 50, chunks: 200, starts: chunkStarts, fixed: chunkTime,
			script:  mock.Script{Stream: true, Tokens: 200, Gap: chunkGap, Pad: 20},
			entries: append(plain("caddy", "weir"), fromChat),
		},
		{
			name: "tokens", title: "50 streams of 200 tokens at 50 a second", ask: streamed(kb1), conns: 50, chunks: 200, starts: tokenStarts, fixed: 4500 * time.Millisecond,
			script:  mock.Script{Stream: true, Tokens: 200, Gap: tokenGap, TTFT: tokenGap, Pad: 20},
			entries: append(plain("direct", "caddy", "weir"), translated), late: tokenGap, once: true,
		},
		{
			name: "burst", title: "streams of 200 chunks at once", ask: streamed(kb1), conns: 8, chunks: 200,
			script:  mock.Script{Stream: true, Tokens: 200, Pad: 20},
			entries: append(plain("direct", "caddy", "nginx", "weir"), translated),
		},
	}
	for _, c := range list {
		switch c.name {
		case "chat-1k", "chat-20k", "chat-200k":
			c.peers = true
		case "history":
			c.ask.Turns, c.ask.Tail = 51, true
		case "responses-1k":
			c.ask.Path = responses
		case "messages-1k", "chunks-messages":
			c.ask.Path, c.ask.Model = messages, "claude"
		case "embeddings":
			c.ask.Path, c.ask.Model = "/v1/embeddings", "embed"
		}
	}
	return list
}

// peers are measured where a case says so, if they are installed.
var peers = []string{"bifrost", "portkey", "litellm"}

// Profile says how much is measured.
type Profile struct {
	Name    string
	Rounds  int
	For     time.Duration // each sample
	Warm    time.Duration
	Skip    []string // cases
	Hold    []int    // how many streams are held open, rising
	HangUp  int      // of these hang up at once; the rest before
	Budget  time.Duration
	Without []string // targets
	Held    []string // targets whose streams are held open
}

var profiles = []Profile{
	{Name: "full", Rounds: 5, For: time.Second, Warm: 200 * time.Millisecond, Hold: []int{1000, 5000, 9500}, HangUp: 5000, Held: []string{"caddy", "nginx", "weir-proxy", "weir", "weir-records"}, Budget: 11 * time.Minute},
	{
		Name: "quick", Rounds: 1, For: 500 * time.Millisecond, Warm: 200 * time.Millisecond, Hold: []int{500, 1000}, HangUp: 1000, Held: []string{"caddy", "weir"}, Budget: time.Minute,
		Skip:    []string{"tokens", "history", "translated-1k", "responses-1k", "messages-1k", "chunks-messages"},
		Without: []string{"weir-keys", "weir-limits", "weir-exact", "weir-journal", "weir-log", "weir-leased", "litellm", "portkey", "bifrost"},
	},
	{
		Name: "smoke", Rounds: 1, For: 150 * time.Millisecond, Warm: 100 * time.Millisecond, Hold: []int{20, 50}, HangUp: 50, Held: []string{"weir"}, Budget: time.Minute,
		Skip:    []string{"tokens"},
		Without: []string{"nginx", "litellm", "portkey", "bifrost", "weir-redis", "weir-leased"},
	},
}
