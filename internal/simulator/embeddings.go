package simulator

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"unicode"
)

// maxInputs is OpenAI's bound on an array of inputs.
const maxInputs = 2048

// input is one text, or the tokens of one.
type input struct {
	text   string
	tokens []int
}

// key is what the answer depends on.
func (t input) key() string {
	if t.tokens == nil {
		return t.text
	}
	var b []byte
	for _, n := range t.tokens {
		b = append(strconv.AppendInt(b, int64(n), 10), ' ')
	}
	return string(b)
}

func (x *exchange) inputTokens(t input) int {
	if t.tokens != nil {
		return len(t.tokens)
	}
	return x.count(t.text)
}

// textList is a string, an array of strings, an array of tokens, or an array
// of arrays of tokens.
type textList []input

var errInput = errors.New("input is neither text nor tokens")

func (l *textList) UnmarshalJSON(b []byte) error {
	if b[0] == '"' {
		var s string
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
		*l = textList{{text: s}}
		return nil
	}
	var texts []string
	if json.Unmarshal(b, &texts) == nil {
		for _, s := range texts {
			*l = append(*l, input{text: s})
		}
		return nil
	}
	var tokens []int
	if json.Unmarshal(b, &tokens) == nil {
		*l = textList{{tokens: tokens}}
		return nil
	}
	var lists [][]int
	if json.Unmarshal(b, &lists) != nil {
		return errInput
	}
	for _, t := range lists {
		*l = append(*l, input{tokens: t})
	}
	return nil
}

func tooMany(param string) *failure {
	return invalid(param, "array_above_max_length", "Invalid '"+param+"': array too long. Expected an array with maximum length 2048.")
}

func (x *exchange) embeddings(body []byte) (*http.Response, error) {
	var r struct {
		Input          textList `json:"input"`
		Dimensions     *int     `json:"dimensions"`
		EncodingFormat string   `json:"encoding_format"`
	}
	if err := json.Unmarshal(body, &r); err != nil {
		return x.fail(badJSON(openAI, err))
	}
	dims := 1536
	if strings.Contains(x.name, "large") {
		dims = 3072
	}
	switch {
	case len(r.Input) == 0:
		return x.fail(missing(openAI, "input"))
	case len(r.Input) > maxInputs:
		return x.fail(tooMany("input"))
	case r.Dimensions != nil && *r.Dimensions < 1:
		return x.fail(belowMinimum(openAI, "dimensions", 1, *r.Dimensions))
	case r.Dimensions != nil && *r.Dimensions > dims:
		return x.fail(invalid("dimensions", "integer_above_max_value", "Invalid value for 'dimensions' = "+strconv.Itoa(*r.Dimensions)+". Must be less than or equal to "+strconv.Itoa(dims)+"."))
	case r.EncodingFormat != "" && r.EncodingFormat != "float" && r.EncodingFormat != "base64":
		return x.fail(invalid("encoding_format", "invalid_value", "Invalid value: '"+r.EncodingFormat+"'. Supported values are: 'float' and 'base64'."))
	case r.Dimensions != nil:
		dims = *r.Dimensions
	}
	tokens := 0
	dst := []byte(`{"object":"list","data":[`)
	for i, t := range r.Input {
		tokens += x.inputTokens(t)
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = format(dst, `{"object":"embedding","index":?,"embedding":`, i)
		dst = appendVector(dst, vector(x.sim.cfg.Seed, t.key(), dims), r.EncodingFormat == "base64")
		dst = append(dst, '}')
	}
	dst = format(dst, `],"model":?`, x.model)
	if !x.do.noUsage {
		dst = format(dst, `,"usage":{"prompt_tokens":?,"total_tokens":?}`, tokens, tokens)
	}
	return x.whole(0, append(dst, '}'))
}

// strides is the number of coordinates that a word moves.
const strides = 16

// vector is a unit vector. Texts that share words have similar ones, so that
// search and semantic caches can be shown; equal texts have equal ones.
func vector(seed uint64, text string, dims int) []float64 {
	v := make([]float64, dims)
	for word := range strings.FieldsFuncSeq(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) }) {
		h := hash(fnvOffset^mix(seed), word)
		for range strides {
			h = mix(h)
			v[h>>1%uint64(dims)] += float64(int(h&1)*2 - 1)
		}
	}
	h, sum := hash(fnvOffset^mix(seed), text), 0.0
	for i := range v {
		h = mix(h)
		v[i] += float64(int64(h)) / math.MaxInt64 / 16 // no coordinate stays zero
		sum += v[i] * v[i]
	}
	length := math.Sqrt(sum)
	for i := range v {
		v[i] /= length
	}
	return v
}

func appendVector(dst []byte, v []float64, b64 bool) []byte {
	if b64 {
		buf := make([]byte, 0, 4*len(v))
		for _, f := range v {
			buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(float32(f)))
		}
		dst = append(dst, '"')
		dst = base64.StdEncoding.AppendEncode(dst, buf)
		return append(dst, '"')
	}
	dst = append(dst, '[')
	for i, f := range v {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendFloat(dst, f, 'g', -1, 32)
	}
	return append(dst, ']')
}
