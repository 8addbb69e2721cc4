package wire

// alternatives are the operations that can stand in for a client's, the best
// first. Chat Completions comes first where it is not the client's own: every
// server that is compatible with anything has it.
var alternatives = map[*Operation][]*Operation{
	Chat:             {Responses, Messages, GeminiGenerate, Converse, CohereChat},
	Responses:        {Chat, Messages, GeminiGenerate, Converse, CohereChat},
	Messages:         {Chat, Responses, GeminiGenerate, Converse, CohereChat},
	GeminiGenerate:   {Chat, Messages, Responses, Converse, CohereChat},
	Completions:      {Chat, Messages, GeminiGenerate, Converse, CohereChat},
	Embeddings:       {GeminiBatchEmbed, CohereEmbed, InvokeEmbed},
	GeminiEmbed:      {Embeddings, CohereEmbed, InvokeEmbed},
	GeminiBatchEmbed: {Embeddings, CohereEmbed, InvokeEmbed},
	Rerank:           {CohereRerank},
}

// Alternatives are the operations into which a request of op can be
// translated, in order of preference.
func Alternatives(op *Operation) []*Operation { return alternatives[op] }
