package wire

// Finish is why an answer ended.
type Finish uint8

// The reasons. FinishNone is an answer that has not ended.
const (
	FinishNone   Finish = iota
	FinishStop          // the model was done
	FinishString        // a stop string was met
	FinishLength        // the cap on tokens was met
	FinishWindow        // the context window was full
	FinishTools         // tools are to be called
	FinishPolicy        // the vendor's policy, or the model's refusal, ended it
	FinishPause         // a server tool's loop paused: the client is to continue
	FinishBroken        // the model's call was malformed
)

// Response is the canonical form of a whole answer.
type Response struct {
	ID      string
	Model   string
	Created int64 // Unix seconds; 0: the vendor does not say
	Choices []Choice
	Usage   Report

	ServiceTier string
	Fingerprint string

	// Failure is an error that came instead of an answer, inside a 200.
	Failure *Failure
}

// Choice is one answer of several.
type Choice struct {
	Index  int
	Blocks []Block
	Finish Finish

	// Native is the vendor's own word for Finish, StopString the stop string
	// that was met, Explanation what the vendor says of a refusal.
	Native      string
	StopString  string
	Explanation string

	// LogProbs is OpenAI's object, raw.
	LogProbs string
}

// Report is usage with every detail that some vendor reports. A detail that
// the vendor does not report is 0. Reported says that there was one at all.
type Report struct {
	Usage
	Reported bool
	Details
}

// Details are the parts of a Usage's tokens that some vendors charge for apart, and
// what they charge for that is no token.
type Details struct {
	InputAudio, OutputAudio                int64
	InputImage, OutputImage                int64
	CacheWrite5m, CacheWrite1h             int64
	AcceptedPrediction, RejectedPrediction int64
	ToolInput                              int64 // Gemini's toolUsePromptTokenCount, part of Input
	WebSearches, WebFetches                int64
	Milliseconds                           int64 // of audio that was heard
	ServiceTier                            string
}
