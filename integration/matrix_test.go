package integration

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/integration/weirtest"
	"github.com/weirproxy/weir/wire"
	codecs "github.com/weirproxy/weir/wire/doors"
	"github.com/weirproxy/weir/wire/wiretest"
)

var updateMatrix = flag.Bool("update-compatibility", false, "write docs/compatibility.md")

// matrixClients and matrixUpstreams are the sides of the matrix.
var (
	matrixClients   = []*wire.Operation{wire.Chat, wire.Responses, wire.Messages, wire.GeminiGenerate}
	matrixUpstreams = []*wire.Operation{wire.Chat, wire.Responses, wire.Messages, wire.GeminiGenerate, wire.Converse, wire.CohereChat}
)

var matrixNames = map[*wire.Operation]string{
	wire.Chat: "Chat Completions", wire.Responses: "Responses", wire.Messages: "Messages", wire.GeminiGenerate: "Gemini",
	wire.Converse: "Bedrock Converse", wire.CohereChat: "Cohere v2",
}

// TestMatrix runs every row of the table for every pair of dialects through
// the gateway, whole and streamed, and publishes what came of it.
func TestMatrix(t *testing.T) {
	m := newMatrix(t)
	for _, s := range scenarios {
		for _, client := range matrixClients {
			for _, upstream := range matrixUpstreams {
				for _, stream := range []bool{false, true} {
					form := "whole"
					if stream {
						form = "streamed"
					}
					name := strings.Join([]string{s.name, matrixNames[client], "on " + matrixNames[upstream], form}, "/")
					t.Run(name, func(t *testing.T) {
						m.cell(t, &s, client, upstream, stream)
					})
				}
			}
		}
	}
	http.DefaultClient.CloseIdleConnections()
	m.publish(t)
}

type matrix struct {
	gateway *weirtest.Gateway
	results map[string]string // scenario/client/upstream/form -> "", "-" or a reason

	mu       sync.Mutex
	playing  *scenario
	answer   *wire.Response
	requests []*wire.Request // as they reached the upstream
	problem  string
}

func newMatrix(t *testing.T) *matrix {
	t.Setenv("UPSTREAM_KEY", "sk-upstream")
	m := &matrix{results: make(map[string]string)}
	up := weirtest.NewUpstream(t, m.play)
	m.gateway = weirtest.Start(t, fmt.Sprintf(`
provider chat openai {
	base_url %[1]s/chat/v1
	api_key {env.UPSTREAM_KEY}
	serves chat
}
provider responses openai {
	base_url %[1]s/responses/v1
	api_key {env.UPSTREAM_KEY}
	serves responses
}
provider messages anthropic {
	base_url %[1]s/messages/v1
	api_key {env.UPSTREAM_KEY}
}
provider generate_content gemini {
	base_url %[1]s/generate_content/v1beta
	api_key {env.UPSTREAM_KEY}
}
provider converse bedrock {
	base_url %[1]s/converse
	region us-east-1
	api_key {env.UPSTREAM_KEY}
}
provider cohere_chat cohere {
	base_url %[1]s/cohere_chat
	api_key {env.UPSTREAM_KEY}
}
model chat-m chat/gpt-4.1
model responses-m responses/gpt-4.1
model messages-m messages/claude-sonnet-4-5
model generate_content-m generate_content/gemini-2.5-flash
model converse-m converse/anthropic.claude-sonnet-4-5-20250929-v1:0
model cohere_chat-m cohere_chat/command-a-reasoning-08-2025
`, up.URL), "ai_gateway")
	return m
}

// play is the upstream's side of a cell.
func (m *matrix) play(w http.ResponseWriter, r *weirtest.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	name, _, _ := strings.Cut(strings.TrimPrefix(r.Path, "/"), "/")
	i := slices.IndexFunc(matrixUpstreams, func(op *wire.Operation) bool { return op.Name == name })
	if i < 0 {
		m.problem = "unexpected path " + r.Path
		return
	}
	op := matrixUpstreams[i]
	codec := codecs.Codec(op)
	req, err := codec.DecodeRequest(r.Body)
	if err != nil {
		m.problem = fmt.Sprintf("the upstream cannot read the request: %v\n%s", err, r.Body)
		w.WriteHeader(http.StatusTeapot)
		return
	}
	m.requests = append(m.requests, req)
	stream := req.Stream || strings.Contains(r.Path, ":stream") || strings.HasSuffix(r.Path, "-stream")
	reply := &wire.Reply{Request: &wire.Request{Model: "up", Stream: stream, IncludeUsage: true}, ID: "up", Created: 1700000000, Model: "up-model"}
	switch s := m.playing; {
	case s.fail != nil:
		refuse(w, op, s.fail)
	case !stream:
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(codec.EncodeResponse(nil, m.answer, reply))
	default:
		playStream(w, op, streamOf(codec.StreamEncoder(reply), m.answer, s.cut))
	}
}

