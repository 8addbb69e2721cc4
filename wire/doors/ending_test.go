package doors_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/doors"
	"github.com/weirproxy/weir/wire/wiretest"
	"github.com/weirproxy/weir/wire/wiretest/recorded"
)

// TestEndings ends every recorded stream after each of its events, until the
// model gave its reason to finish, and reads what a client would get.
func TestEndings(t *testing.T) {
	ends := map[*wire.Operation]int{}
	for _, rec := range recorded.All(t, filepath.Join("..", "..", "integration", "testdata", "fixtures")) {
		if !rec.Stream || doors.Ending(rec.Op) == nil {
			continue
		}
		if res, err := rec.Decode(0); err != nil || res.Failure != nil {
			continue
		}
		t.Run(rec.Name, func(t *testing.T) { ends[rec.Op] += endEverywhere(t, rec) })
	}
	for _, op := range []*wire.Operation{wire.Chat, wire.Responses, wire.Messages, wire.GeminiGenerate} {
		if ends[op] < 50 {
			t.Errorf("%s: only %d ends", op.Name, ends[op])
		}
	}
}

func endEverywhere(t *testing.T, rec *recorded.Recording) (ends int) {
	observer, seen := doors.Of(rec.Op).Observer(), wire.Seen{}
	reader := sse.NewReader(bytes.NewReader(rec.Answer), sse.MaxEvent)
	var passed []byte
	var ev sse.Event
	for {
		if err := reader.Next(&ev); err != nil {
			return ends
		}
		class, err := observer.Event(&ev, &seen)
		if err != nil || class&(wire.Finishing|wire.Terminal|wire.Failed) != 0 {
			return ends
		}
		passed = append(passed, ev.Raw...)
		if !class.Has(wire.Content) || ends > 40 {
			continue
		}
		// An Ending that has passed the same events, so that each end is its own.
		ending := doors.Ending(rec.Op)
		pass(t, ending, passed)
		told := seen
		told.Usage = wire.Usage{Input: 12, Output: 34}
		end := ending.AppendLength(nil, &told, true)
		checkEnd(t, rec.Op, passed, end)
		ends++
		if t.Failed() {
			t.Fatalf("after %d events the end is\n%s", ends, end)
		}
	}
}

func pass(t *testing.T, ending wire.Ending, events []byte) {
	t.Helper()
	reader := sse.NewReader(bytes.NewReader(events), sse.MaxEvent)
	var ev sse.Event
	for {
		switch err := reader.Next(&ev); {
		case err == nil:
			ending.Pass(&ev)
		case errors.Is(err, io.EOF):
			return
		default:
			t.Fatal(err)
		}
	}
}

func checkEnd(t *testing.T, op *wire.Operation, passed, end []byte) {
	t.Helper()
	codec := doors.Codec(op)
	before, _, err := wiretest.Collect(codec.StreamDecoder(), passed, 0)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatal(err)
	}
	whole := append(append([]byte(nil), passed...), end...)
	got, _, err := wiretest.Collect(codec.StreamDecoder(), whole, 7)
	if err != nil {
		t.Errorf("decoding: %v", err)
		return
	}
	if len(got.Choices) == 0 || got.Choices[0].Finish != wire.FinishLength {
		t.Errorf("choices %+v", got.Choices)
		return
	}
	if len(before.Choices) > 0 {
		want, have := recorded.MeaningOf(before, 0), recorded.MeaningOf(got, 0)
		// What decoders keep until its turn comes is there with the end.
		if !strings.HasPrefix(have.Text, want.Text) || !strings.HasPrefix(have.Thinking, want.Thinking) || len(want.Calls) > len(have.Calls) {
			t.Errorf("content %+v, want %+v", have, want)
		}
	}
	if diff := cmp.Diff(wire.Usage{Input: 12, Output: 34}, got.Usage.Usage); diff != "" {
		t.Errorf("usage %s", diff)
	}
	switch op {
	case wire.Responses:
		checkResponses(t, whole)
	case wire.Messages:
		if begun, done := bytes.Count(whole, []byte(`"content_block_start"`)), bytes.Count(whole, []byte(`"content_block_stop"`)); begun != done {
			t.Errorf("%d blocks begin and %d end", begun, done)
		}
	}
}

// checkResponses holds a stream of Responses to what its SDKs break on:
// numbers with a gap, items and parts that were added and are not done, a last
// event without what was sent.
func checkResponses(t *testing.T, stream []byte) {
	t.Helper()
	type event struct {
		Type     string `json:"type"`
		Sequence *int64 `json:"sequence_number"` // a recording has none
		Output   int64  `json:"output_index"`
		Content  int64  `json:"content_index"`
		Summary  int64  `json:"summary_index"`
		Item     any    `json:"item"`
		Response struct {
			Status     string         `json:"status"`
			Incomplete map[string]any `json:"incomplete_details"`
			Output     []any          `json:"output"`
			Model      string         `json:"model"`
		} `json:"response"`
	}
	var (
		items, parts = map[int64]any{}, map[[3]int64]bool{}
		sequence     = int64(-1)
		last         event
		ev           sse.Event
	)
	reader := sse.NewReader(bytes.NewReader(stream), sse.MaxEvent)
	for reader.Next(&ev) == nil {
		if !ev.HasData {
			continue
		}
		last = event{}
		if err := json.Unmarshal(ev.Data, &last); err != nil {
			t.Fatalf("%v in %s", err, ev.Data)
		}
		if string(ev.Name) != last.Type && len(ev.Name) > 0 {
			t.Errorf("the event %s has the type %s", ev.Name, last.Type)
		}
		if last.Sequence != nil {
			if *last.Sequence != sequence+1 {
				t.Errorf("%s has number %d after %d", last.Type, *last.Sequence, sequence)
			}
			sequence = *last.Sequence
		}
		part := [3]int64{last.Output, last.Content, last.Summary}
		switch last.Type {
		case "response.output_item.added":
			items[last.Output] = nil
		case "response.output_item.done":
			items[last.Output] = last.Item
		case "response.content_part.added", "response.reasoning_summary_part.added":
			parts[part] = false
		case "response.content_part.done", "response.reasoning_summary_part.done":
			parts[part] = true
		}
	}
	if last.Type != "response.incomplete" || last.Response.Status != "incomplete" || last.Response.Incomplete["reason"] != "max_output_tokens" || last.Response.Model == "" {
		t.Errorf("last event %+v", last)
	}
	for part, done := range parts {
		if !done {
			t.Errorf("the part %v is not done", part)
		}
	}
	if len(items) != len(last.Response.Output) {
		t.Errorf("%d items, %d in the response", len(items), len(last.Response.Output))
		return
	}
	for i, item := range items {
		if diff := cmp.Diff(item, last.Response.Output[i]); item == nil || diff != "" {
			t.Errorf("item %d is not as it was done: %s", i, diff)
		}
	}
}
