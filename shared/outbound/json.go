package outbound

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
)

// DoJSON sends a request whose body is in, and reads the answer's body into out; nil stands for none. The answer's body must be one
// JSON value of out's shape, whatever fields it has besides; without out it may be anything. What is read differently is an *Error of
// class Provider. In and out are encoded as encoding/json does, without escapes for HTML.
func (c *Client) DoJSON(ctx context.Context, r Request, in, out any) (*Response, error) {
	r.Header = r.Header.Clone()
	if r.Header == nil {
		r.Header = map[string][]string{}
	}
	if r.Header.Get("Accept") == "" {
		r.Header.Set("Accept", "application/json")
	}
	if in != nil {
		var b bytes.Buffer
		encoder := json.NewEncoder(&b)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(in); err != nil {
			return nil, c.failed(r, Internal, "the request cannot be written as JSON", err)
		}
		r.Body = bytes.TrimSuffix(b.Bytes(), []byte("\n"))
		defer clear(b.Bytes())
		if r.Header.Get("Content-Type") == "" {
			r.Header.Set("Content-Type", "application/json")
		}
	}
	answer, err := c.Do(ctx, r)
	if err != nil || out == nil {
		return answer, err
	}
	if err := decodeJSON(answer.Body, out); err != nil {
		e := c.failed(r, Provider, "its answer is not the JSON that is expected: is it the right address?", err)
		e.Status, e.RequestID, e.Unknown = answer.Status, answer.RequestID, r.Write || !r.Safe
		return nil, e
	}
	return answer, nil
}

// decodeJSON reads one JSON value with nothing behind it, and does not take null for one.
func decodeJSON(body []byte, out any) error {
	decoder := json.NewDecoder(bytes.NewReader(body))
	if err := decoder.Decode(out); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the value")
	}
	if string(bytes.TrimSpace(body)) == "null" {
		return errors.New("the value is null")
	}
	return nil
}