// refuse answers as op's vendor refuses.
func refuse(w http.ResponseWriter, op *wire.Operation, r *refusal) {
	w.Header().Set("Content-Type", "application/json")
	message := refusalText(r)
	if r.status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "7")
	}
	var body []byte
	switch op.Dialect {
	case wire.Bedrock:
		w.Header().Set("X-Amzn-Errortype", map[int]string{400: "ValidationException", 401: "UnrecognizedClientException", 429: "ThrottlingException", 500: "InternalServerException"}[r.status]+":http://internal.amazon.com/")
		body = fmt.Appendf(nil, `{"message":%q}`, message)
	case wire.Cohere:
		body = fmt.Appendf(nil, `{"id":"x","message":%q}`, message)
	default:
		body = wire.ErrorBody(op.Dialect, &wire.Failure{Kind: r.kind, Message: message})
	}
	w.WriteHeader(r.status)
	_, _ = w.Write(body)
}

func refusalText(r *refusal) string {
	if r.kind == wire.KindContextLength {
		return "prompt is too long: 300000 tokens > 200000 maximum"
	}
	return "the vendor's own words about it"
}

// pieces cuts a text into what a stream would bring, at characters.
func inPieces(s string) (list []string) {
	for len(s) > 0 {
		n := min(7, len(s))
		for n < len(s) && s[n]&0xC0 == 0x80 {
			n++
		}
		list, s = append(list, s[:n]), s[n:]
	}
	return list
}

// streamOf encodes an answer as a stream; cut ends it with an error after
// the first content.
func streamOf(encoder wire.StreamEncoder, res *wire.Response, cut bool) (out []byte) {
	emit := func(ev wire.Event) { out = encoder.Encode(out, &ev) }
	emit(wire.Event{Kind: wire.EventStart, ID: res.ID, Model: res.Model, Created: res.Created})
	for _, c := range res.Choices {
		for i, b := range c.Blocks {
			open := wire.Event{Kind: wire.EventBlock, Choice: c.Index, Index: i, Block: b.Type}
			body := b.Text
			if b.Call != nil {
				open.ID, open.Name, open.Custom, body = b.Call.ID, b.Call.Name, b.Call.Custom, b.Call.Arguments
			}
			if b.Type == wire.CallBlock && b.Signature != "" {
				open.Signature, open.Vendor = b.Signature, b.Vendor
			}
			emit(open)
			for _, piece := range inPieces(body) {
				emit(wire.Event{Kind: wire.EventDelta, Choice: c.Index, Index: i, Block: b.Type, Text: []byte(piece)})
				if cut {
					emit(wire.Event{Kind: wire.EventFail, Failure: &wire.Failure{Kind: wire.KindOverloaded, Message: "the vendor broke down"}})
					return out
				}
			}
			if b.Signature != "" {
				emit(wire.Event{Kind: wire.EventSignature, Choice: c.Index, Index: i, Block: b.Type, Signature: b.Signature, Vendor: b.Vendor, ID: b.ID})
			}
			emit(wire.Event{Kind: wire.EventBlockEnd, Choice: c.Index, Index: i, Block: b.Type})
		}
		emit(wire.Event{Kind: wire.EventFinish, Choice: c.Index, Finish: c.Finish, StopString: c.StopString})
	}
	emit(wire.Event{Kind: wire.EventUsage, Usage: &res.Usage})
	emit(wire.Event{Kind: wire.EventEnd})
	return out
}

