package canon

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/weirproxy/weir/wire"
)

// The tags of a request's fields. They are part of the encoding: new ones go to
// the end, and none is used again.
const (
	tagSystem byte = iota + 2
	tagMessage
	tagTool
	tagChoiceMode
	tagChoiceName
	tagChoiceAllowed
	tagParallel
	tagFormat
	tagMaxTokens
	tagTemperature
	tagTopP
	tagTopK
	tagFrequency
	tagPresence
	tagSeed
	tagStop
	tagChoices
	tagLogProbs
	tagTopLogProbs
	tagLogitBias
	tagReasoning
	tagVerbosity
	tagModalities
	tagState
	tagExtra
	tagResidue
	tagMember
	tagInput
	tagDimensions
	tagTask
	tagTitle
)

// request writes what changes the answer. Left out are the model; how the
// answer is delivered (Stream, IncludeUsage, Echo, ServiceTier); whom it is for
// (User, Metadata); what the vendor is to keep (Store, CacheKey, CacheOptions,
// CacheAuto and the marks of blocks and tools); and Spelling and Dialect.
func (w *writer) request(req *wire.Request) {
	w.lastUser(req)
	w.blocks(tagSystem, req.System, req.Dialect)
	for i := range req.Messages {
		m := &req.Messages[i]
		w.held = w.facts.LastUser != "" && i == len(req.Messages)-1
		w.byte(tagMessage)
		w.byte(byte(m.Role))
		w.blocks(more, m.Blocks, req.Dialect)
		w.held = false
		if m.Role == wire.RoleUser && slices.ContainsFunc(m.Blocks, func(b wire.Block) bool { return b.Type != wire.ResultBlock }) {
			w.facts.UserTurns++
		}
	}
	for i := range req.Tools {
		w.tool(&req.Tools[i])
	}
	w.toolChoice(&req.ToolChoice)
	w.tri(tagParallel, req.ParallelTools)
	w.format(&req.Format)
	w.count(tagMaxTokens, req.MaxTokens)
	w.sampling(req)
	w.reasoning(&req.Reasoning)
	w.text(tagVerbosity, req.Verbosity)
	w.list(tagModalities, req.Modalities)
	w.facts.OtherOutput = slices.ContainsFunc(req.Modalities, func(m string) bool { return m != "text" })
	w.facts.Tools = len(req.Tools) > 0
	if req.Store == wire.Yes {
		w.stateful("store")
	}
	for _, s := range req.State {
		w.stateful(s.Name)
	}
	w.extras(tagState, req.State, req.Dialect)
	w.extras(tagExtra, req.Extra, req.Dialect)
}

// lastUser finds the text of the last turn.
func (w *writer) lastUser(req *wire.Request) {
	n := len(req.Messages)
	if n == 0 || req.Messages[n-1].Role != wire.RoleUser {
		return
	}
	blocks := req.Messages[n-1].Blocks
	if !slices.ContainsFunc(blocks, func(b wire.Block) bool { return b.Type != wire.TextBlock }) {
		w.facts.LastUser = wire.JoinText(blocks)
	}
}

func (w *writer) sampling(req *wire.Request) {
	w.number(tagTemperature, req.Temperature)
	w.temperature(req.Temperature)
	w.number(tagTopP, req.TopP)
	w.number(tagTopK, req.TopK)
	w.number(tagFrequency, req.FrequencyPenalty)
	w.number(tagPresence, req.PresencePenalty)
	w.facts.HasSeed = req.Seed != ""
	if !w.options.IgnoreSeed {
		w.number(tagSeed, req.Seed)
	}
	w.list(tagStop, req.Stop)
	w.facts.Choices = max(1, req.Choices)
	if req.Choices != 1 { // every dialect answers once unasked
		w.count(tagChoices, req.Choices)
	}
	w.flag(tagLogProbs, req.LogProbs)
	w.number(tagTopLogProbs, req.TopLogProbs)
	w.raw(tagLogitBias, req.LogitBias, sorted)
}

func (w *writer) temperature(n wire.Number) {
	if w.facts.HasTemperature = n != ""; !w.facts.HasTemperature {
		return
	}
	f, err := strconv.ParseFloat(string(n), 64) // a number out of range is infinite
	if err != nil && !math.IsInf(f, 0) {
		f = math.Inf(1)
	}
	w.facts.Temperature = f
}

// extras writes members without a canonical place, whose meaning only their
// dialect knows, in the order of their names.
func (w *writer) extras(tag byte, list []wire.Extra, dialect wire.Dialect) {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b wire.Extra) int { return strings.Compare(a.Name, b.Name) })
	for _, x := range list {
		if unheard(x.Name) {
			continue
		}
		w.byte(tag)
		w.str(string(dialect))
		w.str(x.Name)
		w.raw(more, x.Raw, asWritten)
		w.byte(end)
		w.seek(x.Name, x.Raw)
	}
}

// unheard reports whether a member without a canonical place is of the kinds
// that [writer.request] leaves out: a second user, more metadata, options of
// prompt caches and streams.
func unheard(name string) bool {
	switch name {
	case "user", "prompt_cache_retention", "stream_options":
		return true
	}
	return strings.HasPrefix(name, "metadata.") || strings.HasPrefix(name, "stream_options.")
}
