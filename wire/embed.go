package wire

// EmbedRequest is the canonical form of a request for embeddings.
type EmbedRequest struct {
	Model  string
	Inputs []string

	// Single says that the input was one string, not a list.
	Single bool

	Dimensions int64

	// Base64 says that the client takes vectors as base64 of little-endian
	// float32, as OpenAI's SDKs ask when the caller did not say.
	Base64 bool

	// Task and Title are Gemini's taskType and title, and Cohere's input_type.
	Task  string
	Title string

	User  string
	Extra []Extra
}

// EmbedResponse is the canonical form of its answer.
type EmbedResponse struct {
	Model   string
	Vectors [][]float32
	Input   int64 // tokens; 0 when the vendor does not say
}

// EmbedCodec is the door of an embeddings operation.
type EmbedCodec interface {
	DecodeEmbedRequest(body []byte) (*EmbedRequest, error)
	EncodeEmbedRequest(dst []byte, req *EmbedRequest, loss *Loss) ([]byte, error)
	DecodeEmbedResponse(body []byte) (*EmbedResponse, error)
	EncodeEmbedResponse(dst []byte, res *EmbedResponse, req *EmbedRequest) []byte
}
