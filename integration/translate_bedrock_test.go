package integration

import (
	"net/http"
	"strings"
	"testing"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/integration/weirtest"
	"github.com/weirproxy/weir/internal/eventstream"
	"github.com/weirproxy/weir/wire"
)

// newBedrock starts a gateway whose account at Amazon has keys to sign with.
func newBedrock(t *testing.T) *rig {
	t.Helper()
	t.Setenv("WEIR_TEST_AWS_ID", "AKIDEXAMPLE")
	t.Setenv("WEIR_TEST_AWS_SECRET", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
	r := &rig{}
	r.up = weirtest.NewUpstream(t, func(w http.ResponseWriter, req *weirtest.Request) {
		authorization := req.Header.Get("Authorization")
		if !strings.HasPrefix(authorization, "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/") || !strings.Contains(authorization, "/us-east-1/bedrock/aws4_request") ||
			!strings.Contains(authorization, "Signature=") || req.Header.Get("X-Amz-Date") == "" {
			w.Header().Set("X-Amzn-Errortype", "IncompleteSignatureException")
			w.WriteHeader(http.StatusForbidden)
			return
		}
		(*r.answer.Load())(w, req)
	})
	r.Gateway = weirtest.Start(t, "provider bedrock-p bedrock {\nbase_url "+r.up.URL+"\nregion us-east-1\naccess_key_id {env.WEIR_TEST_AWS_ID}\nsecret_access_key {env.WEIR_TEST_AWS_SECRET}\n}\nmodel bedrock-m bedrock-p/"+bedrockDoor.model, "ai_gateway")
	return r
}

// TestBedrock asks Converse and ConverseStream for clients of every dialect,
// with signed calls and frames as Amazon sends them.
func TestBedrock(t *testing.T) {
	up := bedrockDoor
	rig := newBedrock(t)
	for _, client := range doors {
		t.Run(client.name+"/whole", func(t *testing.T) {
			rig.answers(whole(200, up.answer))
			path, body := client.to(up, client.whole)
			got := rig.ask(t, path, body)
			if got.status != 200 || !strings.Contains(got.body, "hello") {
				t.Errorf("status %d, body %s", got.status, got.body)
			}
			rig.checkTranslated(t, client, up, complete(up))
			if call := rig.upstreamCalls()[0]; call.Path != "/model/"+up.model+"/converse" || strings.Contains(string(call.Body), `"model"`) {
				t.Errorf("path %s, body %s", call.Path, call.Body)
			}
		})
		t.Run(client.name+"/stream", func(t *testing.T) {
			rig.answers(up.plays(up.stream(2)))
			path, body := client.to(up, client.body)
			checkWhole(t, client, rig.ask(t, path, body))
			rig.checkTranslated(t, client, up, complete(up))
			if call := rig.upstreamCalls()[0]; call.Path != "/model/"+up.model+"/converse-stream" {
				t.Errorf("path %s", call.Path)
			}
		})
	}
}

// TestBedrockFaults breaks Amazon's frames before and after the first content.
func TestBedrockFaults(t *testing.T) {
	up := bedrockDoor
	rig := newBedrock(t)
	spoken := framed([]byte(up.prelude + up.words(2)))
	next := framed([]byte(up.words(1)))
	flipped := append([]byte(nil), next...)
	flipped[len(flipped)-8] ^= 1
	join := func(parts ...[]byte) (all []byte) {
		for _, p := range parts {
			all = append(all, p...)
		}
		return all
	}
	exception := func(name, message string) []byte {
		return eventstream.AppendException(nil, name, []byte(`{"message":"`+message+`"}`))
	}
	for _, tt := range []struct {
		name   string
		answer answerer
		kind   wire.Kind
		phase  string
		words  string
		late   bool
	}{
		{"truncated frame", framesOf(join(spoken, next[:len(next)-5])), wire.KindUpstream, "stream", "upstream", true},
		{"bad CRC", framesOf(join(spoken, flipped)), wire.KindUpstream, "stream", "upstream", true},
		{"exception after content", framesOf(join(spoken, exception("modelStreamErrorException", "it broke"))), wire.KindUpstream, "in_band", "it broke", true},
		{"throttled after content", framesOf(join(spoken, exception("throttlingException", "slow down"))), wire.KindRateLimit, "in_band", "slow down", true},
		{"no end", framesOf(spoken), wire.KindUpstream, "stream", errIncomplete.Message, true},
		{"truncated at once", framesOf(next[:10]), wire.KindUpstream, "stream", "upstream", false},
		{"bad CRC at once", framesOf(flipped), wire.KindUpstream, "stream", "upstream", false},
		{"no frames", framesOf([]byte("<html>hello, this is no event stream</html>")), wire.KindUpstream, "stream", "upstream", false},
		{"throttled at once", framesOf(exception("throttlingException", "slow down")), wire.KindRateLimit, "in_band", "slow down", false},
		{"invalid at once", framesOf(exception("validationException", "no such field")), wire.KindInvalid, "in_band", "no such field", false},
		{"error frame at once", framesOf(eventstream.AppendError(nil, "InternalFailure", "it broke")), wire.KindUpstream, "in_band", "it broke", false},
		{"status", whole(429, `{"message":"slow down"}`, "X-Amzn-Errortype", "ThrottlingException"), wire.KindRateLimit, "status", "slow down", false},
	} {
		for _, client := range doors {
			t.Run(tt.name+"/"+client.name, func(t *testing.T) {
				rig.answers(tt.answer)
				path, body := client.to(up, client.body)
				got := rig.ask(t, path, body)
				e := failed(tt.kind, tt.phase, tt.words)
				record := rig.record(t)
				want := ledger{Status: 200, Error: tt.kind.String(), Phase: tt.phase, Attempts: 1, Source: gateway.SourceEstimated, Input: record.Usage.Input, Output: record.Usage.Output}
				if tt.late {
					checkBroken(t, client, got, e)
				} else {
					want.Status = tt.kind.Status(client.dialect)
					f := wire.ReadFailure(got.status, "", []byte(got.body))
					if got.status != want.Status || !strings.Contains(f.Message, tt.words) {
						t.Errorf("status %d, want %d, body %s", got.status, want.Status, got.body)
					}
				}
				if tt.phase == "status" {
					want.Source = gateway.SourceNone
				}
				if l := ledgerOf(record); l != want || tt.late && l.Output == 0 {
					t.Errorf("record %+v, want %+v", l, want)
				}
			})
		}
	}
	t.Run("no report", func(t *testing.T) {
		client := doors[0]
		rig.answers(framesOf(framed([]byte(up.prelude + up.words(2) + up.finish))))
		path, body := client.to(up, client.body)
		checkWhole(t, client, rig.ask(t, path, body))
		if record := rig.record(t); record.UsageSource != gateway.SourceEstimated || record.Usage.Output == 0 || record.FinishReason != "end_turn" {
			t.Errorf("record %+v", record)
		}
	})
}
