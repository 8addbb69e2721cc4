package integration

import (
	"strings"
	"testing"
)

// TestWhatClientsBreakOn passes streams of servers that only nearly speak their
// dialect: what official SDKs fail on is not passed on, and nothing else changes.
func TestWhatClientsBreakOn(t *testing.T) {
	unnamed := func(stream string) string {
		var b strings.Builder
		for _, line := range strings.SplitAfter(stream, "\n") {
			if !strings.HasPrefix(line, "event: ") {
				b.WriteString(line)
			}
		}
		return b.String()
	}
	for _, d := range doors {
		rig := newRig(t, d, "", "")
		ask := func(name, sent, want string) {
			t.Run(d.name+"/"+name, func(t *testing.T) {
				rig.answers(events(sent))
				checkReply(t, &reply{status: 200, body: want}, rig.ask(t, d.path, d.body))
				rig.checkRecord(t, complete(d))
			})
		}
		empty := "data:\n\n" + "data: \n\n" + "event: ping\ndata:   \n\n"
		ask("events without data", d.prelude+empty+d.words(2)+empty+d.finish+d.hidden+d.end, d.shown(2))
		switch d.name {
		case "chat":
			for place, null := range map[string][2]string{
				"first": {`{"id":`, `{"error":null ,"id":`}, "between": {`"gpt-4o",`, `"gpt-4o","error": null,`}, "last": {"}\n", `,"error":null}` + "\n"},
			} {
				ask("an error that is none, "+place, strings.ReplaceAll(d.stream(2), null[0], null[1]), d.shown(2))
			}
		case "gemini":
			ask("a foreign terminator", d.stream(2)+"data: [DONE]\n\n", d.shown(2))
		case "messages":
			ask("events without names", unnamed(d.stream(2)), d.shown(2))
		}
	}
}
