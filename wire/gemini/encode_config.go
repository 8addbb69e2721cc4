package gemini

import (
	"math"
	"strconv"
	"strings"

	"github.com/weirproxy/weir/wire"
)

// maxStop is how many stop strings Gemini takes.
const maxStop = 5

// config writes generationConfig.
func (e *encoder) config() error {
	req := e.req
	if len(req.Stop) > maxStop {
		name := "stop"
		if own, ok := req.Spelling[name]; ok {
			name = own
		}
		return &wire.Failure{
			Kind:    wire.KindInvalid,
			Param:   name,
			Message: "'" + name + "' has " + strconv.Itoa(len(req.Stop)) + " strings, but model '" + req.Model + "' takes " + strconv.Itoa(maxStop) + " at most",
		}
	}
	e.object("generationConfig", func() {
		w := &e.w
		w.RawIf("temperature", string(req.Temperature))
		w.RawIf("topP", string(req.TopP))
		w.RawIf("topK", string(req.TopK))
		w.NumIf("maxOutputTokens", req.MaxTokens)
		w.NumIf("candidateCount", req.Choices)
		if len(req.Stop) > 0 {
			e.list("stopSequences", req.Stop, func(s string) string { return s })
		}
		e.seed()
		w.RawIf("presencePenalty", string(req.PresencePenalty))
		w.RawIf("frequencyPenalty", string(req.FrequencyPenalty))
		if req.LogProbs {
			w.Flag("responseLogprobs", true)
		}
		switch {
		case req.TopLogProbs == "", req.TopLogProbs == "0" && !e.own:
		case req.LogProbs || e.own:
			w.RawMember("logprobs", string(req.TopLogProbs))
		default: // refused without responseLogprobs
			e.loss.Drop("top_logprobs")
		}
		e.format()
		if len(req.Modalities) > 0 {
			e.list("responseModalities", req.Modalities, strings.ToUpper)
		}
		e.object("thinkingConfig", e.thinking)
		e.extras("generationConfig")
	})
	return nil
}

func (e *encoder) list(name string, list []string, spell func(string) string) {
	e.w.Key(name)
	e.w.Array()
	for _, s := range list {
		e.w.String(spell(s))
	}
	e.w.EndArray()
}

// seed writes the seed, which Gemini keeps in 32 bits.
func (e *encoder) seed() {
	seed := e.req.Seed
	if f, ok := seed.Float(); ok && !e.own && (f < math.MinInt32 || f > math.MaxInt32) {
		e.loss.Drop("seed")
		return
	}
	e.w.RawIf("seed", string(seed))
}

func (e *encoder) format() {
	switch f := &e.req.Format; f.Kind {
	case "json_object":
		e.w.Str("responseMimeType", "application/json")
	case "json_schema":
		e.w.Str("responseMimeType", "application/json")
		e.w.RawIf("responseJsonSchema", f.Schema)
	}
}

// thinking writes what stands in thinkingConfig.
func (e *encoder) thinking() {
	w, r := &e.w, &e.req.Reasoning
	switch {
	case e.own:
		if r.Effort != "" {
			w.Str("thinkingLevel", strings.ToUpper(r.Effort))
		}
		if r.Budget != 0 || r.Mode == "off" {
			w.Num("thinkingBudget", r.Budget)
		}
		if r.Show != "" {
			w.Flag("includeThoughts", r.Show != "none")
		}
	case !e.thinks():
		if wanted(r) {
			e.loss.Drop("reasoning_effort")
		}
	default:
		if e.ability.Levels {
			w.StrIf("thinkingLevel", e.level())
		} else if budget, ok := e.budget(); ok {
			w.Num("thinkingBudget", budget)
		}
		if wanted(r) && r.Show != "none" {
			w.Flag("includeThoughts", true)
		}
	}
	e.extras("generationConfig.thinkingConfig")
}

func isOff(r *wire.Reasoning) bool { return r.Mode == "off" || r.Effort == "none" }

// wanted reports whether the client asked for reasoning or to see it.
func wanted(r *wire.Reasoning) bool {
	return !isOff(r) && (r.Mode != "" || r.Effort != "" || r.Budget != 0 || r.Show != "" && r.Show != "none")
}

func (e *encoder) name() string { return strings.ToLower(wire.BareModel(e.req.Model)) }

// thinks reports whether the model knows thinkingConfig, which is an error for
// those that do not.
func (e *encoder) thinks() bool {
	name := e.name()
	return !strings.HasPrefix(name, "gemini-1") && !strings.HasPrefix(name, "gemini-2.0") && !strings.HasPrefix(name, "gemma")
}

// level is the thinkingLevel for a model that has levels. Pro models cannot go
// below LOW, and none can stop thinking.
func (e *encoder) level() string {
	r := &e.req.Reasoning
	lowest := "MINIMAL"
	if strings.Contains(e.name(), "pro") {
		lowest = "LOW"
	}
	if isOff(r) {
		if lowest != "MINIMAL" {
			e.loss.Drop("reasoning_effort")
		}
		return lowest
	}
	switch r.Effort {
	case "minimal":
		return lowest
	case "low", "medium", "high":
		return strings.ToUpper(r.Effort)
	case "":
		switch {
		case r.Budget <= 0:
			return ""
		case r.Budget <= budgets["low"]:
			return "LOW"
		case r.Budget <= budgets["medium"]:
			return "MEDIUM"
		}
	}
	return "HIGH"
}

// budgets are what Gemini 2.5 is given for an effort, in tokens.
var budgets = map[string]int64{"minimal": 512, "low": 1024, "medium": 8192, "high": 24576, "xhigh": 24576, "max": 24576}

// budget is the thinkingBudget for a model of the 2.5 family; ok is false when
// the client leaves it to the model. Pro models need 128 at least, the others
// take 24576 at most.
func (e *encoder) budget() (tokens int64, ok bool) {
	r := &e.req.Reasoning
	pro := strings.Contains(e.name(), "pro")
	least, most := int64(1), int64(24576)
	if pro {
		least, most = 128, 32768
	}
	switch {
	case isOff(r) && pro:
		e.loss.Drop("reasoning_effort")
		return least, true
	case isOff(r):
		return 0, true
	case r.Budget < 0, r.Mode == "adaptive" && r.Effort == "" && r.Budget == 0:
		return -1, true
	case r.Budget > 0:
		return min(max(r.Budget, least), most), true
	case r.Effort != "":
		tokens, ok = budgets[r.Effort]
		return tokens, ok
	default:
		return 0, false
	}
}
