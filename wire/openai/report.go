package openai

import (
	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/internal/jsonw"
	"github.com/weirproxy/weir/wire"
)

// readReport reads a usage object with its details. Totals are corrected as
// the observer of pass-through corrects them.
func readReport(d *wire.Doc, v jsonscan.Value) (report wire.Report, ok bool) {
	var seen wire.Seen
	readUsage(d.Data, v, &seen)
	if !seen.Reported {
		return report, false
	}
	report.Usage, report.Reported = seen.Usage, true
	in, out := d.Get(v, "prompt_tokens_details"), d.Get(v, "completion_tokens_details")
	report.InputAudio = count(d.Data, in, "audio_tokens")
	report.InputImage = count(d.Data, in, "image_tokens")
	report.OutputAudio = count(d.Data, out, "audio_tokens")
	report.AcceptedPrediction = count(d.Data, out, "accepted_prediction_tokens")
	report.RejectedPrediction = count(d.Data, out, "rejected_prediction_tokens")
	report.WebSearches = count(d.Data, d.Get(v, "server_tool_use_details"), "web_search_requests")
	if report.WebSearches == 0 {
		report.WebSearches = count(d.Data, d.Get(v, "server_tool_use"), "web_search_requests")
	}
	report.ServiceTier = d.StrAt(v, "service_tier")
	return report, true
}

// writeUsage writes the usage object of chat with the details that OpenAI
// always has, and those of other vendors when they are there.
func writeUsage(w *jsonw.Writer, u *wire.Report) {
	w.Object()
	w.Num("prompt_tokens", u.Input)
	w.Num("completion_tokens", u.Output)
	w.Num("total_tokens", u.Input+u.Output)
	w.Key("prompt_tokens_details")
	w.Object()
	w.Num("cached_tokens", u.CacheRead)
	w.Num("audio_tokens", u.InputAudio)
	w.NumIf("cache_write_tokens", u.CacheWrite)
	w.NumIf("image_tokens", u.InputImage)
	w.End()
	w.Key("completion_tokens_details")
	w.Object()
	w.Num("reasoning_tokens", u.Reasoning)
	w.Num("audio_tokens", u.OutputAudio)
	w.Num("accepted_prediction_tokens", u.AcceptedPrediction)
	w.Num("rejected_prediction_tokens", u.RejectedPrediction)
	w.End()
	if u.WebSearches > 0 {
		w.Key("server_tool_use")
		w.Object()
		w.Num("web_search_requests", u.WebSearches)
		w.End()
	}
	w.End()
}
