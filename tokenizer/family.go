package tokenizer

// Family is how a group of models counts: its encoding and the rules for what
// a chat prompt costs beyond its text. The figures come from recorded usage;
// docs/token-counting.md has the errors that are left.
type Family struct {
	// Name is the family's name in documents and metrics, such as "gpt-4o".
	Name string
	// Encoding splits the text; for an estimated family the closest public one.
	Encoding *Encoding
	// Estimated says that counts of plain text are estimates.
	Estimated bool
	// Ratio is how many tokens of the model one token of Encoding stands for,
	// in thousandths; 1000 for exact families.
	Ratio int

	rules *rules
	id    uint32 // tells families apart in the memo
}

// rules are what a chat prompt costs beyond its text, in tokens of the model.
type rules struct {
	once       int // each prompt, for the opening of the answer and hidden prefixes
	perMessage int // each message, for the marks around it
	perName    int // each name of a participant
	perCall    int // each earlier tool call
	chatCall   int // and in Chat Completions, where its message has an empty text too

	toolStyle toolStyle
	toolsOnce int  // a prompt with tools
	ownSystem int  // a prompt with tools and no system message that they could stand in
	toolRatio int  // thousandths, for toolJSON
	chatTools int  // a Chat Completions prompt with tools, beyond toolsOnce
	forced    int  // a tool choice that names a function
	dropsNone bool // tool_choice "none" takes the tools out of the prompt
	format    int  // a response format
	image     imageRule
}

// Count returns the number of tokens of text; for an estimated family the
// encoding's count times the family's ratio, rounded up.
func (f *Family) Count(text []byte) int { return f.Scale(f.Encoding.Count(text)) }

// Scale turns tokens of the family's encoding, such as a Stream's count, into
// tokens of the model, rounded up.
func (f *Family) Scale(n int) int { return scale(n, f.Ratio) }

func scale(n, ratio int) int {
	if ratio == 1000 {
		return n
	}
	return (n*ratio + 999) / 1000
}
