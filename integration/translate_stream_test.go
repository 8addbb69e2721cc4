package integration

import (
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/integration/weirtest"
	"github.com/weirproxy/weir/wire"
)

// TestTranslatedStreams plays a complete stream of every upstream to every
// client of another dialect.
func TestTranslatedStreams(t *testing.T) {
	rig := newTranslation(t, "", "")
	for client, up := range pairs {
		t.Run(client.name+" on "+up.name, func(t *testing.T) {
			rig.answers(up.plays(up.stream(2)))
			path, body := client.to(up, client.body)
			got := rig.ask(t, path, body)
			checkWhole(t, client, got)
			if client.name == "responses" {
				checkSequence(t, got.body)
			}
			if ct := got.header.Get("Content-Type"); ct != "text/event-stream" {
				t.Errorf("Content-Type %q", ct)
			}
			record := rig.checkTranslated(t, client, up, complete(up))
			if !record.Stream || record.Operation != clientOps[client.name].Name {
				t.Errorf("stream %v, operation %s", record.Stream, record.Operation)
			}
		})
	}
}

// TestTranslatedLockstep holds the upstream back until the client has seen what
// it has said: a translator that waits for the next event stops the test.
func TestTranslatedLockstep(t *testing.T) {
	rig := newTranslation(t, "", "")
	for client, up := range pairs {
		if up.dialect == wire.Bedrock {
			continue // its frames are made from a whole stream
		}
		t.Run(client.name+" on "+up.name, func(t *testing.T) {
			s := newScript()
			rig.answers(s.answer)
			c := dial(t, rig.Addr)
			path, body := client.to(up, client.body)
			c.post(t, path, body)
			s.send(t, up.prelude)
			word := func(text string) string { return strings.Replace(up.word, "%s", text, 1) }
			s.send(t, word(" first"))
			res := c.response(t)
			r := &reader{body: res.Body}
			r.find(t, " first")
			for _, text := range []string{" second", " third", " fourth"} {
				s.send(t, word(text))
				r.find(t, text)
			}
			s.send(t, up.finish+up.hidden+up.end)
			close(s.steps)
			rest, err := io.ReadAll(res.Body)
			if err != nil {
				t.Error(err)
			}
			r.got.Write(rest)
			if decoded, _ := decode(t, client, r.got.String()); textOf(decoded) != " first second third fourth" {
				t.Errorf("body %s", r.got.String())
			}
			rig.checkTranslated(t, client, up, complete(up))
		})
	}
}

// find reads on until text has come.
func (r *reader) find(t *testing.T, text string) {
	t.Helper()
	buf := make([]byte, 4<<10)
	for !strings.Contains(r.got.String(), text) {
		n, err := r.body.Read(buf)
		r.got.Write(buf[:n])
		if err != nil {
			t.Fatalf("%v before %q came, after %q", err, text, r.got.String())
		}
	}
}

// TestTranslatedFaults shows every pair of dialects every fault.
func TestTranslatedFaults(t *testing.T) {
	rig := newTranslation(t, "", "")
	for client, up := range pairs {
		if up.dialect == wire.Bedrock || up.dialect == wire.Cohere {
			continue // their frames and words differ; see their own tests
		}
		for _, f := range streamFaults {
			if f.err == errIncomplete && f.late && up.end == "" && f.name != "no terminator" {
				continue
			}
			t.Run(client.name+" on "+up.name+"/"+f.name, func(t *testing.T) {
				rig.answers(f.answer(up))
				path, body := client.to(up, client.body)
				got := rig.ask(t, path, body)
				want := f.record(up)
				switch {
				case f.err == nil:
					checkWhole(t, client, got)
				case f.late && f.name == "missing terminator after the finish reason":
					// The reason has been told; that it is no end is.
					if res, _ := decode(t, client, got.body); !got.cut || res.Failure == nil {
						t.Errorf("cut %v, body\n%s", got.cut, got.body)
					}
				case f.late:
					checkBroken(t, client, got, f.err)
				default:
					checkReply(t, errorReply(client, f.err), got)
					want.Status = f.err.Kind.Status(client.dialect)
				}
				rig.checkTranslated(t, client, up, want)
				if n := len(rig.upstreamCalls()); n != 1 {
					t.Errorf("%d upstream calls", n)
				}
			})
		}
	}
}