// vendorOf is whose signatures a dialect's are; "" for none.
func vendorOf(op *wire.Operation) wire.Vendor {
	switch op {
	case wire.Messages, wire.Converse:
		return wire.VendorAnthropic
	case wire.Responses:
		return wire.VendorOpenAI
	case wire.GeminiGenerate:
		return wire.VendorGemini
	default:
		return ""
	}
}

// cell runs one cell of the matrix.
func (m *matrix) cell(t *testing.T, s *scenario, client, upstream *wire.Operation, stream bool) {
	key := strings.Join([]string{s.name, client.Name, upstream.Name, fmt.Sprint(stream)}, "/")
	if s.cut && !stream {
		m.results[key] = "-"
		return
	}
	if s.unmappable != nil {
		if why := s.unmappable(client, upstream); why != "" {
			m.results[key] = why
			return
		}
	}
	m.results[key] = "failed"
	req := &wire.Request{
		Model: upstream.Name + "-m", MaxTokens: 256, Stream: stream, IncludeUsage: true,
		Messages: []wire.Message{{Role: wire.RoleUser, Blocks: []wire.Block{text("What is a weir?")}}},
	}
	if s.ask != nil {
		s.ask(req)
	}
	m.arm(s, upstream)
	res, problem := m.exchange(t, s, client, upstream, req)
	if problem != "" {
		t.Fatal(problem)
	}
	if s.fail == nil && !s.cut {
		if s.sent != nil {
			if p := s.sent(client, m.requests[0]); p != "" {
				t.Fatal("at the upstream: " + p)
			}
		}
		if p := s.got(res); p != "" {
			t.Fatal("at the client: " + p)
		}
		if s.name == "reasoning with signature" {
			m.again(t, s, client, upstream, req, res)
		}
	}
	if !t.Failed() {
		m.results[key] = ""
	}
}

// arm sets what the upstream does in a cell.
func (m *matrix) arm(s *scenario, upstream *wire.Operation) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.playing, m.requests, m.problem = s, nil, ""
	m.answer = &wire.Response{
		ID: "up_1", Model: "up-model", Created: 1700000000,
		Choices: []wire.Choice{{Blocks: []wire.Block{text("A low dam.")}, Finish: wire.FinishStop}},
		Usage:   wire.Report{Usage: wire.Usage{Input: 40, Output: 7}, Reported: true},
	}
	if s.answer != nil {
		s.answer(m.answer)
	}
	vendor := vendorOf(upstream)
	blocks := m.answer.Choices[0].Blocks
	for i := range blocks {
		if blocks[i].Vendor != "upstream" {
			continue
		}
		switch upstream {
		case wire.GeminiGenerate: // it signs the call, not the thought
			blocks[i+1].Signature, blocks[i+1].Vendor = blocks[i].Signature, vendor
			blocks[i].Signature, blocks[i].Vendor = "", ""
		case wire.Responses:
			blocks[i].Vendor, blocks[i].ID = vendor, "rs_1"
		case wire.Messages, wire.Converse:
			blocks[i].Vendor = vendor
		default:
			blocks[i].Signature, blocks[i].Vendor = "", ""
		}
	}
}

// exchange sends req in client's dialect and reads the answer.
func (m *matrix) exchange(t *testing.T, s *scenario, client, upstream *wire.Operation, req *wire.Request) (*wire.Response, string) {
	var loss wire.Loss
	body, err := codecs.Codec(client).EncodeRequest(nil, req, &loss)
	if err != nil {
		return nil, fmt.Sprintf("asking: %v", err)
	}
	return m.send(t, s, client, upstream, req, body)
}

