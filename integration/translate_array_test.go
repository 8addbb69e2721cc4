package integration

import (
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/weirproxy/weir/gateway"
)

// arrayPath is where Gemini's clients ask for a stream as one JSON array.
func arrayPath(up *door) string {
	return "/v1beta/models/" + up.name + "-m:streamGenerateContent"
}

// chunks reads the answer's array; ok is false when it has no end.
func chunksOf(body string) (list []map[string]any, ok bool) {
	return list, json.Unmarshal([]byte(body), &list) == nil
}

func said(list []map[string]any) string {
	var b strings.Builder
	for _, chunk := range list {
		candidates, _ := chunk["candidates"].([]any)
		for _, c := range candidates {
			content, _ := c.(map[string]any)["content"].(map[string]any)
			parts, _ := content["parts"].([]any)
			for _, p := range parts {
				text, _ := p.(map[string]any)["text"].(string)
				b.WriteString(text)
			}
		}
	}
	return b.String()
}

// TestGeminiArray serves clients that ask for a stream without alt=sse, on
// every upstream: the array closes when the stream is complete and only then.
func TestGeminiArray(t *testing.T) {
	client := doors[3]
	rig := newTranslation(t, "idle_timeout 10s", "heartbeat 20ms")
	for _, up := range upstreams() {
		t.Run(up.name+"/complete", func(t *testing.T) {
			rig.answers(up.plays(up.stream(2)))
			got := rig.ask(t, arrayPath(up), client.body)
			list, ok := chunksOf(got.body)
			if got.status != 200 || got.cut || !ok || said(list) != twoWords {
				t.Errorf("status %d, cut %v, text %q, body %s", got.status, got.cut, said(list), got.body)
			}
			if ct := got.header.Get("Content-Type"); ct != "application/json" {
				t.Errorf("Content-Type %q", ct)
			}
			rig.checkTranslated(t, client, up, complete(up))
		})
		t.Run(up.name+"/broken off", func(t *testing.T) {
			rig.answers(up.plays(up.prelude + up.words(2)))
			got := rig.ask(t, arrayPath(up), client.body)
			if _, ok := chunksOf(got.body); ok || got.status != 200 || !got.cut {
				t.Errorf("status %d, cut %v, body %s", got.status, got.cut, got.body)
			}
			list, ok := chunksOf(got.body + "]")
			if !ok || said(list) != twoWords || list[len(list)-1]["error"] == nil {
				t.Errorf("not an error as the last element: %s", got.body)
			}
			rig.checkTranslated(t, client, up, seenAfter(up, errIncomplete, 2))
		})
		t.Run(up.name+"/error before content", func(t *testing.T) {
			rig.answers(whole(429, client.errorBody))
			got := rig.ask(t, arrayPath(up), client.body)
			var answer struct{ Error struct{ Code int } }
			if err := json.Unmarshal([]byte(got.body), &answer); err != nil || got.status != 429 || answer.Error.Code == 0 {
				t.Errorf("status %d, body %s", got.status, got.body)
			}
			rig.record(t)
		})
		t.Run(up.name+"/prelude alone", func(t *testing.T) {
			rig.answers(up.plays(up.prelude))
			checkReply(t, errorReply(client, errIncomplete), rig.ask(t, arrayPath(up), client.body))
			rig.record(t)
		})
	}
	t.Run("no heartbeats", func(t *testing.T) {
		up := doors[0]
		s := newScript()
		rig.answers(s.answer)
		c := dial(t, rig.Addr)
		c.post(t, arrayPath(up), client.body)
		s.send(t, up.prelude+up.words(1))
		res := c.response(t)
		r := &reader{body: res.Body}
		r.find(t, "word0") // as it comes, not at the end
		s.send(t, strings.Replace(up.word, "%s", " word1", 1)+up.finish+up.hidden+up.end)
		close(s.steps)
		rest, err := io.ReadAll(res.Body)
		if list, ok := chunksOf(r.got.String() + string(rest)); err != nil || !ok || said(list) != twoWords {
			t.Errorf("%v, body %s%s", err, r.got.String(), rest)
		}
		rig.checkTranslated(t, client, up, complete(up))
	})
	t.Run("client gone", func(t *testing.T) {
		up := doors[0]
		rig.answers(stallAfter(up.prelude + up.words(2)))
		c := dial(t, rig.Addr)
		c.post(t, arrayPath(up), client.body)
		(&reader{body: c.response(t).Body}).find(t, "word1")
		c.leave(true)
		if record := rig.record(t); !record.ClientGone || record.UsageSource != gateway.SourceEstimated {
			t.Errorf("record %+v", record)
		}
	})
	t.Run("metadata", func(t *testing.T) {
		up := doors[0]
		rig.answers(events(up.stream(2)))
		got := rig.ask(t, arrayPath(up), client.body, "X-AI-Metadata: on")
		if list, ok := chunksOf(got.body); !ok || list[len(list)-1]["aiMetadata"] == nil {
			t.Errorf("body %s", got.body)
		}
		rig.record(t)
	})
}