// TestTranslatedTimeouts lets translated calls run out of time before and after
// their first content.
func TestTranslatedTimeouts(t *testing.T) {
	for _, tt := range []struct {
		name, options string
		err           *gateway.Error
		late          bool
		answer        func(up *door) answerer
	}{
		{"headers", "response_header_timeout 150ms", gateway.ErrHeaders, false, func(*door) answerer { return stall }},
		{"first token", "first_token_timeout 150ms", gateway.ErrFirstToken, false, func(up *door) answerer { return stallAfter(up.prelude) }},
		{"idle", "idle_timeout 150ms", gateway.ErrIdle, true, func(up *door) answerer { return stallAfter(up.prelude + up.words(2)) }},
		{"total", "total_timeout 150ms", gateway.ErrTotal, true, func(up *door) answerer { return stallAfter(up.prelude + up.words(2)) }},
	} {
		rig := newTranslation(t, tt.options, "")
		for _, pair := range somePairs() {
			client, up := pair[0], pair[1]
			t.Run(tt.name+"/"+client.name+" on "+up.name, func(t *testing.T) {
				rig.answers(tt.answer(up))
				path, body := client.to(up, client.body)
				got := rig.ask(t, path, body)
				if tt.late {
					checkBroken(t, client, got, tt.err)
					rig.checkTranslated(t, client, up, seenAfter(up, tt.err, 2))
					return
				}
				checkReply(t, errorReply(client, tt.err), got)
				want := unseen(up, tt.err, tt.name == "first token")
				want.Status = tt.err.Kind.Status(client.dialect)
				rig.checkTranslated(t, client, up, want)
			})
		}
	}
}

// TestTranslatedClientGone tells the upstream of a client that leaves, and
// charges what was received.
func TestTranslatedClientGone(t *testing.T) {
	rig := newTranslation(t, "", "")
	for _, pair := range somePairs() {
		client, up := pair[0], pair[1]
		t.Run(client.name+" on "+up.name, func(t *testing.T) {
			ended := make(chan struct{})
			rig.answers(func(w http.ResponseWriter, r *weirtest.Request) {
				defer close(ended)
				stallAfter(up.prelude+up.words(2))(w, r)
			})
			c := dial(t, rig.Addr)
			path, body := client.to(up, client.body)
			c.post(t, path, body)
			(&reader{body: c.response(t).Body}).find(t, "word1")
			since := time.Now()
			c.leave(false)
			soon(t, since, ended)
			want := ledger{Status: 200, Error: "client_gone", Gone: true, Attempts: 1, Finish: up.early}
			want.Source, want.Input, want.Output = usageAt(up, 2)
			rig.checkTranslated(t, client, up, want)
		})
	}
}

// TestTranslatedHeartbeat sends the signs of life of the client's dialect while
// an upstream of another one is silent, and none inside an event.
func TestTranslatedHeartbeat(t *testing.T) {
	rig := newTranslation(t, "", "heartbeat 30ms")
	for _, pair := range somePairs() {
		client, up := pair[0], pair[1]
		t.Run(client.name+" on "+up.name, func(t *testing.T) {
			s := newScript()
			rig.answers(s.answer)
			c := dial(t, rig.Addr)
			path, body := client.to(up, client.body)
			c.post(t, path, body)
			res := c.response(t)
			r := &reader{body: res.Body}
			r.until(t, client.ping+client.ping) // nothing has come yet
			s.send(t, up.prelude+up.words(1))
			r.find(t, "word0")
			word := strings.Replace(up.word, "%s", " word1", 1)
			s.send(t, word[:20])
			seen := r.got.Len()
			for strings.Count(r.got.String()[seen:], client.ping) < 2 {
				r.more(t)
			}
			s.send(t, word[20:]+up.finish+up.hidden+up.end)
			close(s.steps)
			rest, err := io.ReadAll(res.Body)
			if err != nil {
				t.Error(err)
			}
			r.got.Write(rest)
			checkWhole(t, client, &reply{status: 200, body: strings.ReplaceAll(r.got.String(), client.ping, "")})
			rig.checkTranslated(t, client, up, complete(up))
		})
	}
}

// more reads what comes next.
func (r *reader) more(t *testing.T) {
	t.Helper()
	buf := make([]byte, 4<<10)
	n, err := r.body.Read(buf)
	r.got.Write(buf[:n])
	if err != nil {
		t.Fatal(err)
	}
}

var dataLine = regexp.MustCompile(`(?m)^data: (\{.*\})\r?$`)

// objects are the JSON objects of a stream.
func objects(t *testing.T, stream string) (list []map[string]any) {
	t.Helper()
	for _, m := range dataLine.FindAllStringSubmatch(stream, -1) {
		var o map[string]any
		if err := json.Unmarshal([]byte(m[1]), &o); err != nil {
			t.Fatalf("%v in %s", err, m[1])
		}
		list = append(list, o)
	}
	return list
}

// checkSequence checks that the numbers of a Responses stream have no gap.
func checkSequence(t *testing.T, stream string) {
	t.Helper()
	next := 0.0
	for _, o := range objects(t, stream) {
		if o["ai_metadata"] != nil {
			continue
		}
		if o["sequence_number"] != next {
			t.Errorf("sequence_number %v, want %v, in\n%s", o["sequence_number"], next, clip(stream))
			return
		}
		next++
	}
}