func (m *matrix) send(t *testing.T, s *scenario, client, upstream *wire.Operation, req *wire.Request, body []byte) (*wire.Response, string) {
	codec := codecs.Codec(client)
	path := "/v1" + client.Path
	if client == wire.GeminiGenerate {
		path = "/v1beta/models/" + req.Model + client.Path
		if req.Stream {
			path = "/v1beta/models/" + req.Model + wire.GeminiStreamPath + "?alt=sse"
		}
	}
	httpReq, err := http.NewRequest(http.MethodPost, m.gateway.URL+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	httpReq.Header.Set("Content-Type", "application/json")
	if client == wire.Messages {
		httpReq.Header.Set("Anthropic-Version", "2023-06-01")
	}
	res, err := http.DefaultClient.Do(httpReq)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, readErr := io.ReadAll(res.Body)
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.problem != "":
		return nil, m.problem
	case s.fail != nil:
		return nil, checkRefused(client, upstream, s.fail, res, answer)
	case res.StatusCode != http.StatusOK:
		return nil, fmt.Sprintf("status %d: %s", res.StatusCode, answer)
	case s.cut:
		return nil, checkCut(codec, answer, readErr)
	case readErr != nil:
		return nil, fmt.Sprintf("reading: %v after %s", readErr, answer)
	}
	if req.Stream {
		decoded, _, err := wiretest.Collect(codec.StreamDecoder(), answer, 0)
		if err != nil {
			return nil, fmt.Sprintf("decoding: %v in\n%s", err, answer)
		}
		return decoded, ""
	}
	decoded, err := codec.DecodeResponse(answer)
	if err != nil {
		return nil, fmt.Sprintf("decoding: %v in\n%s", err, answer)
	}
	return decoded, ""
}

func checkRefused(client, upstream *wire.Operation, r *refusal, res *http.Response, body []byte) string {
	status := r.kind.Status(client.Dialect)
	if client.Dialect == upstream.Dialect || r.kind == wire.KindUpstream {
		status = 0 // as it came, or any of the 5xx
	}
	f := wire.ReadFailure(res.StatusCode, "", body)
	switch {
	case status != 0 && res.StatusCode != status, status == 0 && res.StatusCode/100 != r.status/100:
		return fmt.Sprintf("status %d: %s", res.StatusCode, body)
	case f.Kind != r.kind:
		return fmt.Sprintf("kind %s, want %s: %s", f.Kind, r.kind, body)
	case !strings.Contains(f.Message, refusalText(r)):
		return fmt.Sprintf("message %q", f.Message)
	case r.status == http.StatusTooManyRequests && res.Header.Get("Retry-After") != "7":
		return fmt.Sprintf("Retry-After %q", res.Header.Get("Retry-After"))
	}
	return ""
}

// checkCut checks that a stream which broke off says so, and does not look
// complete.
func checkCut(codec wire.Codec, body []byte, readErr error) string {
	res, events, err := wiretest.Collect(codec.StreamDecoder(), body, 0)
	switch {
	case !errors.Is(readErr, io.ErrUnexpectedEOF):
		return fmt.Sprintf("the body ended with %v", readErr)
	case err != nil:
		return fmt.Sprintf("decoding: %v in\n%s", err, body)
	case res.Failure == nil || !strings.Contains(res.Failure.Message, "the vendor broke down"):
		return fmt.Sprintf("failure %+v in\n%s", res.Failure, body)
	case slices.ContainsFunc(events, func(ev wire.Event) bool { return ev.Kind == wire.EventEnd || ev.Kind == wire.EventFinish }):
		return fmt.Sprintf("a cut stream with an end:\n%s", body)
	}
	return ""
}

// again sends the conversation back with the tool's result, as clients do
// that keep what they got: what the vendor signed must come back to it as it was.
func (m *matrix) again(t *testing.T, s *scenario, client, upstream *wire.Operation, first *wire.Request, res *wire.Response) {
	var loss wire.Loss
	asked, err := codecs.Codec(client).EncodeRequest(nil, first, &loss)
	if err != nil {
		t.Fatal(err)
	}
	held := codecs.Codec(client).EncodeResponse(nil, res, &wire.Reply{Request: first, ID: "held", Model: "m"})
	m.arm(s, upstream)
	if _, problem := m.send(t, s, client, upstream, first, continued(t, client, asked, held)); problem != "" {
		t.Fatal("the second turn: " + problem)
	}
	vendor := vendorOf(upstream)
	if vendor == "" {
		return
	}
	for _, msg := range m.requests[0].Messages {
		for _, b := range msg.Blocks {
			if b.Signature == signature && b.Vendor == vendor {
				return
			}
		}
	}
	t.Fatalf("the signature did not come back: %s", cmp.Diff(nil, m.requests[0].Messages))
}

