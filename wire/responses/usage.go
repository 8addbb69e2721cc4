package responses

import (
	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/internal/jsonw"
	"github.com/weirproxy/weir/wire"
)

// readReport reads a usage object with its details.
func readReport(d *wire.Doc, v jsonscan.Value) (report wire.Report, ok bool) {
	var seen wire.Seen
	readUsage(d.Data, v, &seen)
	if !seen.Reported {
		return report, false
	}
	report.Usage, report.Reported = seen.Usage, true
	in, out := d.Get(v, "input_tokens_details"), d.Get(v, "output_tokens_details")
	report.InputAudio = wire.Detail(d.Data, d.Get(in, "audio_tokens"))
	report.InputImage = wire.Detail(d.Data, d.Get(in, "image_tokens"))
	report.OutputAudio = wire.Detail(d.Data, d.Get(out, "audio_tokens"))
	return report, true
}

// writeUsage writes the usage object; null when there was no report.
func writeUsage(w *jsonw.Writer, u *wire.Report) {
	w.Key("usage")
	if !u.Reported {
		w.Null()
		return
	}
	w.Object()
	w.Num("input_tokens", u.Input)
	w.Key("input_tokens_details")
	w.Object()
	w.Num("cached_tokens", u.CacheRead)
	w.Num("cache_write_tokens", u.CacheWrite)
	w.NumIf("audio_tokens", u.InputAudio)
	w.NumIf("image_tokens", u.InputImage)
	w.End()
	w.Num("output_tokens", u.Output)
	w.Key("output_tokens_details")
	w.Object()
	w.Num("reasoning_tokens", u.Reasoning)
	w.NumIf("audio_tokens", u.OutputAudio)
	w.End()
	w.Num("total_tokens", u.Input+u.Output)
	w.End()
}