// TestTranslatedMetadata puts the metadata event right before the client's
// terminator, under the names of the stream that it belongs to: openai-go drops
// chunks of another id.
func TestTranslatedMetadata(t *testing.T) {
	rig := newTranslation(t, "", "")
	for client, up := range pairs {
		t.Run(client.name+" on "+up.name, func(t *testing.T) {
			rig.answers(up.plays(up.stream(2)))
			path, body := client.to(up, client.body)
			got := rig.ask(t, path, body, "X-AI-Metadata: on")
			checkWhole(t, client, got)
			list := objects(t, got.body)
			at := len(list) - 1 // of the metadata: the last object but for the terminator
			if client.name == "responses" || client.name == "messages" {
				at--
			}
			event := list[at]
			meta, _ := event["ai_metadata"].(map[string]any)
			if client.name == "gemini" {
				meta, _ = event["aiMetadata"].(map[string]any)
			}
			if meta["request_id"] != requestID || meta["provider"] != up.name+"-p" || meta["input_tokens"] != 21.0 || meta["output_tokens"] != 7.0 {
				t.Fatalf("metadata %v in\n%s", meta, got.body)
			}
			for _, o := range list {
				for _, name := range []string{"id", "created", "model", "responseId", "modelVersion"} {
					if client.name != "messages" && client.name != "responses" && o[name] != event[name] {
						t.Errorf("%s %v, but of the metadata %v", name, o[name], event[name])
					}
				}
			}
			if client.name == "responses" {
				checkSequence(t, got.body)
			}
			rig.record(t)
		})
	}
	t.Run("with a custom tool", func(t *testing.T) {
		client, up := doors[0], doors[2]
		rig.answers(up.plays(up.stream(2)))
		path, body := client.to(up, strings.TrimSuffix(client.body, "}")+`,"tools":[{"type":"custom","custom":{"name":"sql"}}]}`)
		got := rig.ask(t, path, body, "X-AI-Metadata: on")
		for _, o := range objects(t, got.body) {
			if first := objects(t, got.body)[0]; o["id"] != first["id"] || o["id"] == "" {
				t.Errorf("id %v, want %v", o["id"], first["id"])
			}
		}
		rig.record(t)
	})
}

// TestTranslatedFailureAfterHeartbeat answers inside the stream that a heartbeat
// has opened: the client is told once, in a stream that begins as its dialect's
// streams do.
func TestTranslatedFailureAfterHeartbeat(t *testing.T) {
	rig := newTranslation(t, "", "heartbeat 20ms")
	for _, pair := range somePairs() {
		client, up := pair[0], pair[1]
		for _, tt := range []struct {
			name    string
			answer  answerer
			message string
		}{
			{"closed", bytesOnWire(""), errNoAnswer.Message},
			{"refusal", whole(429, up.errorBody), "it broke"},
			{"error event", events(up.failure), "it broke"},
			{"error event after prelude", events(up.prelude + up.failure), "it broke"},
			{"cut after prelude", cutAfter(up.prelude), errBrokeOff.Message},
		} {
			t.Run(client.name+" on "+up.name+"/"+tt.name, func(t *testing.T) {
				fail := make(chan struct{})
				rig.answers(func(w http.ResponseWriter, r *weirtest.Request) {
					<-fail
					tt.answer(w, r)
				})
				c := dial(t, rig.Addr)
				path, body := client.to(up, client.body)
				c.post(t, path, body)
				res := c.response(t)
				(&reader{body: res.Body}).until(t, client.ping)
				close(fail)
				rest, err := io.ReadAll(res.Body)
				rig.record(t)
				stream := strings.ReplaceAll(string(rest), client.ping, "")
				if err == nil {
					t.Error("the stream ended like a complete one")
				}
				if n := strings.Count(stream, tt.message); n != 1 {
					t.Errorf("the client was told %d times in\n%s", n, stream)
				}
				if client.name == "responses" {
					checkSequence(t, stream)
				}
			})
		}
	}
}

// TestCohereFailure tells clients of a stream whose last event says that it
// failed, before and after its first content.
func TestCohereFailure(t *testing.T) {
	up := cohereDoor
	failure := named("message-end", `,"delta":{"finish_reason":"ERROR","error":"it broke","usage":{"tokens":{"input_tokens":21,"output_tokens":7}}}`) + up.end
	rig := newTranslation(t, "", "")
	for _, client := range doors {
		path, body := client.to(up, client.body)
		t.Run(client.name+"/after content", func(t *testing.T) {
			rig.answers(events(up.prelude + up.words(2) + failure))
			checkBroken(t, client, rig.ask(t, path, body), failed(wire.KindUpstream, "in_band", "it broke"))
			if record := rig.record(t); record.Error != "upstream" || record.Phase != "in_band" || record.Usage.Output != 7 {
				t.Errorf("record %+v", ledgerOf(record))
			}
		})
		t.Run(client.name+"/before content", func(t *testing.T) {
			rig.answers(events(up.prelude + failure))
			checkReply(t, errorReply(client, failed(wire.KindUpstream, "in_band", "the upstream reported an error: it broke")), rig.ask(t, path, body))
			rig.record(t)
		})
	}
}

// TestCohereWithoutDone ends a body cleanly behind the event that says that the
// answer is over: its terminator says nothing more.
func TestCohereWithoutDone(t *testing.T) {
	up := cohereDoor
	rig := newTranslation(t, "", "")
	for _, client := range doors {
		t.Run(client.name, func(t *testing.T) {
			path, body := client.to(up, client.body)
			rig.answers(events(up.prelude + up.words(2) + up.finish))
			checkWhole(t, client, rig.ask(t, path, body))
			rig.record(t)
		})
	}
}
