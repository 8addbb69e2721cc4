package wire_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/wire"
)

// TestReadFailure reads refusals in the shapes of reference recordings.
func TestReadFailure(t *testing.T) {
	for _, tt := range []struct {
		name      string
		status    int
		errorType string
		body      string
		want      wire.Failure
	}{
		{"openai", 400, "", `{"error":{"message":"Unknown parameter: 'x'.","type":"invalid_request_error","param":"x","code":"unknown_parameter"}}`, wire.Failure{Kind: wire.KindInvalid, Message: "Unknown parameter: 'x'.", Param: "x"}},
		{"openai, too long", 400, "", `{"error":{"message":"Your input exceeds the context window of this model.","type":"invalid_request_error","param":"input","code":"context_length_exceeded"}}`, wire.Failure{Kind: wire.KindContextLength, Message: "Your input exceeds the context window of this model.", Param: "input"}},
		{"openai, spent", 429, "", `{"error":{"message":"You exceeded your current quota, please check your plan and billing details.","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}`, wire.Failure{Kind: wire.KindBudget, Message: "You exceeded your current quota, please check your plan and billing details."}},
		{"azure, filtered", 400, "", `{"error":{"message":"The response was filtered due to the prompt triggering Azure OpenAI's content management policy.","code":"content_filter","innererror":{"code":"ResponsibleAIPolicyViolation"}}}`, wire.Failure{Kind: wire.KindPolicy, Message: "The response was filtered due to the prompt triggering Azure OpenAI's content management policy."}},
		{"anthropic, too long", 400, "", `{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 3333404 tokens > 200000 maximum"}}`, wire.Failure{Kind: wire.KindContextLength, Message: "prompt is too long: 3333404 tokens > 200000 maximum"}},
		{"anthropic, overloaded", 529, "", `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`, wire.Failure{Kind: wire.KindOverloaded, Message: "Overloaded"}},
		{"anthropic, billing", 402, "", `{"type":"error","error":{"type":"billing_error","message":"pay"}}`, wire.Failure{Kind: wire.KindBudget, Message: "pay"}},
		{"anthropic, no credit", 400, "", `{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API."}}`, wire.Failure{Kind: wire.KindBudget, Message: "Your credit balance is too low to access the Anthropic API."}},
		{"anthropic, spent", 429, "", `{"type":"error","error":{"type":"rate_limit_error","message":"spent","details":{"error_code":"enforced_spend_limit_reached"}}}`, wire.Failure{Kind: wire.KindBudget, Message: "spent"}},
		{"deepseek, no credit", 402, "", `{"error":{"message":"Insufficient Balance","type":"unknown_error","param":null,"code":"invalid_request_error"}}`, wire.Failure{Kind: wire.KindBudget, Message: "Insufficient Balance"}},
		{"gemini, a bad key", 400, "", `{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}`, wire.Failure{Kind: wire.KindAuthentication, Message: "API key not valid. Please pass a valid API key."}},
		{"gemini, per minute", 429, "", `{"error":{"code":429,"message":"You exceeded your current quota, please check your plan and billing details.","status":"RESOURCE_EXHAUSTED","details":[{"violations":[{"quotaId":"GenerateRequestsPerMinute"}]},{"retryDelay":"34.5s"}]}}`, wire.Failure{Kind: wire.KindRateLimit, Message: "You exceeded your current quota, please check your plan and billing details.", RetryAfter: 34500 * time.Millisecond}},
		{"gemini, per day", 429, "", `{"error":{"code":429,"message":"You exceeded your current quota","status":"RESOURCE_EXHAUSTED","details":[{"violations":[{"quotaId":"GenerateRequestsPerDayPerProject"}]}]}}`, wire.Failure{Kind: wire.KindBudget, Message: "You exceeded your current quota"}},
		{"google, in an array", 404, "", `[{"error":{"code":404,"message":"not found","status":"NOT_FOUND"}}]`, wire.Failure{Kind: wire.KindModelNotFound, Message: "not found"}},
		{"bedrock", 400, "ThrottlingException:http://internal.amazon.com/", `{"message":"Too many requests"}`, wire.Failure{Kind: wire.KindRateLimit, Message: "Too many requests"}},
		{"bedrock, too long", 400, "ValidationException", `{"message":"Input is too long for requested model."}`, wire.Failure{Kind: wire.KindContextLength, Message: "Input is too long for requested model."}},
		{"cohere", 400, "", `{"id":"1","message":"too many tokens: size limit exceeded by 5","error_type":"TOO_MANY_TOKENS"}`, wire.Failure{Kind: wire.KindContextLength, Message: "too many tokens: size limit exceeded by 5"}},
		{"mistral", 401, "", `{"detail":"Invalid API Key"}`, wire.Failure{Kind: wire.KindAuthentication, Message: "Invalid API Key"}},
		{"fastapi", 422, "", `{"detail":[{"type":"missing","loc":["body","model"],"msg":"Field required"}]}`, wire.Failure{Kind: wire.KindInvalid, Param: "model", Message: "model: Field required"}},
		{"mistral, an unknown member", 422, "", `{"object":"error","message":{"detail":[{"type":"extra_forbidden","loc":["body","messages",0,"user","name"],"msg":"Extra inputs are not permitted"},{"msg":"x"}]},"type":"invalid_request_error","param":null,"code":null}`, wire.Failure{Kind: wire.KindInvalid, Param: "messages.0.user.name", Message: "messages.0.user.name: Extra inputs are not permitted"}},
		{"mistral, of late", 422, "", `{"object":"Error","detail":[{"loc":["body","tools"],"msg":"no"}],"message":[{"loc":["body","tools"],"msg":"no"}],"type":"invalid_request_error","code":3001}`, wire.Failure{Kind: wire.KindInvalid, Param: "tools", Message: "tools: no"}},
		{"a list of errors", 400, "", `{"success":false,"errors":[{"code":7000,"message":"No route"}],"result":null}`, wire.Failure{Kind: wire.KindInvalid, Message: "No route"}},
		{"words that are none", 400, "", `{"error":{"message":{"detail":[]},"detail":[[1]]}}`, wire.Failure{Kind: wire.KindInvalid, Message: "the upstream answered with an error"}},
		{"xai, a bad key", 400, "", `{"code":"invalid-argument","error":"Incorrect API key provided: x."}`, wire.Failure{Kind: wire.KindAuthentication, Message: "Incorrect API key provided: x."}},
		{"llama.cpp, too long", 400, "", `{"error":{"code":400,"message":"the request exceeds the available context size","type":"exceed_context_size_error","n_ctx":4096}}`, wire.Failure{Kind: wire.KindContextLength, Message: "the request exceeds the available context size"}},
		{"anthropic, too long with its answer", 400, "", `{"type":"error","error":{"type":"invalid_request_error","message":"input length and ` + "`max_tokens`" + ` exceed context limit: 178959 + 64000 > 200000, decrease input length or ` + "`max_tokens`" + ` and try again"}}`, wire.Failure{Kind: wire.KindContextLength, Message: "input length and `max_tokens` exceed context limit: 178959 + 64000 > 200000, decrease input length or `max_tokens` and try again"}},
		{"anthropic, spent", 402, "", `{"type":"error","error":{"type":"billing_error","message":"There is an issue with your billing."}}`, wire.Failure{Kind: wire.KindBudget, Message: "There is an issue with your billing."}},
		{"anthropic, spent, in old words", 400, "", `{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API."}}`, wire.Failure{Kind: wire.KindBudget, Message: "Your credit balance is too low to access the Anthropic API."}},
		{"deepseek, spent", 402, "", `{"error":{"message":"Insufficient Balance","type":"unknown_error","param":null,"code":"invalid_request_error"}}`, wire.Failure{Kind: wire.KindBudget, Message: "Insufficient Balance"}},
		{"xai, too long", 400, "", `{"code":"invalid-argument","error":"This model's maximum prompt length is 131072 but the request contains 537812 tokens."}`, wire.Failure{Kind: wire.KindContextLength, Message: "This model's maximum prompt length is 131072 but the request contains 537812 tokens."}},
		{"groq, too long", 400, "", `{"error":{"message":"Please reduce the length of the messages or completion.","type":"invalid_request_error","param":"messages"}}`, wire.Failure{Kind: wire.KindContextLength, Param: "messages", Message: "Please reduce the length of the messages or completion."}},
		{"vllm, too long", 400, "", `{"object":"error","message":"The decoder prompt (length 8357) is longer than the maximum model length of 8192.","type":"BadRequestError","code":400}`, wire.Failure{Kind: wire.KindContextLength, Message: "The decoder prompt (length 8357) is longer than the maximum model length of 8192."}},
		{"llama.cpp, too long, without a type", 400, "", `{"error":{"code":400,"message":"the request exceeds the available context size, try increasing it","type":"invalid_request_error"}}`, wire.Failure{Kind: wire.KindContextLength, Message: "the request exceeds the available context size, try increasing it"}},
		{"text generation inference, too long", 422, "", `{"error":"Input validation error: ` + "`inputs` tokens + `max_new_tokens`" + ` must be <= 4096. Given: 5000 inputs tokens and 20 max_new_tokens"}`, wire.Failure{Kind: wire.KindContextLength, Message: "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 inputs tokens and 20 max_new_tokens"}},
		{"moonshot, too long", 400, "", `{"error":{"message":"Invalid request: Your request exceeded model token limit: 262144 (requested: 291351)","type":"invalid_request_error"}}`, wire.Failure{Kind: wire.KindContextLength, Message: "Invalid request: Your request exceeded model token limit: 262144 (requested: 291351)"}},
		{"openai, over its configured limit", 400, "", `{"error":{"message":"Input tokens exceed the configured limit of 272000 tokens.","type":"invalid_request_error","param":"messages"}}`, wire.Failure{Kind: wire.KindContextLength, Param: "messages", Message: "Input tokens exceed the configured limit of 272000 tokens."}},
		{"openai, flagged", 400, "", `{"error":{"message":"Invalid prompt: your prompt was flagged as potentially violating our usage policy.","type":"invalid_request_error","param":null,"code":"invalid_prompt"}}`, wire.Failure{Kind: wire.KindPolicy, Message: "Invalid prompt: your prompt was flagged as potentially violating our usage policy."}},
		{"openai, an answer too long for the model", 400, "", `{"error":{"message":"max_tokens is too large: 50000. This model supports at most 16384 completion tokens.","type":"invalid_request_error","param":"max_tokens"}}`, wire.Failure{Kind: wire.KindInvalid, Param: "max_tokens", Message: "max_tokens is too large: 50000. This model supports at most 16384 completion tokens."}},
		{"a page", 502, "", `<html>Bad gateway</html>`, wire.Failure{Kind: wire.KindUpstream, Message: "the upstream answered with an error"}},
		{"nothing", 503, "", ``, wire.Failure{Kind: wire.KindOverloaded, Message: "the upstream answered with an error"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(&tt.want, wire.ReadFailure(tt.status, tt.errorType, []byte(tt.body))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestSeal packs and opens signatures, and leaves a vendor's own alone.
func TestSeal(t *testing.T) {
	sealed := wire.SignatureFor(wire.VendorOpenAI, wire.VendorAnthropic, "id", "c2ln")
	if from, id, signature := wire.OpenSignature(wire.VendorOpenAI, sealed); from != wire.VendorAnthropic || id != "id" || signature != "c2ln" {
		t.Errorf("%s, %s, %s", from, id, signature)
	}
	if own := wire.SignatureFor(wire.VendorGemini, wire.VendorGemini, "", "c2ln"); own != "c2ln" {
		t.Errorf("own %q", own)
	}
	if from, _, signature := wire.OpenSignature(wire.VendorGemini, "c2ln"); from != wire.VendorGemini || signature != "c2ln" {
		t.Errorf("%s, %s", from, signature)
	}
}