// continued is the request that follows an answer with one call.
func continued(t *testing.T, client *wire.Operation, asked, answer []byte) []byte {
	var req, res map[string]any
	for _, part := range []struct {
		data []byte
		into *map[string]any
	}{{asked, &req}, {answer, &res}} {
		if err := json.Unmarshal(part.data, part.into); err != nil {
			t.Fatalf("%v in %s", err, part.data)
		}
	}
	list := func(v any) []any { l, _ := v.([]any); return l }
	at := func(v any, i int) map[string]any { return list(v)[i].(map[string]any) }
	switch client {
	case wire.Chat:
		message := at(res["choices"], 0)["message"].(map[string]any)
		id := at(message["tool_calls"], 0)["id"]
		req["messages"] = append(list(req["messages"]), message, map[string]any{"role": "tool", "tool_call_id": id, "content": "21 degrees"})
	case wire.Responses:
		input := list(req["input"])
		if text, ok := req["input"].(string); ok {
			input = []any{map[string]any{"role": "user", "content": text}}
		}
		var id any
		for _, item := range list(res["output"]) {
			if call := item.(map[string]any); call["type"] == "function_call" {
				id = call["call_id"]
			}
		}
		input = append(input, list(res["output"])...)
		req["input"] = append(input, map[string]any{"type": "function_call_output", "call_id": id, "output": "21 degrees"})
	case wire.Messages:
		content := list(res["content"])
		id := at(content, len(content)-1)["id"]
		req["messages"] = append(list(req["messages"]), map[string]any{"role": "assistant", "content": content},
			map[string]any{"role": "user", "content": []any{map[string]any{"type": "tool_result", "tool_use_id": id, "content": "21 degrees"}}})
	case wire.GeminiGenerate:
		req["contents"] = append(list(req["contents"]), at(res["candidates"], 0)["content"],
			map[string]any{"role": "user", "parts": []any{map[string]any{"functionResponse": map[string]any{"name": "weather", "response": map[string]any{"output": "21 degrees"}}}}})
	}
	body, err := json.Marshal(req)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func compact(s string) string {
	var b bytes.Buffer
	if json.Compact(&b, []byte(s)) != nil {
		return s
	}
	return b.String()
}

// publish writes docs/compatibility.md, or checks that it says what came out.
func (m *matrix) publish(t *testing.T) {
	var b strings.Builder
	b.WriteString(`# Compatibility

Every client dialect on every upstream dialect. This page is written by the test that it reports
(` + "`go test -run TestMatrix ./integration -update-compatibility`" + `); each cell ran through the gateway twice, whole and streamed. An
error in a stream after its first content can only be streamed.

`)
	var reasons []string
	for _, client := range matrixClients {
		fmt.Fprintf(&b, "## %s clients\n\n| |", matrixNames[client])
		for _, upstream := range matrixUpstreams {
			fmt.Fprintf(&b, " %s |", matrixNames[upstream])
		}
		b.WriteString("\n|---|" + strings.Repeat("---|", len(matrixUpstreams)) + "\n")
		for _, s := range scenarios {
			fmt.Fprintf(&b, "| %s |", s.name)
			for _, upstream := range matrixUpstreams {
				b.WriteString(" " + m.mark(s.name, client, upstream, &reasons) + " |")
			}
			b.WriteString("\n")
		}
		b.WriteString("\n")
	}
	for i, reason := range reasons {
		fmt.Fprintf(&b, "%d. unmappable: %s\n", i+1, reason)
	}
	path := filepath.Join("..", "docs", "compatibility.md")
	if *updateMatrix {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	old, _ := os.ReadFile(path)
	if diff := cmp.Diff(string(old), b.String()); diff != "" && !t.Failed() {
		t.Errorf("docs/compatibility.md is not what came out; run with -update-compatibility:\n%s", diff)
	}
}

func (m *matrix) mark(name string, client, upstream *wire.Operation, reasons *[]string) string {
	whole := m.results[strings.Join([]string{name, client.Name, upstream.Name, "false"}, "/")]
	streamed := m.results[strings.Join([]string{name, client.Name, upstream.Name, "true"}, "/")]
	switch {
	case whole == "-" && streamed == "":
		return "streamed"
	case whole == "" && streamed == "":
		return "yes"
	case whole == "failed" || streamed == "failed":
		return "**fails**"
	}
	i := slices.Index(*reasons, whole)
	if i < 0 {
		i = len(*reasons)
		*reasons = append(*reasons, whole)
	}
	return fmt.Sprintf("no (%d)", i+1)
}
