package form

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/weirproxy/weir/cache"
	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/doors"
)

// ErrIncomplete is wrapped by Check's error for an answer that is not whole.
var ErrIncomplete = errors.New("the answer is not complete")

// Facts are what rules need to know of a complete answer.
type Facts struct {
	// Finish is why it ended: of several choices the first that ended otherwise
	// than with a plain stop.
	Finish wire.Finish

	// Choices is the number of answers in it, or of vectors.
	Choices int

	// Calls says that tools are to be called, Refused that the model or a filter
	// refused, and Empty that there is neither text nor a call.
	Calls, Refused, Empty bool
}

// Check reads an answer before it is kept, and reports whether it is complete:
// it has the end that its dialect prescribes and nothing behind it, it is no
// error, and every choice says why it ended in a word that is known.
//
// read is what an observer of the same dialect has found in an answer, a stream up
// to its end and no further; nil where none has read it. It spares reading it once
// more.
func Check(f cache.Form, read *wire.Seen) (Facts, error) {
	if f.Operation == nil {
		return Facts{}, incomplete("no operation")
	}
	if facts, ok := usual(f, read); ok {
		return facts, nil
	}
	if embeds(f.Operation) {
		res, err := doors.Embedder(f.Operation).DecodeEmbedResponse(f.Body)
		if err == nil {
			err = vectors(res)
		}
		if err != nil {
			return Facts{}, fmt.Errorf("checking answer: %w: %w", ErrIncomplete, err)
		}
		return Facts{Finish: wire.FinishStop, Choices: len(res.Vectors)}, nil
	}
	var (
		seen wire.Seen
		res  *wire.Response
		err  error
	)
	if f.Stream {
		if read != nil {
			seen, err = *read, cutOff(f)
		} else {
			err = ends(f, &seen)
		}
		if err == nil {
			res, err = collect(f)
		}
	} else {
		if read != nil {
			seen = *read
		} else {
			err = doors.Of(f.Operation).Observer().Answer(f.Body, &seen)
		}
		if err == nil {
			res, err = decode(f)
		}
	}
	switch {
	case err != nil:
		return Facts{}, fmt.Errorf("checking answer: %w: %w", ErrIncomplete, err)
	case res.Failure != nil || seen.Failure != nil:
		return Facts{}, incomplete("it is an error")
	case !doors.KnownFinish(f.Operation, seen.Finish):
		return Facts{}, incomplete("nobody knows why it ended: " + seen.Finish)
	}
	return facts(res)
}

func incomplete(why string) error {
	return fmt.Errorf("checking answer: %w: %s", ErrIncomplete, why)
}

// facts reads the choices of an answer.
func facts(res *wire.Response) (Facts, error) {
	if len(res.Choices) == 0 {
		return Facts{}, incomplete("it is empty")
	}
	all := Facts{Choices: len(res.Choices), Finish: res.Choices[0].Finish, Empty: true}
	for i := range res.Choices {
		c := &res.Choices[i]
		switch {
		case c.Finish == wire.FinishNone || c.Finish == wire.FinishBroken || c.Native == "":
			return Facts{}, incomplete("a choice has no end")
		case all.Finish == wire.FinishStop:
			all.Finish = c.Finish
		}
		all.Refused = all.Refused || c.Finish == wire.FinishPolicy
		for j := range c.Blocks {
			switch b := &c.Blocks[j]; b.Type {
			case wire.CallBlock:
				all.Calls, all.Empty = true, false
			case wire.RefusalBlock:
				all.Refused, all.Empty = true, false
			case wire.TextBlock:
				all.Empty = all.Empty && b.Text == ""
			case wire.ThinkingBlock, wire.RedactedBlock:
			default:
				all.Empty = false
			}
		}
	}
	return all, nil
}

var lineEnds = [...][]byte{[]byte("\n\n"), []byte("\n\r\n")}

// cutOff checks that clients will see the last event of a stream.
func cutOff(f cache.Form) error {
	if !bytes.HasSuffix(f.Body, lineEnds[0]) && !bytes.HasSuffix(f.Body, lineEnds[1]) {
		return errors.New("its last event is cut off")
	}
	return nil
}

// ends checks the end of a stream, and that clients will see it.
func ends(f cache.Form, seen *wire.Seen) error {
	if err := cutOff(f); err != nil {
		return err
	}
	observer, over := doors.Of(f.Operation).Observer(), false
	err := events(f.Body, func(ev *sse.Event) error {
		class, err := observer.Event(ev, seen)
		switch {
		case err != nil:
			return err
		case class.Has(wire.Failed) || seen.Failure != nil:
			return errors.New("it is an error")
		case over && class != 0:
			return errors.New("an event follows its end")
		}
		over = over || class.Has(wire.Terminal)
		return nil
	})
	if err == nil && !over && f.Operation.Dialect != wire.Gemini { // which has no terminator
		err = errors.New("its end is missing")
	}
	return err
}
