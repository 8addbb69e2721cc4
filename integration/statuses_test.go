package integration

import (
	"fmt"
	"strings"
	"testing"

	"github.com/weirproxy/weir/wire"
)

// TestOddStatuses shows no client a status that is none, and a conflict as one in
// whatever dialect.
func TestOddStatuses(t *testing.T) {
	r := newTranslation(t, "", "")
	conflict := func(up *door) string {
		return strings.Replace(up.errorBody, "it broke", "it changed meanwhile", 1)
	}
	raw := func(status int, body string) answerer {
		return bytesOnWire(fmt.Sprintf("HTTP/1.1 %d Odd\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", status, len(body), body))
	}
	for _, client := range doors {
		for _, up := range doors {
			for _, tt := range []struct {
				sent, want int
				kind       wire.Kind
			}{
				{409, 409, wire.KindConflict}, {600, 502, wire.KindUpstream}, {999, 502, wire.KindUpstream}, {101, 502, wire.KindUpstream}, {199, 502, wire.KindUpstream},
			} {
				t.Run(fmt.Sprintf("%s to %s/%d", client.name, up.name, tt.sent), func(t *testing.T) {
					tracker(t).Reset(up.name + "-p")
					r.answers(raw(tt.sent, conflict(up)))
					path, body := client.to(up, client.whole)
					got := r.ask(t, path, body)
					record := r.record(t)
					if got.status != tt.want || record.Error != tt.kind.String() {
						t.Fatalf("status %d, record %s: %s", got.status, record.Error, got.body)
					}
					if tt.want == 502 && strings.Contains(got.body, "meanwhile") {
						t.Errorf("told %s", got.body)
					}
					if tt.sent == 409 && !strings.Contains(got.body, "meanwhile") {
						t.Errorf("told %s", got.body)
					}
					if tt.sent == 409 && client.dialect != up.dialect && client.dialect == wire.Anthropic && !strings.Contains(got.body, `"type":"conflict_error"`) {
						t.Errorf("told %s", got.body)
					}
				})
			}
		}
	}
}
