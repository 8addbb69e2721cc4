package simulator

import (
	"encoding/json"
	"net/http"
	"strings"
)

// categories of omni-moderation-latest in its order; images marks those that
// it applies to pictures.
var categories = []struct {
	name   string
	images bool
}{
	{"harassment", false},
	{"harassment/threatening", false},
	{"sexual", true},
	{"hate", false},
	{"hate/threatening", false},
	{"illicit", false},
	{"illicit/violent", false},
	{"self-harm/intent", true},
	{"self-harm/instructions", true},
	{"self-harm", true},
	{"sexual/minors", false},
	{"violence", true},
	{"violence/graphic", true},
}

// moderationInput is a string, an array of strings (one result each), or an
// array of parts (one result for all).
type moderationInput struct {
	texts  []string
	images bool
}

func (m *moderationInput) UnmarshalJSON(b []byte) error {
	var list stringList
	if json.Unmarshal(b, &list) == nil {
		m.texts = list
		return nil
	}
	var parts []part
	if err := json.Unmarshal(b, &parts); err != nil {
		return err
	}
	var texts []string
	for _, p := range parts {
		texts = append(texts, p.Text)
		m.images = m.images || p.Type == "image_url"
	}
	m.texts = []string{strings.Join(texts, " ")}
	return nil
}

// moderations flags a text for each category whose name it contains.
func (x *exchange) moderations(body []byte) (*http.Response, error) {
	var r struct {
		Input moderationInput `json:"input"`
	}
	if err := json.Unmarshal(body, &r); err != nil {
		return x.fail(badJSON(openAI, err))
	}
	if len(r.Input.texts) == 0 {
		return x.fail(missing(openAI, "input"))
	}
	dst := format(nil, `{"id":?,"model":?,"results":[`, x.mint("modr-", 4, "0123456789", saltAnswer), x.model)
	for i, text := range r.Input.texts {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendModeration(dst, strings.ToLower(text), r.Input.images)
	}
	return x.whole(0, append(dst, "]}"...))
}

func appendModeration(dst []byte, text string, images bool) []byte {
	var flags, scores, types []byte
	flagged := false
	for i, c := range categories {
		hit := strings.Contains(text, c.name)
		flagged = flagged || hit
		if i > 0 {
			flags, scores, types = append(flags, ','), append(scores, ','), append(types, ',')
		}
		score, kinds := raw("0.000013"), raw(`["text"]`)
		if hit {
			score = raw("0.97")
		}
		if images && c.images {
			kinds = raw(`["text","image"]`)
		}
		flags = format(flags, `?:?`, c.name, hit)
		scores = format(scores, `?:?`, c.name, score)
		types = format(types, `?:?`, c.name, kinds)
	}
	return format(dst, `{"flagged":?,"categories":{?},"category_scores":{?},"category_applied_input_types":{?}}`,
		flagged, raw(flags), raw(scores), raw(types))
}
