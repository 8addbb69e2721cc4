package gemini

import (
	"bytes"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/internal/jsonw"
	"github.com/weirproxy/weir/wire"
)

// readUsage reads usageMetadata. promptTokenCount has what the cache was read
// for; the prompt of the vendor's own tools and thinking are counted apart.
// Reports without a single count, which Vertex sends before the last chunk,
// say nothing. Its totals may be absurd.
func readUsage(d *wire.Doc, v jsonscan.Value, report *wire.Report) {
	var u wire.Report
	var prompt, candidates int64
	for name, n := range d.Members(v) {
		switch name {
		case "promptTokenCount":
			prompt, _ = wire.Count(d.Data, n)
			u.Reported = true
		case "candidatesTokenCount", "responseTokenCount":
			candidates, _ = wire.Count(d.Data, n)
			u.Reported = true
		case "thoughtsTokenCount":
			u.Reasoning, _ = wire.Count(d.Data, n)
			u.Reported = true
		case "toolUsePromptTokenCount":
			u.ToolInput, _ = wire.Count(d.Data, n)
		case "cachedContentTokenCount":
			u.CacheRead = wire.Detail(d.Data, n)
		case "promptTokensDetails":
			u.InputAudio, u.InputImage = modalities(d, n)
		case "candidatesTokensDetails", "responseTokensDetails":
			u.OutputAudio, u.OutputImage = modalities(d, n)
		case "serviceTier":
			u.ServiceTier = tierIn(d.Str(n))
		}
	}
	if !u.Reported {
		return
	}
	u.Input = wire.Total(prompt, u.ToolInput)
	u.Output = wire.Total(candidates, u.Reasoning)
	*report = u
}

// modalities adds up the tokens of sound and of images.
func modalities(d *wire.Doc, details jsonscan.Value) (audio, image int64) {
	raw := details.Raw(d.Data)
	if !bytes.Contains(raw, []byte("AUDIO")) && !bytes.Contains(raw, []byte("IMAGE")) {
		return 0, 0 // as in nearly every chunk
	}
	for e := range d.Elements(details) {
		var kind, count jsonscan.Value
		for name, v := range d.Members(e) {
			switch name {
			case "modality":
				kind = v
			case "tokenCount":
				count = v
			}
		}
		switch {
		case kind.Is(d.Data, "AUDIO"):
			audio += wire.Detail(d.Data, count)
		case kind.Is(d.Data, "IMAGE"):
			image += wire.Detail(d.Data, count)
		}
	}
	return audio, image
}

// writeUsage writes the member usageMetadata.
func writeUsage(w *jsonw.Writer, u *wire.Report) {
	prompt := max(u.Input-u.ToolInput, 0)
	candidates := max(u.Output-u.Reasoning, 0)
	w.Key("usageMetadata")
	w.Object()
	w.Num("promptTokenCount", prompt)
	w.NumIf("cachedContentTokenCount", u.CacheRead)
	w.Num("candidatesTokenCount", candidates)
	w.NumIf("toolUsePromptTokenCount", u.ToolInput)
	w.NumIf("thoughtsTokenCount", u.Reasoning)
	w.Num("totalTokenCount", u.Input+u.Output)
	writeModalities(w, "promptTokensDetails", prompt, u.InputAudio, u.InputImage)
	writeModalities(w, "candidatesTokensDetails", candidates, u.OutputAudio, 0)
	w.StrIf("serviceTier", tierOut(u.ServiceTier))
	w.End()
}

func writeModalities(w *jsonw.Writer, name string, total, audio, image int64) {
	if audio == 0 && image == 0 {
		return
	}
	w.Key(name)
	w.Array()
	for _, m := range []struct {
		modality string
		tokens   int64
	}{{"TEXT", max(total-audio-image, 0)}, {"AUDIO", audio}, {"IMAGE", image}} {
		if m.tokens == 0 {
			continue
		}
		w.Object()
		w.Str("modality", m.modality)
		w.Num("tokenCount", m.tokens)
		w.End()
	}
	w.EndArray()
}
